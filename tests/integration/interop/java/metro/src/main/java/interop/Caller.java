package interop;

import jakarta.xml.ws.BindingProvider;
import jakarta.xml.ws.Service;
import jakarta.xml.ws.WebServiceException;
import jakarta.xml.ws.soap.AddressingFeature;
import jakarta.xml.ws.wsaddressing.W3CEndpointReference;
import java.net.URL;
import javax.xml.namespace.QName;

/**
 * Callers, each with a counter of its own, calling in turn.
 *
 * <p>Arguments: URL of the gateway, CALLS, CUSTOMER... For each call prints "CUSTOMER NODE COUNT";
 * where a fault answers it "fault TEXT", and then exits with 3.
 */
public final class Caller {
    private static final String SPACE = "urn:example:counter";

    private Caller() {}

    public static void main(String[] args) throws Exception {
        Service openers = service(args[0] + "open?wsdl", "OpenerService");
        Opener opener = openers.getPort(Opener.class);
        Service counters = service(args[0] + "counter?wsdl", "CounterService");
        Counter[] own = new Counter[args.length - 2];
        try {
            for (int at = 0; at < own.length; at++) {
                W3CEndpointReference reference = opener.open(args[at + 2]);
                own[at] = counters.getPort(reference, Counter.class, new AddressingFeature());
                ((BindingProvider) own[at])
                        .getRequestContext()
                        .put(BindingProvider.ENDPOINT_ADDRESS_PROPERTY, args[0] + "counter");
            }
            for (int call = 0; call < Integer.parseInt(args[1]); call++) {
                for (int at = 0; at < own.length; at++) {
                    System.out.println(args[at + 2] + " " + own[at].count());
                }
            }
        } catch (WebServiceException fault) {
            System.out.println("fault " + fault.getMessage());
            System.exit(3);
        }
        System.exit(0);
    }

    private static Service service(String contract, String name) throws Exception {
        return Service.create(new URL(contract), new QName(SPACE, name));
    }
}
