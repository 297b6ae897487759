package basin.clients.jdbc;

import basin.clients.common.Target;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.arrow.driver.jdbc.shaded.org.apache.arrow.flight.CallHeaders;
import org.apache.arrow.driver.jdbc.shaded.org.apache.arrow.flight.CallInfo;
import org.apache.arrow.driver.jdbc.shaded.org.apache.arrow.flight.CallStatus;
import org.apache.arrow.driver.jdbc.shaded.org.apache.arrow.flight.FlightClient;
import org.apache.arrow.driver.jdbc.shaded.org.apache.arrow.flight.FlightClientMiddleware;
import org.apache.arrow.driver.jdbc.shaded.org.apache.arrow.flight.Location;
import org.apache.arrow.driver.jdbc.shaded.org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.driver.jdbc.shaded.org.apache.arrow.memory.RootAllocator;

/** Gets a bearer token from the server, with the Flight client that the driver has inside. */
final class Tokens {
    private Tokens() {}

    static String get(Target target) throws Exception {
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
        return header.get().replaceFirst("^Bearer ", "");
    }

    /** Keeps the header in which Handshake answers with the token. */
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
