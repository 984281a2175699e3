package interop;

import java.net.ServerSocket;
import org.apache.axis2.context.ConfigurationContext;
import org.apache.axis2.context.ConfigurationContextFactory;
import org.apache.axis2.description.AxisService;
import org.apache.axis2.engine.AxisConfiguration;
import org.apache.axis2.transport.http.SimpleHTTPServer;

/**
 * A node: the service Counter in the scope soapsession, whose sessions only this process knows.
 * Axis2 answers a stranger's ServiceGroupId with a fault.
 *
 * <p>Arguments: the node's name. Prints "NAME ready http://127.0.0.1:PORT/" and runs until killed.
 */
public final class Node {
    private static String name;

    private Node() {}

    static String name() {
        return name;
    }

    public static void main(String[] args) throws Exception {
        name = args[0];
        int port;
        try (ServerSocket probe = new ServerSocket(0)) {
            port = probe.getLocalPort();
        }
        ConfigurationContext context =
                ConfigurationContextFactory.createConfigurationContextFromFileSystem(null, null);
        AxisConfiguration configuration = context.getAxisConfiguration();
        AxisService service = AxisService.createService(Counter.class.getName(), configuration);
        service.setScope("soapsession");
        configuration.addService(service);
        configuration.engageModule("addressing");
        new SimpleHTTPServer(context, port).start();
        System.out.println(name + " ready http://127.0.0.1:" + port + "/");
        Thread.currentThread().join();
    }
}
