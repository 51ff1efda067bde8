"""Plain TCP: bytes as they come, for protocols that frame them themselves."""

from collections.abc import Iterator, Mapping

from probe.transport.framing.base import Ended, Incoming, Outgoing, Raw, Refusal


class PlainTcp:
    """No framing. A connection without a handshake has nowhere to put headers: they are left out."""

    def __init__(self, _url: str, _headers: Mapping[str, str]) -> None:
        self.ready = True
        self.refusal: Refusal | None = None
        self.parsed = 0

    def hello(self) -> bytes:
        return b""

    def receive(self, data: bytes) -> Iterator[Incoming]:
        self.parsed += 1
        yield Raw(data)

    def receive_eof(self) -> Iterator[Incoming]:
        return iter(())

    def send(self, frame: Outgoing) -> bytes:
        if not isinstance(frame, Raw):
            raise ValueError(f"plain TCP has no {type(frame).__name__}")  # noqa: TRY004 - as the contract says
        return frame.data

    def reply(self) -> bytes:
        return b""

    def goodbye(self) -> bytes:
        return b""

    def how_closed(self) -> Ended:
        return Ended("closed", "by the server")
