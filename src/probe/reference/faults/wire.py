"""WebSocket framing for the scripted servers, by hand: a library would not let them break the rules.

Bytes in and bytes out (RFC 6455, server side, no extensions); nothing here waits for anything but its reader.
"""

import asyncio
import base64
import hashlib

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KINDS = {TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}

_FINAL = 0x80
_MASKED = 0x80
_ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TWO_BYTES, _EIGHT_BYTES = 126, 127  # lengths that say where the real length is


def frame(opcode: int, payload: bytes) -> bytes:
    """Encode one final, unmasked frame."""
    return header(opcode, len(payload)) + payload


def header(opcode: int, length: int) -> bytes:
    """Encode a header alone, so that a script can promise more than it sends."""
    first = bytes([_FINAL | opcode])
    if length < _TWO_BYTES:
        return first + bytes([length])
    if length < 1 << 16:
        return first + bytes([_TWO_BYTES]) + length.to_bytes(2)
    return first + bytes([_EIGHT_BYTES]) + length.to_bytes(8)


def close_payload(code: int, reason: str) -> bytes:
    return code.to_bytes(2) + reason.encode()


async def read_message(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return opcode and payload of the next message or control frame; the parts of a fragmented message are joined.

    Raises asyncio.IncompleteReadError when the peer is gone.
    """
    first_opcode, parts = CONTINUATION, b""
    while True:
        head, length = await reader.readexactly(2)
        if length & ~_MASKED == _TWO_BYTES:
            size = int.from_bytes(await reader.readexactly(2))
        elif length & ~_MASKED == _EIGHT_BYTES:
            size = int.from_bytes(await reader.readexactly(8))
        else:
            size = length & ~_MASKED
        key = await reader.readexactly(4) if length & _MASKED else b"\0\0\0\0"
        payload = unmask(await reader.readexactly(size), key)
        opcode = head & 0x0F
        if opcode in (CLOSE, PING, PONG):
            return opcode, payload
        first_opcode, parts = first_opcode or opcode, parts + payload
        if head & _FINAL:
            return first_opcode, parts


def unmask(payload: bytes, key: bytes) -> bytes:
    repeated = (key * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(len(payload))


def request_path(head: bytes) -> str:
    """Return the path of an HTTP request, without its query; empty when the first line is not one."""
    words = head.split(b"\r\n", 1)[0].split()
    return words[1].split(b"?")[0].decode("latin-1") if len(words) > 1 else ""


def request_headers(head: bytes) -> dict[str, str]:
    """Return the headers of an HTTP request, names in lower case."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def upgrade_response(key: str) -> bytes:
    """Make the answer that turns an HTTP connection into a WebSocket."""
    digest = hashlib.sha1(key.encode() + _ACCEPT_SUFFIX, usedforsecurity=False).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


def http_response(status: int, body: bytes) -> bytes:
    """Make a response with a JSON body, after which the connection ends."""
    lines = (
        f"HTTP/1.1 {status} Scripted",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + body
