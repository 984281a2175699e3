package interop;

import org.apache.cxf.ws.rm.RM10Constants;
import org.apache.cxf.ws.rm.RM11Constants;
import org.apache.cxf.ws.rm.feature.RMFeature;
import org.apache.cxf.ws.rm.manager.AcksPolicyType;
import org.apache.cxf.ws.rm.manager.DestinationPolicyType;
import org.apache.cxf.ws.rm.manager.RetryPolicyType;
import org.apache.cxf.ws.rm.manager.SequenceTerminationPolicyType;
import org.apache.cxf.ws.rm.manager.SourcePolicyType;
import org.apache.cxf.ws.rmp.v200502.RMAssertion;

/** WS-ReliableMessaging as both sides of this test want it: acknowledged at once, never resent. */
final class Reliable {
    private Reliable() {}

    /** A node accepts both versions; its own sequences come out of the callers' offers. */
    static RMFeature onNode() {
        return feature(new SourcePolicyType());
    }

    /**
     * A caller that creates sequences of `version`, "1.0" or "1.1", and terminates one after
     * `length` messages.
     */
    static RMFeature onCaller(String version, int length) {
        SequenceTerminationPolicyType end = new SequenceTerminationPolicyType();
        end.setMaxLength(length);
        end.setTerminateOnShutdown(true);
        SourcePolicyType source = new SourcePolicyType();
        source.setSequenceTerminationPolicy(end);
        RMFeature feature = feature(source);
        boolean first = version.equals("1.0");
        feature.setRMNamespace(first ? RM10Constants.NAMESPACE_URI : RM11Constants.NAMESPACE_URI);
        return feature;
    }

    private static RMFeature feature(SourcePolicyType source) {
        RMFeature feature = new RMFeature();
        RMAssertion.BaseRetransmissionInterval interval =
                new RMAssertion.BaseRetransmissionInterval();
        interval.setMilliseconds(60_000L);
        RMAssertion assertion = new RMAssertion();
        assertion.setBaseRetransmissionInterval(interval);
        feature.setRMAssertion(assertion);

        AcksPolicyType acks = new AcksPolicyType();
        acks.setIntraMessageThreshold(0);
        DestinationPolicyType destination = new DestinationPolicyType();
        destination.setAcksPolicy(acks);
        feature.setDestinationPolicy(destination);

        RetryPolicyType retry = new RetryPolicyType();
        retry.setMaxRetries(0);
        source.setIncludeOffer(true);
        source.setRetryPolicy(retry);
        feature.setSourcePolicy(source);
        return feature;
    }
}
