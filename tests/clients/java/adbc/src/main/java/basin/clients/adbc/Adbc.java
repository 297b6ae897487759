package basin.clients.adbc;

import basin.clients.common.Target;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.arrow.adbc.core.AdbcConnection;
import org.apache.arrow.adbc.core.AdbcDatabase;
import org.apache.arrow.adbc.core.AdbcDriver;
import org.apache.arrow.adbc.core.AdbcStatement;
import org.apache.arrow.adbc.driver.flightsql.FlightSqlDriver;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.ipc.ArrowReader;

/** A connection of ADBC with what must be closed after it. */
final class Adbc implements AutoCloseable {
    final BufferAllocator allocator;
    final AdbcConnection connection;
    private final AdbcDatabase database;

    /** Connects without TLS, with user and password. */
    Adbc(Target target) throws Exception {
        this("grpc+tcp://" + target.address, signIn(target));
    }

    Adbc(String uri, Map<String, Object> options) throws Exception {
        Map<String, Object> parameters = new HashMap<>(options);
        AdbcDriver.PARAM_URI.set(parameters, uri);
        allocator = new RootAllocator();
        AdbcDatabase opened = null;
        try {
            opened = new FlightSqlDriver(allocator).open(parameters);
            connection = opened.connect();
        } catch (Exception error) {
            if (opened != null) {
                opened.close();
            }
            throw error;
        }
        database = opened;
    }

    static Map<String, Object> signIn(Target target) {
        Map<String, Object> options = new HashMap<>();
        AdbcDriver.PARAM_USERNAME.set(options, target.user);
        AdbcDriver.PARAM_PASSWORD.set(options, target.password);
        return options;
    }

    /** The rows of a query, as canonical texts. */
    List<List<Object>> rows(String sql) throws Exception {
        try (AdbcStatement statement = connection.createStatement()) {
            statement.setSqlQuery(sql);
            return rows(statement);
        }
    }

    static List<List<Object>> rows(AdbcStatement statement) throws Exception {
        try (AdbcStatement.QueryResult result = statement.executeQuery()) {
            return rows(result.getReader());
        }
    }

    static List<List<Object>> rows(ArrowReader reader) throws Exception {
        List<List<Object>> rows = new ArrayList<>();
        // The readers of metadata are not ready before they are asked for their root.
        reader.getVectorSchemaRoot();
        while (reader.loadNextBatch()) {
            for (int i = 0; i < reader.getVectorSchemaRoot().getRowCount(); i++) {
                List<Object> row = new ArrayList<>();
                for (FieldVector vector : reader.getVectorSchemaRoot().getFieldVectors()) {
                    row.add(ArrowText.of(vector, i));
                }
                rows.add(row);
            }
        }
        return rows;
    }

    long update(String sql) throws Exception {
        try (AdbcStatement statement = connection.createStatement()) {
            statement.setSqlQuery(sql);
            return statement.executeUpdate().getAffectedRows();
        }
    }

    @Override
    public void close() throws Exception {
        connection.close();
        database.close();
        allocator.close();
    }
}
