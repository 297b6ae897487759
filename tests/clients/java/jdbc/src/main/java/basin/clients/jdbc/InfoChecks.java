package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.ResultSet;
import java.sql.Types;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The column `info`: what DatabaseMetaData tells of the server. */
final class InfoChecks {
    /** Getters without arguments that the driver never answers, and why. */
    private static final Map<String, String> UNANSWERED = Map.of();

    private InfoChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("info", "the names and versions of server and driver", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                DatabaseMetaData info = connection.getMetaData();
                Expect.equal(info.getDatabaseProductName(), "Basin");
                Expect.that(info.getDatabaseProductVersion().matches("\\d+\\.\\d+\\.\\d+.*"), info.getDatabaseProductVersion());
                Expect.contains(info.getDriverName(), "Arrow Flight SQL JDBC Driver");
                Expect.that(info.getDriverVersion().matches("\\d+\\.\\d+.*"), info.getDriverVersion());
                Expect.equal(info.getUserName(), target.user);
            }
        });
        checks.check("info", "what the server can do", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                DatabaseMetaData info = connection.getMetaData();
                Expect.equal(info.getIdentifierQuoteString(), "\"");
                Expect.equal(info.getSchemaTerm(), "schema");
                Expect.equal(info.getSearchStringEscape(), "\\");
                Expect.equal(info.isReadOnly(), false);
                Expect.equal(info.supportsTransactions(), false);
                Expect.equal(info.supportsFullOuterJoins(), true);
                Expect.equal(info.supportsUnionAll(), true);
                Expect.equal(info.supportsSubqueriesInExists(), true);
                Expect.equal(info.supportsResultSetType(ResultSet.TYPE_FORWARD_ONLY), true);
                Expect.equal(info.supportsTransactionIsolationLevel(Connection.TRANSACTION_NONE), true);
                Expect.contains(List.of(info.getStringFunctions().split(", ")), "upper", "lower");
                Expect.contains(List.of(info.getNumericFunctions().split(", ")), "abs", "round");
            }
        });
        checks.check("info", "what casts there are", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                DatabaseMetaData info = connection.getMetaData();
                Expect.equal(info.supportsConvert(), true);
                Expect.equal(info.supportsConvert(Types.VARCHAR, Types.DATE), true);
                Expect.equal(info.supportsConvert(Types.DATE, Types.BIGINT), false);
            }
        });
        checks.check("info", "every getter of DatabaseMetaData without arguments", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                everyGetter(connection.getMetaData());
            }
        });
    }

    private static void everyGetter(DatabaseMetaData info) throws IllegalAccessException {
        List<String> wrong = new ArrayList<>();
        for (Method method : DatabaseMetaData.class.getMethods()) {
            if (method.getParameterCount() > 0) {
                continue;
            }
            boolean expected = !UNANSWERED.containsKey(method.getName());
            try {
                Object answer = method.invoke(info);
                if (answer instanceof ResultSet rows) {
                    Jdbc.records(rows);
                }
                if (!expected) {
                    wrong.add(method.getName() + " is answered now: " + answer);
                }
            } catch (InvocationTargetException error) {
                if (expected) {
                    wrong.add(method.getName() + ": " + Expect.messages(error.getCause()).strip());
                }
            } catch (java.sql.SQLException error) {
                wrong.add(method.getName() + ": its rows can't be read: " + Expect.messages(error).strip());
            }
        }
        Expect.that(wrong.isEmpty(), String.join("\n", wrong));
    }
}
