package interop;

import java.io.InputStream;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;
import org.apache.cxf.staxutils.StaxUtils;
import org.apache.cxf.ws.policy.WSPolicyFeature;
import org.apache.wss4j.common.ext.WSPasswordCallback;

/**
 * WS-SecureConversation as both sides of this test want it: one key pair, made for this run, signs
 * the bootstrap of everybody; after it comes a token that one node issued and holds in memory.
 */
final class Secure {
    private static final String PASSWORD = "changeit";

    private Secure() {}

    /** The policy of secure.xml. */
    static WSPolicyFeature policy() throws Exception {
        try (InputStream text = Secure.class.getResourceAsStream("/secure.xml")) {
            WSPolicyFeature feature = new WSPolicyFeature();
            feature.setPolicyElements(List.of(StaxUtils.read(text).getDocumentElement()));
            return feature;
        }
    }

    /** What the bootstrap needs, for the properties of an endpoint or a request context. */
    static Map<String, Object> properties(Path keys) {
        Properties crypto = new Properties();
        crypto.put("org.apache.wss4j.crypto.provider", "org.apache.wss4j.common.crypto.Merlin");
        crypto.put("org.apache.wss4j.crypto.merlin.keystore.type", "pkcs12");
        crypto.put("org.apache.wss4j.crypto.merlin.keystore.password", PASSWORD);
        crypto.put("org.apache.wss4j.crypto.merlin.keystore.alias", "all");
        crypto.put("org.apache.wss4j.crypto.merlin.keystore.file", keys.toString());
        CallbackHandler passwords =
                callbacks -> {
                    for (Callback one : callbacks) {
                        ((WSPasswordCallback) one).setPassword(PASSWORD);
                    }
                };
        Map<String, Object> all = new HashMap<>();
        for (String of : List.of("", ".sct")) {
            all.put("ws-security.signature.properties" + of, crypto);
            all.put("ws-security.encryption.properties" + of, crypto);
            all.put("ws-security.signature.username" + of, "all");
            all.put("ws-security.encryption.username" + of, "all");
            all.put("ws-security.callback-handler" + of, passwords);
        }
        return all;
    }
}
