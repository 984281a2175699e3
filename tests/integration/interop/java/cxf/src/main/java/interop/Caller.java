package interop;

import jakarta.xml.ws.BindingProvider;
import jakarta.xml.ws.WebServiceException;
import org.apache.cxf.Bus;
import org.apache.cxf.BusFactory;
import org.apache.cxf.frontend.ClientProxy;
import org.apache.cxf.jaxws.JaxWsProxyFactoryBean;
import org.apache.cxf.ws.addressing.WSAddressingFeature;

/**
 * A caller: one session of CALLS calls.
 *
 * <p>Arguments: URL of the gateway, WAY, CUSTOMER, CALLS. WAY is "rm1.0" or "rm1.1" for
 * WS-ReliableMessaging, "cookie" for an HTTP session. Prints "count NODE COUNT" for each call, or
 * "fault TEXT" and exits with 3.
 */
public final class Caller {
    private Caller() {}

    public static void main(String[] args) {
        int calls = Integer.parseInt(args[3]);
        boolean reliable = args[1].startsWith("rm");
        JaxWsProxyFactoryBean factory = new JaxWsProxyFactoryBean();
        factory.setServiceClass(Counter.class);
        factory.setAddress(args[0] + (reliable ? "rm" : args[1]));
        if (reliable) {
            factory.getFeatures().add(new WSAddressingFeature());
            factory.getFeatures().add(Reliable.onCaller(args[1].substring(2), calls));
        }
        Counter counter = factory.create(Counter.class);
        if (!reliable) {
            ((BindingProvider) counter)
                    .getRequestContext()
                    .put(BindingProvider.SESSION_MAINTAIN_PROPERTY, true);
        }
        int status = 0;
        try {
            for (int call = 0; call < calls; call++) {
                System.out.println("count " + counter.count(args[2]));
            }
        } catch (WebServiceException fault) {
            System.out.println("fault " + fault.getMessage());
            status = 3;
        }
        ClientProxy.getClient(counter).destroy();
        Bus bus = BusFactory.getDefaultBus();
        bus.shutdown(true);
        System.exit(status);
    }
}
