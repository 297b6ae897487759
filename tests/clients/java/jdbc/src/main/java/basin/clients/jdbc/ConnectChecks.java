package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.sql.Connection;
import java.sql.DriverManager;
import java.util.List;
import java.util.Properties;

/** The column `connect`. */
final class ConnectChecks {
    private static final List<List<Object>> ONE = List.of(List.of(1L));

    private ConnectChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("connect", "user and password", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                Expect.equal(Jdbc.rows(connection, "SELECT 1"), ONE);
                Expect.that(connection.isValid(5), "isValid says no");
            }
        });
        checks.check("connect", "user and password in the URL", () -> {
            String url = "jdbc:arrow-flight-sql://%s/?useEncryption=false&user=%s&password=%s";
            String password = target.password.replace(" ", "%20");
            try (Connection connection = DriverManager.getConnection(url.formatted(target.address, target.user, password))) {
                Expect.equal(Jdbc.rows(connection, "SELECT 1"), ONE);
            }
        });
        checks.check("connect", "a bearer token", () -> {
            try (Connection connection = Jdbc.connect(target.address, token(Tokens.get(target)))) {
                Expect.equal(Jdbc.rows(connection, "SELECT 1"), ONE);
            }
        });
        checks.check("connect", "a wrong password is refused", () -> {
            Properties properties = Jdbc.signIn(target);
            properties.put("password", "wrong");
            properties.put("useEncryption", "false");
            String said = Expect.fails(() -> Jdbc.connect(target.address, properties).close());
            Expect.contains(said, "the user name or the password is wrong");
        });
        checks.check("connect", "a forged token is refused", () -> {
            String said = Expect.fails(() -> Jdbc.connect(target.address, token("forged")).close());
            Expect.contains(said, "the token has expired or is not valid here");
        });
        checks.check("connect", "the property catalog, which sets a session option", () -> {
            Properties properties = Jdbc.signIn(target);
            properties.put("useEncryption", "false");
            properties.put("catalog", "basin");
            Connection connection = Jdbc.connect(target.address, properties);
            Expect.equal(Jdbc.rows(connection, "SELECT 1"), ONE);
            // ArrowFlightConnection.close() closes its client twice; the second time it asks to close the session once more.
            String said = Expect.fails(connection::close);
            Expect.contains(said, "Channel shutdown invoked");
        });
        checks.check("connect", "properties that the driver does not know become headers", () -> {
            Properties properties = Jdbc.signIn(target);
            properties.put("useEncryption", "false");
            properties.put("x-basin-as-of", "no moment");
            try (Connection connection = Jdbc.connect(target.address, properties)) {
                Expect.contains(Expect.fails(() -> Jdbc.rows(connection, "SELECT 1")), "x-basin-as-of");
            }
        });
    }

    private static Properties token(String token) {
        Properties properties = new Properties();
        properties.put("token", token);
        properties.put("useEncryption", "false");
        return properties;
    }
}
