package interop;

import org.apache.axis2.context.MessageContext;
import org.apache.axis2.context.ServiceContext;

/** Counts in the session's context, of which Axis2 makes one for each ServiceGroupId. */
public final class Counter {
    /** "NODE COUNT", COUNT being the calls of this session, this one included. */
    public String count() {
        ServiceContext session = MessageContext.getCurrentMessageContext().getServiceContext();
        Integer before = (Integer) session.getProperty("count");
        int now = before == null ? 1 : before + 1;
        session.setProperty("count", now);
        return Node.name() + " " + now;
    }
}
