package interop;

import jakarta.jws.WebMethod;
import jakarta.jws.WebParam;
import jakarta.jws.WebResult;
import jakarta.jws.WebService;

/** The contract of node and caller: how often this node was called in this session. */
@WebService(targetNamespace = "urn:example:counter")
public interface Counter {
    /** "NODE COUNT", COUNT being the calls of `customer` that NODE has had, this one included. */
    @WebMethod
    @WebResult(name = "said")
    String count(@WebParam(name = "customer") String customer);
}
