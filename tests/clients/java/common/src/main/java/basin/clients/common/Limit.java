package basin.clients.common;

import java.util.function.UnaryOperator;

/** What a client makes of a type that it can't hold: why, and what arrives for a canonical text. */
public record Limit(String reason, UnaryOperator<Object> arrives) {}
