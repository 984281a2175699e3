package interop;

import com.sun.xml.ws.api.BindingID;
import com.sun.xml.ws.api.ha.HaInfo;
import com.sun.xml.ws.api.ha.HighAvailabilityProvider;
import com.sun.xml.ws.api.ha.StickyFeature;
import com.sun.xml.ws.api.message.Packet;
import com.sun.xml.ws.api.server.WSEndpoint;
import com.sun.xml.ws.api.server.WSWebServiceContext;
import com.sun.xml.ws.transport.http.servlet.ServletAdapter;
import com.sun.xml.ws.transport.http.servlet.ServletAdapterList;
import jakarta.annotation.Resource;
import jakarta.jws.WebMethod;
import jakarta.jws.WebResult;
import jakarta.jws.WebService;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.xml.ws.WebServiceContext;
import jakarta.xml.ws.WebServiceFeature;
import java.io.IOException;
import java.util.UUID;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * An instance of a cluster: says whether Metro takes the session of a call for one that moved. The
 * replica that Metro's cookies name is made up, for nothing is read from it.
 *
 * <p>Arguments: the node's name. Prints "NAME ready http://127.0.0.1:PORT/" and runs until killed.
 */
public final class Node {
    private static String name;

    private Node() {}

    public static void main(String[] args) throws Exception {
        name = args[0];
        HighAvailabilityProvider.INSTANCE.initHaEnvironment("cluster", name);
        Server server = new Server();
        ServerConnector connector = new ServerConnector(server);
        connector.setHost("127.0.0.1");
        server.addConnector(connector);
        ServletContextHandler context = new ServletContextHandler("/");
        context.addServlet(new ServletHolder(new Metro()), "/*");
        server.setHandler(context);
        server.start();
        System.out.println(name + " ready http://127.0.0.1:" + connector.getLocalPort() + "/");
        server.join();
    }

    /** Makes Metro set its cookies. */
    public static final class Sticky extends WebServiceFeature implements StickyFeature {
        @Override
        public String getID() {
            return "urn:example:sticky";
        }
    }

    /** Hands requests to Metro. */
    private static final class Metro extends HttpServlet {
        private static final long serialVersionUID = 1;
        private transient ServletAdapter adapter;

        @Override
        public void init() {
            WSEndpoint<Session> endpoint =
                    WSEndpoint.create(
                            Session.class, true, null, null, null, null,
                            BindingID.SOAP11_HTTP.createBinding(new Sticky()),
                            null, null, null, false);
            adapter = new ServletAdapterList(getServletContext()).createAdapter("s", "/*", endpoint);
        }

        @Override
        protected void doPost(HttpServletRequest request, HttpServletResponse response)
                throws IOException {
            adapter.handle(getServletContext(), request, response);
        }
    }

    /** The service. */
    @WebService(serviceName = "SessionService", targetNamespace = "urn:example:session")
    public static final class Session {
        @Resource private WebServiceContext context;

        /** "NODE new", "NODE home" or "NODE moved". */
        @WebMethod
        @WebResult(name = "said")
        public String where() {
            Packet told = ((WSWebServiceContext) context).getRequestPacket();
            HaInfo info = (HaInfo) told.get(Packet.HA_INFO);
            if (info == null) {
                told.put(Packet.HA_INFO, new HaInfo(UUID.randomUUID().toString(), "replica", false));
                return name + " new";
            }
            return name + (info.isFailOver() ? " moved" : " home");
        }
    }
}
