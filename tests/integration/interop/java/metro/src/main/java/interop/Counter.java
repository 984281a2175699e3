package interop;

import jakarta.jws.WebMethod;
import jakarta.jws.WebResult;
import jakarta.jws.WebService;

/** One object on one node. */
@WebService(targetNamespace = "urn:example:counter")
public interface Counter {
    /** "NODE COUNT", COUNT being the calls of this object, this one included. */
    @WebMethod
    @WebResult(name = "said")
    String count();
}
