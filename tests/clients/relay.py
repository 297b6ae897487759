"""A relay between a client and a server that counts the bytes which the client is sent."""

import socket
import threading
from types import TracebackType


class Relay:
    """Listens on a port of its own while it is entered."""

    def __init__(self, server: str):
        host, _, port = server.rpartition(":")
        self.server = (host, int(port))
        self.received = 0

    def __enter__(self) -> "Relay":
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.listener.close()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # closed
                return
            server = socket.create_connection(self.server)
            threading.Thread(target=self.copy, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.copy, args=(server, client, True), daemon=True).start()

    def copy(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
                self.received += counted * len(data)
        except OSError:  # one of the two is gone, and so is the other then
            pass
        for end in (source, sink):
            end.close()
