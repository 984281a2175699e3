package interop;

import jakarta.jws.WebMethod;
import jakarta.jws.WebParam;
import jakarta.jws.WebResult;
import jakarta.jws.WebService;
import jakarta.xml.ws.wsaddressing.W3CEndpointReference;

/** Makes the objects that keep state. */
@WebService(targetNamespace = "urn:example:counter")
public interface Opener {
    /** The endpoint reference of a new counter. */
    @WebMethod
    @WebResult(name = "counter")
    W3CEndpointReference open(@WebParam(name = "customer") String customer);
}
