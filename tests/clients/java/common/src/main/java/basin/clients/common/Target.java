package basin.clients.common;

import java.nio.file.Path;
import java.util.Map;

/** The servers, the user and the files that the environment names. */
public final class Target {
    public final String address = variable("BASIN_ADDRESS");
    public final String tlsAddress = variable("BASIN_TLS_ADDRESS");
    public final String mtlsAddress = variable("BASIN_MTLS_ADDRESS");
    public final Path authority = Path.of(variable("BASIN_CA"));
    public final Path clientCertificate = Path.of(variable("BASIN_CLIENT_CERT"));
    public final Path clientKey = Path.of(variable("BASIN_CLIENT_KEY"));
    public final String user = variable("BASIN_USER");
    public final String password = variable("BASIN_PASSWORD");
    public final Path types = Path.of(variable("BASIN_TYPES"));

    /** The schema that the user may write in. */
    public String sandbox() {
        return "sandbox_" + user;
    }

    private static String variable(String name) {
        Map<String, String> environment = System.getenv();
        if (!environment.containsKey(name)) {
            throw new IllegalStateException(name + " is not set: see tests/clients/README.md");
        }
        return environment.get(name);
    }
}
