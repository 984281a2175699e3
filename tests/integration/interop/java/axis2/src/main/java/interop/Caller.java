package interop;

import javax.xml.namespace.QName;
import org.apache.axis2.AxisFault;
import org.apache.axis2.addressing.EndpointReference;
import org.apache.axis2.client.Options;
import org.apache.axis2.rpc.client.RPCServiceClient;

/**
 * Callers, each with a session of its own, calling in turn.
 *
 * <p>Arguments: URL of the gateway, CALLS, CUSTOMER... For each call prints "CUSTOMER NODE COUNT";
 * where a fault answers it "fault TEXT", and then exits with 3.
 */
public final class Caller {
    private static final QName COUNT = new QName("http://interop", "count");

    private Caller() {}

    public static void main(String[] args) throws Exception {
        RPCServiceClient[] own = new RPCServiceClient[args.length - 2];
        for (int at = 0; at < own.length; at++) {
            own[at] = client(args[0] + "axis2/services/Counter");
        }
        try {
            for (int call = 0; call < Integer.parseInt(args[1]); call++) {
                for (int at = 0; at < own.length; at++) {
                    Object[] said =
                            own[at].invokeBlocking(COUNT, new Object[0], new Class<?>[] {String.class});
                    System.out.println(args[at + 2] + " " + said[0]);
                }
            }
        } catch (AxisFault fault) {
            System.out.println("fault " + fault.getMessage());
            System.exit(3);
        }
        System.exit(0);
    }

    private static RPCServiceClient client(String url) throws AxisFault {
        RPCServiceClient client = new RPCServiceClient();
        Options options = client.getOptions();
        options.setTo(new EndpointReference(url));
        options.setAction("urn:count");
        options.setManageSession(true); // or the ServiceGroupId of a reply is not sent back
        client.engageModule("addressing");
        return client;
    }
}
