package interop;

import jakarta.annotation.Resource;
import jakarta.jws.WebService;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpSession;
import jakarta.xml.ws.WebServiceContext;
import jakarta.xml.ws.handler.MessageContext;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.cxf.BusFactory;
import org.apache.cxf.feature.Feature;
import org.apache.cxf.jaxws.JaxWsServerFactoryBean;
import org.apache.cxf.transport.http_jetty.JettyHTTPServerEngineFactory;
import org.apache.cxf.ws.addressing.WSAddressingFeature;

/**
 * A node: the same service in three ways, each with sessions that only this process knows.
 *
 * <p>/rm speaks WS-ReliableMessaging; CXF keeps the sequences in memory and answers UnknownSequence
 * to one that another node created. /sct speaks WS-SecureConversation; CXF keeps the tokens in
 * memory and refuses a stranger's. /cookie keeps an HTTP session; a caller who brings the cookie of
 * another node gets a fault.
 *
 * <p>Arguments: the node's name, a key store (see Secure). Prints "NAME ready
 * http://127.0.0.1:PORT/" and runs until killed.
 */
public final class Node {
    private Node() {}

    public static void main(String[] args) throws Exception {
        String name = args[0];
        int port = freePort();
        BusFactory.getDefaultBus()
                .getExtension(JettyHTTPServerEngineFactory.class)
                .createJettyHTTPServerEngine("127.0.0.1", port, "http")
                .setSessionSupport(true);
        String url = "http://127.0.0.1:" + port + "/";
        publish(url + "rm", new ByCustomer(name), new WSAddressingFeature(), Reliable.onNode());
        publish(url + "cookie", new ByHttpSession(name));
        Map<String, Object> secure = Secure.properties(Path.of(args[1]));
        publish(
                url + "sct",
                new ByCustomer(name),
                secure,
                new WSAddressingFeature(),
                Secure.policy());
        System.out.println(name + " ready " + url);
        Thread.currentThread().join();
    }

    private static int freePort() throws java.io.IOException {
        try (ServerSocket probe = new ServerSocket(0)) {
            return probe.getLocalPort();
        }
    }

    private static void publish(String address, Counter counter, Feature... features) {
        publish(address, counter, Map.of(), features);
    }

    private static void publish(
            String address, Counter counter, Map<String, Object> properties, Feature... features) {
        JaxWsServerFactoryBean factory = new JaxWsServerFactoryBean();
        factory.setServiceClass(Counter.class);
        factory.setServiceBean(counter);
        factory.setAddress(address);
        factory.setProperties(new HashMap<>(properties));
        factory.getFeatures().addAll(java.util.List.of(features));
        factory.create();
    }

    /** Counts by the customer: what makes it a session is the sequence. */
    @WebService(endpointInterface = "interop.Counter", targetNamespace = "urn:example:counter")
    public static final class ByCustomer implements Counter {
        private final String node;
        private final Map<String, AtomicInteger> counts = new ConcurrentHashMap<>();

        ByCustomer(String node) {
            this.node = node;
        }

        @Override
        public String count(String customer) {
            AtomicInteger count = counts.computeIfAbsent(customer, one -> new AtomicInteger());
            return node + " " + count.incrementAndGet();
        }
    }

    /** Counts in the HTTP session. */
    @WebService(endpointInterface = "interop.Counter", targetNamespace = "urn:example:counter")
    public static final class ByHttpSession implements Counter {
        private final String node;

        @Resource private WebServiceContext context;

        ByHttpSession(String node) {
            this.node = node;
        }

        @Override
        public String count(String customer) {
            HttpServletRequest request =
                    (HttpServletRequest)
                            context.getMessageContext().get(MessageContext.SERVLET_REQUEST);
            if (request.getRequestedSessionId() != null && !request.isRequestedSessionIdValid()) {
                throw new IllegalStateException("This node has no such session");
            }
            HttpSession session = request.getSession(true);
            Integer before = (Integer) session.getAttribute("count");
            int now = before == null ? 1 : before + 1;
            session.setAttribute("count", now);
            return node + " " + now;
        }
    }
}
