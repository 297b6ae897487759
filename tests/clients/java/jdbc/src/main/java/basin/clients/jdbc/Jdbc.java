package basin.clients.jdbc;

import basin.clients.common.Target;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/** Connections and rows, as any JDBC program has them. */
final class Jdbc {
    private static final String SCHEME = "jdbc:arrow-flight-sql://";

    private Jdbc() {}

    /** Connects without TLS, with user and password. */
    static Connection connect(Target target) throws SQLException {
        Properties properties = signIn(target);
        properties.put("useEncryption", "false");
        return connect(target.address, properties);
    }

    static Connection connect(String address, Properties properties) throws SQLException {
        return DriverManager.getConnection(SCHEME + address, properties);
    }

    static Properties signIn(Target target) {
        Properties properties = new Properties();
        properties.put("user", target.user);
        properties.put("password", target.password);
        return properties;
    }

    /** The rows of a query, as lists of what getObject gives. */
    static List<List<Object>> rows(Connection connection, String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) {
                statement.setObject(i + 1, parameters[i]);
            }
            try (ResultSet result = statement.executeQuery()) {
                return rows(result);
            }
        }
    }

    static List<List<Object>> rows(ResultSet result) throws SQLException {
        List<List<Object>> rows = new ArrayList<>();
        int columns = result.getMetaData().getColumnCount();
        while (result.next()) {
            List<Object> row = new ArrayList<>();
            for (int column = 1; column <= columns; column++) {
                row.add(result.getObject(column));
            }
            rows.add(row);
        }
        return rows;
    }

    /** The rows of a metadata call by the names of their columns; closes the result. */
    static List<Map<String, Object>> records(ResultSet result) throws SQLException {
        try (result) {
            List<Map<String, Object>> records = new ArrayList<>();
            ResultSetMetaData metadata = result.getMetaData();
            while (result.next()) {
                Map<String, Object> record = new LinkedHashMap<>();
                for (int column = 1; column <= metadata.getColumnCount(); column++) {
                    record.put(metadata.getColumnName(column), result.getObject(column));
                }
                records.add(record);
            }
            return records;
        }
    }

    /** One column of a metadata call, as text. */
    static List<String> column(ResultSet result, String name) throws SQLException {
        return records(result).stream().map(record -> String.valueOf(record.get(name))).toList();
    }

    static void update(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate(sql);
        }
    }
}
