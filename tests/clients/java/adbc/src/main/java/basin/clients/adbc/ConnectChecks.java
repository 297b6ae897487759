package basin.clients.adbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.arrow.adbc.core.AdbcDriver;
import org.apache.arrow.adbc.driver.flightsql.FlightSqlConnectionProperties;
import org.apache.arrow.flight.CallHeaders;
import org.apache.arrow.flight.CallStatus;
import org.apache.arrow.flight.FlightClient;
import org.apache.arrow.flight.FlightClientMiddleware;
import org.apache.arrow.flight.Location;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;

/** The column `connect`. */
final class ConnectChecks {
    private static final List<List<Object>> ONE = List.of(List.of("1"));

    private ConnectChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("connect", "user and password", () -> {
            try (Adbc adbc = new Adbc(target)) {
                Expect.equal(adbc.rows("SELECT 1"), ONE);
            }
        });
        checks.check("connect", "a bearer token in a header", () -> {
            try (Adbc adbc = new Adbc("grpc+tcp://" + target.address, header(token(target)))) {
                Expect.equal(adbc.rows("SELECT 1"), ONE);
            }
        });
        checks.check("connect", "a wrong password is refused", () -> {
            Map<String, Object> options = Adbc.signIn(target);
            AdbcDriver.PARAM_PASSWORD.set(options, "wrong");
            String said = Expect.fails(() -> new Adbc("grpc+tcp://" + target.address, options).close());
            Expect.contains(said, "the user name or the password is wrong");
        });
        checks.check("connect", "a forged token is refused", () -> {
            String said = Expect.fails(() -> new Adbc("grpc+tcp://" + target.address, header("Bearer forged")).close());
            Expect.contains(said, "the token has expired or is not valid here");
        });
    }

    private static Map<String, Object> header(String authorization) {
        Map<String, Object> options = new HashMap<>();
        options.put(FlightSqlConnectionProperties.RPC_CALL_HEADER_PREFIX + "authorization", authorization);
        return options;
    }

    /** Signs in as any Flight client does; gives the header that the server answers with. */
    private static String token(Target target) throws Exception {
        String[] address = target.address.split(":");
        AtomicReference<String> header = new AtomicReference<>();
        try (BufferAllocator allocator = new RootAllocator();
                FlightClient client = FlightClient.builder()
                        .allocator(allocator)
                        .location(Location.forGrpcInsecure(address[0], Integer.parseInt(address[1])))
                        .intercept(call -> new Listener(header))
                        .build()) {
            client.authenticateBasicToken(target.user, target.password);
        }
        return header.get();
    }

    private record Listener(AtomicReference<String> header) implements FlightClientMiddleware {
        @Override
        public void onBeforeSendingHeaders(CallHeaders outgoing) {}

        @Override
        public void onHeadersReceived(CallHeaders incoming) {
            if (incoming.containsKey("authorization")) {
                header.set(incoming.get("authorization"));
            }
        }

        @Override
        public void onCallCompleted(CallStatus status) {}
    }
}
