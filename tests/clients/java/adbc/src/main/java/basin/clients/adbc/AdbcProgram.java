package basin.clients.adbc;

import basin.clients.common.Checks;
import basin.clients.common.Target;
import basin.clients.common.TypeChecks;
import java.io.InputStream;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;

/** Checks Basin through ADBC's driver for Java. An argument runs only the checks that contain it. */
public final class AdbcProgram {
    private static final String POM = "/META-INF/maven/org.apache.arrow.adbc/adbc-driver-flight-sql/pom.properties";

    private AdbcProgram() {}

    public static void main(String[] arguments) throws Exception {
        Target target = new Target();
        Checks checks = new Checks(arguments);
        Properties pom = new Properties();
        try (InputStream file = AdbcProgram.class.getResourceAsStream(POM)) {
            pom.load(file);
        }
        checks.version("adbc-driver-flight-sql " + pom.getProperty("version"));
        ConnectChecks.run(checks, target);
        MetadataChecks.run(checks, target);
        QueryChecks.run(checks, target);
        TypeChecks.run(checks, target, Map.of(), entry -> {
            try (Adbc adbc = new Adbc(target)) {
                return adbc.rows(entry.query()).stream().map(row -> row.get(0)).collect(Collectors.toList());
            }
        });
        LargeChecks.run(checks, target);
        TlsChecks.run(checks, target);
        LimitChecks.run(checks, target);
        checks.finish();
    }
}
