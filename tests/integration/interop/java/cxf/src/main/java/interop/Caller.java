package interop;

import jakarta.xml.ws.BindingProvider;
import jakarta.xml.ws.WebServiceException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.cxf.BusFactory;
import org.apache.cxf.frontend.ClientProxy;
import org.apache.cxf.jaxws.JaxWsProxyFactoryBean;
import org.apache.cxf.ws.addressing.WSAddressingFeature;

/**
 * Callers at the same time, each with a session of its own; nobody makes a second call, or ends,
 * before all have made the first.
 *
 * <p>Arguments: URL of the gateway, WAY, CALLS, a key store (see Secure), CUSTOMER... WAY is "rm1.0"
 * or "rm1.1" for WS-ReliableMessaging, "sct" for WS-SecureConversation, "cookie" for an HTTP
 * session. For each call prints "CUSTOMER NODE COUNT", where a fault answers it "fault TEXT", and
 * then exits with 3.
 */
public final class Caller {
    private final String url;
    private final String way;
    private final int calls;
    private final String keys;

    private final CyclicBarrier together;

    private Caller(String[] args, int customers) {
        url = args[0];
        way = args[1];
        calls = Integer.parseInt(args[2]);
        keys = args[3];
        together = new CyclicBarrier(customers);
    }

    public static void main(String[] args) throws Exception {
        List<String> customers = List.of(args).subList(4, args.length);
        Caller caller = new Caller(args, customers.size());
        List<Counter> counters = new ArrayList<>();
        for (int at = 0; at < customers.size(); at++) {
            counters.add(caller.counter()); // CXF makes one proxy at a time
        }
        ExecutorService threads = Executors.newCachedThreadPool();
        List<Future<Boolean>> sessions = new ArrayList<>();
        for (int at = 0; at < customers.size(); at++) {
            Counter counter = counters.get(at);
            String customer = customers.get(at);
            sessions.add(threads.submit(() -> caller.session(counter, customer)));
        }
        boolean well = true;
        for (Future<Boolean> session : sessions) {
            well &= session.get();
        }
        BusFactory.getDefaultBus().shutdown(true);
        System.exit(well ? 0 : 3);
    }

    private Counter counter() throws Exception {
        boolean reliable = way.startsWith("rm");
        boolean secure = way.equals("sct");
        JaxWsProxyFactoryBean factory = new JaxWsProxyFactoryBean();
        factory.setServiceClass(Counter.class);
        factory.setAddress(url + (reliable ? "rm" : way));
        if (reliable) {
            factory.getFeatures().add(new WSAddressingFeature());
            factory.getFeatures().add(Reliable.onCaller(way.substring(2), calls));
        }
        if (secure) {
            factory.getFeatures().add(new WSAddressingFeature());
            factory.getFeatures().add(Secure.policy());
            factory.setProperties(Secure.properties(Path.of(keys)));
        }
        Counter counter = factory.create(Counter.class);
        if (way.equals("cookie")) {
            ((BindingProvider) counter)
                    .getRequestContext()
                    .put(BindingProvider.SESSION_MAINTAIN_PROPERTY, true);
        }
        return counter;
    }

    private boolean session(Counter counter, String customer) throws Exception {
        try {
            for (int call = 0; call < calls; call++) {
                together.await(60, TimeUnit.SECONDS);
                System.out.println(customer + " " + counter.count(customer));
            }
            together.await(60, TimeUnit.SECONDS);
            return true;
        } catch (WebServiceException fault) {
            System.out.println("fault " + fault.getMessage());
            return false;
        } finally {
            ClientProxy.getClient(counter).destroy(); // ends the sequence
        }
    }
}
