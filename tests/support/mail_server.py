"""A mail server that takes everything, as far as a client that wants neither TLS nor a password needs one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread


@dataclass
class Mailbox:
    """What came, oldest first. `address` is the server's."""

    address: str
    messages: list[EmailMessage] = field(default_factory=list)


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    class Handler(StreamRequestHandler):
        timeout = 10

        def handle(self) -> None:
            self._answer("220 here")
            while request := self.rfile.readline().strip().upper():
                if request == b"DATA":
                    self._answer("354 go on")
                    text = b"".join(iter(self.rfile.readline, b".\r\n"))
                    box.messages.append(message_from_bytes(text, policy=policy.default))
                self._answer("221 bye" if request == b"QUIT" else "250 good")

        def _answer(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        box = Mailbox(f"127.0.0.1:{server.server_address[1]}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join(10)
