"""Coverage-guided: any bytes, decoded as a frame of either server, are an event and never an exception.

make fuzz
"""

import base64
import hashlib
import re
import sys
from collections.abc import Iterable

import atheris

with atheris.instrument_imports(include=["probe"]):
    from probe.protocols.llama_chunked import codec as chunked
    from probe.protocols.llama_chunked.codec import LlamaChunked
    from probe.protocols.llama_slots import slots_at_work
    from probe.protocols.magpie import codec as magpie
    from probe.protocols.magpie.codec import MagpieTts
    from probe.transport.framing.base import Binary, FramingError, Text
    from probe.transport.framing.websocket import WebSocket

STREAM, CONNECTION = "s", b"\x02"
LLM, TTS = LlamaChunked(), MagpieTts()


def one_frame(data: bytes) -> None:
    """The first byte says how the frame came, or that what follows it are the bytes of a whole connection."""
    if data[:1] == CONNECTION:
        one_connection(data[1:])
        return
    binary, frame = data[:1] == b"\x01", data[1:]
    for event in (LLM.decode(frame, binary=binary, stream_id=STREAM), TTS.decode(frame, binary=binary)):
        for name in ("content", "text", "reason", "message", "detail", "said"):
            text = getattr(event, name, None)
            if text is not None:
                text.encode()
    for number in (chunked.users(frame), slots_at_work(frame)):
        if number is not None and number < 0:
            raise AssertionError(f"{number} users")
    for voice in magpie.voices(frame) or ():
        voice.encode()


def one_connection(data: bytes) -> None:
    """What a server writes after the handshake, in one piece and in many: no more messages than bytes, and the same."""
    whole, pieces = messages([data]), messages(data[at : at + 7] for at in range(0, len(data), 7))
    if whole != pieces:
        raise AssertionError(f"{whole} in one piece, {pieces} in many")


def messages(pieces: Iterable[bytes]) -> list[object]:
    """The result, up to what breaks the framing."""
    framing = WebSocket("ws://h/ws", {})
    found: list[object] = list(framing.receive(opening(framing.hello())))
    try:
        for piece in pieces:
            # One by one: those before what breaks the framing count.
            found.extend(each for each in framing.receive(piece) if isinstance(each, Text | Binary))
            framing.reply()
        list(framing.receive_eof())
    except FramingError as error:
        found.append(error.how)
        if not f"{error}{error.said}".isprintable():
            raise AssertionError(f"not printable: {error!r}") from error
    ended = framing.how_closed()
    if not f"{ended.detail}{ended.said}".isprintable():
        raise AssertionError(f"not printable: {ended!r}")
    return found


def opening(hello: bytes) -> bytes:
    """The server's part of the handshake."""
    key = re.search(rb"Sec-WebSocket-Key: (\S+)", hello)
    if key is None:
        raise AssertionError(f"no key: {hello!r}")
    accept = base64.b64encode(hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # noqa: S324
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_frame)
    atheris.Fuzz()
