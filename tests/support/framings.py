"""A framing and the bytes that it is given, without a socket."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from hypothesis import strategies as st

from probe.reference.faults import wire
from probe.transport.framing.base import Body, Framing, FramingError, Incoming
from probe.transport.framing.http1 import Http1
from probe.transport.framing.websocket import WebSocket

HEADERS = {"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}


def websocket(url: str = "ws://someone.example:8001/ws?key=1") -> tuple[WebSocket, bytes]:
    """A WebSocket's framing that has said hello, and the answer that opens it."""
    framing = WebSocket(url, HEADERS)
    asked = wire.request_headers(framing.hello())
    return framing, wire.upgrade_response(asked["sec-websocket-key"])


def opened() -> WebSocket:
    framing, answer = websocket()
    assert list(framing.receive(answer)) == []
    assert framing.ready
    return framing


def http1(url: str = "http://someone.example:8000/v1") -> Http1:
    return Http1(url, HEADERS)


def fed(framing: Framing, pieces: Iterable[bytes], *, eof: bool = False) -> list[Incoming]:
    """The result, body by body in one piece: how a body is cut says nothing. Raises FramingError."""
    return list(_joined(_all(framing, pieces, eof=eof)))


def outcome(framing: Framing, pieces: Iterable[bytes], *, eof: bool = False) -> list[Incoming | str]:
    """As `fed`, but a broken framing is the last of what came: frames before it are delivered anyway."""
    found: list[Incoming | str] = []

    def read() -> Iterator[Incoming]:
        try:
            yield from _all(framing, pieces, eof=eof)
        except FramingError as error:
            broken.append(f"{error}: {error.said}")

    broken: list[str] = []
    found += _joined(read())
    assert all(each.isprintable() for each in broken)
    return found + broken


def cut_in_two(data: bytes) -> Iterator[list[bytes]]:
    """At every byte."""
    for at in range(len(data) + 1):
        yield [piece for piece in (data[:at], data[at:]) if piece]


def cut_anywhere(data: bytes) -> st.SearchStrategy[list[bytes]]:
    places = st.lists(st.integers(0, len(data)), max_size=30).map(sorted)
    return places.map(lambda cuts: _pieces(data, cuts))


def mutated(data: bytes) -> st.SearchStrategy[bytes]:
    """Some of its bytes changed, taken out or put in."""
    change = st.tuples(st.integers(0, len(data) - 1), st.sampled_from(["set", "drop", "add"]), st.binary(max_size=3))
    return st.lists(change, min_size=1, max_size=5).map(lambda changes: _changed(data, changes))


def _all(framing: Framing, pieces: Iterable[bytes], *, eof: bool) -> Iterator[Incoming]:
    for piece in pieces:
        yield from framing.receive(piece)
    if eof:
        yield from framing.receive_eof()


def _joined(frames: Iterable[Incoming]) -> Iterator[Incoming]:
    body: Body | None = None
    for frame in frames:
        if isinstance(frame, Body):
            body = Body((body.data if body else b"") + frame.data)
            continue
        if body is not None:
            yield body
            body = None
        yield frame
    if body is not None:
        yield body


def _pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *cuts, len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


def _changed(data: bytes, changes: Sequence[tuple[int, str, bytes]]) -> bytes:
    changed = bytearray(data)
    for at, how, more in changes:
        place = min(at, len(changed))
        changed[place : place + (0 if how == "add" else 1)] = b"" if how == "drop" else more
    return bytes(changed)
