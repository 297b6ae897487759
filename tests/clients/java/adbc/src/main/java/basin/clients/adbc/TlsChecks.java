package basin.clients.adbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.arrow.adbc.driver.flightsql.FlightSqlConnectionProperties;

/** The column `tls`. */
final class TlsChecks {
    private TlsChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("tls", "the authority's certificate as PEM", () -> queries(target.tlsAddress, withAuthority(target)));
        checks.check("tls", "without the authority's certificate it fails", () ->
                Expect.contains(Expect.fails(() -> queries(target.tlsAddress, Adbc.signIn(target))), "certificat"));
        checks.check("tls", "mTLS with a client certificate", () -> {
            Map<String, Object> options = withAuthority(target);
            FlightSqlConnectionProperties.MTLS_CERT_CHAIN.set(options, stream(target.clientCertificate));
            FlightSqlConnectionProperties.MTLS_PRIVATE_KEY.set(options, stream(target.clientKey));
            queries(target.mtlsAddress, options);
        });
        checks.check("tls", "mTLS without a client certificate fails", () ->
                Expect.fails(() -> queries(target.mtlsAddress, withAuthority(target))));
    }

    private static Map<String, Object> withAuthority(Target target) throws IOException {
        Map<String, Object> options = Adbc.signIn(target);
        FlightSqlConnectionProperties.TLS_ROOT_CERTS.set(options, stream(target.authority));
        return options;
    }

    private static InputStream stream(Path file) throws IOException {
        return new ByteArrayInputStream(Files.readAllBytes(file));
    }

    private static void queries(String address, Map<String, Object> options) throws Exception {
        try (Adbc adbc = new Adbc("grpc+tls://" + address, options)) {
            Expect.equal(adbc.rows("SELECT count(*) FROM ref.province"), List.of(List.of("31")));
        }
    }
}
