package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Pem;
import basin.clients.common.Target;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Properties;

/** The column `tls`. */
final class TlsChecks {
    private static final String STORE_PASSWORD = "basin-trust";

    private TlsChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("tls", "the authority's certificate as PEM", () -> queries(target.tlsAddress, withAuthority(target)));
        checks.check("tls", "the authority's certificate in a trust store", () -> {
            Properties properties = Jdbc.signIn(target);
            properties.put("trustStore", Pem.trustStore(target.authority, STORE_PASSWORD).toString());
            properties.put("trustStorePassword", STORE_PASSWORD);
            // Else the driver opens the system's trust store, with this password.
            properties.put("useSystemTrustStore", "false");
            queries(target.tlsAddress, properties);
        });
        checks.check("tls", "without the authority's certificate it fails", () -> {
            String said = Expect.fails(() -> queries(target.tlsAddress, Jdbc.signIn(target)));
            Expect.contains(said, "certification path");
        });
        checks.check("tls", "the certificate is taken unseen where the user says so", () -> {
            Properties properties = Jdbc.signIn(target);
            properties.put("disableCertificateVerification", "true");
            queries(target.tlsAddress, properties);
        });
        checks.check("tls", "mTLS with a client certificate", () -> {
            Properties properties = withAuthority(target);
            properties.put("clientCertificate", target.clientCertificate.toString());
            properties.put("clientKey", target.clientKey.toString());
            queries(target.mtlsAddress, properties);
        });
        checks.check("tls", "mTLS without a client certificate fails", () ->
                Expect.fails(() -> queries(target.mtlsAddress, withAuthority(target))));
        checks.check("tls", "plaintext to a TLS port fails", () -> {
            Properties properties = Jdbc.signIn(target);
            properties.put("useEncryption", "false");
            Expect.fails(() -> queries(target.tlsAddress, properties));
        });
    }

    private static Properties withAuthority(Target target) {
        Properties properties = Jdbc.signIn(target);
        properties.put("tlsRootCerts", target.authority.toString());
        return properties;
    }

    private static void queries(String address, Properties properties) throws SQLException {
        try (Connection connection = Jdbc.connect(address, properties)) {
            Expect.equal(Jdbc.rows(connection, "SELECT count(*) FROM ref.province"), List.of(List.of(31L)));
        }
    }
}
