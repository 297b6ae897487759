package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Target;
import basin.clients.common.TypeChecks;
import java.sql.Connection;

/** Checks Basin through the JDBC driver for Flight SQL. An argument runs only the checks that contain it. */
public final class JdbcProgram {
    private JdbcProgram() {}

    public static void main(String[] arguments) throws Exception {
        Target target = new Target();
        Checks checks = new Checks(arguments);
        try (Connection connection = Jdbc.connect(target)) {
            checks.version("flight-sql-jdbc-driver " + connection.getMetaData().getDriverVersion());
        }
        ConnectChecks.run(checks, target);
        InfoChecks.run(checks, target);
        MetadataChecks.run(checks, target);
        KeyChecks.run(checks, target);
        QueryChecks.run(checks, target);
        ParameterChecks.run(checks, target);
        SandboxChecks.run(checks, target);
        TypeChecks.run(checks, target, TypeLimits.ALL, entry -> TypeReader.read(target, entry));
        GetterChecks.run(checks, target);
        LargeChecks.run(checks, target);
        CancelChecks.run(checks, target);
        ErrorChecks.run(checks, target);
        TlsChecks.run(checks, target);
        LimitChecks.run(checks, target);
        checks.finish();
    }
}
