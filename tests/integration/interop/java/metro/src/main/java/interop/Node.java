package interop;

import com.sun.xml.ws.developer.Stateful;
import com.sun.xml.ws.developer.StatefulWebServiceManager;
import jakarta.jws.WebService;
import jakarta.xml.ws.Endpoint;
import jakarta.xml.ws.soap.Addressing;
import jakarta.xml.ws.wsaddressing.W3CEndpointReference;
import java.net.ServerSocket;
import java.util.concurrent.Executors;

/**
 * A node: /open makes counters, /counter is where they live, each known by the reference parameter
 * objectId, in this process only. A stranger's objectId is answered with a fault.
 *
 * <p>Arguments: the node's name. Prints "NAME ready http://127.0.0.1:PORT/" and runs until killed.
 */
public final class Node {
    private static String name;

    private Node() {}

    public static void main(String[] args) throws Exception {
        name = args[0];
        int port;
        try (ServerSocket probe = new ServerSocket(0)) {
            port = probe.getLocalPort();
        }
        String url = "http://127.0.0.1:" + port + "/";
        publish(url + "counter", new CounterObject(""));
        publish(url + "open", new OpenerObject());
        System.out.println(name + " ready " + url);
        Thread.currentThread().join();
    }

    private static void publish(String address, Object service) {
        Endpoint endpoint = Endpoint.create(service);
        endpoint.setExecutor(Executors.newCachedThreadPool());
        endpoint.publish(address);
    }

    /** Exports counters. */
    @WebService(
            endpointInterface = "interop.Opener",
            serviceName = "OpenerService",
            targetNamespace = "urn:example:counter")
    public static final class OpenerObject implements Opener {
        @Override
        public W3CEndpointReference open(String customer) {
            return CounterObject.manager.export(
                    W3CEndpointReference.class, Node.counterAddress, new CounterObject(customer));
        }
    }

    /** Not the node's own address: its callers reach it through the gateway only. */
    static final String counterAddress = "http://gateway.invalid/counter";

    /** One counter. */
    @Stateful
    @Addressing
    @WebService(
            endpointInterface = "interop.Counter",
            serviceName = "CounterService",
            targetNamespace = "urn:example:counter")
    public static final class CounterObject implements Counter {
        /** Put here by the runtime. */
        public static StatefulWebServiceManager<CounterObject> manager;

        private final String customer;
        private int count;

        CounterObject(String customer) {
            this.customer = customer;
        }

        @Override
        public synchronized String count() {
            return name + " " + ++count;
        }

        @Override
        public String toString() {
            return customer;
        }
    }
}
