"""WebSocket as bytes alone. Holds the `websockets` library to what the framing needs of it."""

from base64 import b64decode
from typing import Any

import pytest
from framings import HEADERS, cut_anywhere, cut_in_two, fed, mutated, opened, outcome, websocket
from hypothesis import given
from hypothesis import strategies as st

from probe.reference.faults import wire
from probe.transport.framing.base import MAX_SAID, Binary, Ended, FramingError, Raw, Request, Text
from probe.transport.framing.websocket import MAX_MESSAGE_BYTES, MAX_TEXT_BYTES, WebSocket

FRAGMENTS = b"\x02\x02ab" + wire.frame(wire.PING, b"?") + b"\x00\x00" + b"\x80\x02cd"
SPOKEN = (
    wire.frame(wire.TEXT, b"one") + FRAGMENTS + wire.frame(wire.BINARY, bytes(200)) + wire.frame(wire.TEXT, b"\xc3\x28")
)
FRAMES = [Text(b"one"), Binary(b"abcd"), Binary(bytes(200)), Text(b"\xc3\x28")]
GOODBYE = wire.frame(wire.CLOSE, wire.close_payload(1011, "out of\nmemory"))
ENDED = Ended("closed", "close frame 1011 (internal error)", "out of memory")
WRONG_KEY = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: AAA=\r\n\r\n"
)
REFUSAL = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3000\r\nLocation: /a\r\nLocation: /b\r\n\r\n" + b"x" * 3000
WITHOUT_LENGTH = b"HTTP/1.1 503 Busy\r\n\r\nlater"


def sent(data: bytes) -> list[tuple[int, bytes]]:
    """The client's frames: opcode and payload, unmasked."""
    found = []
    while data:
        assert data[1] & 0x80, "a client masks"
        size = data[1] & 0x7F
        assert size < 126
        found.append((data[0] & 0x0F, wire.unmask(data[6 : 6 + size], data[2:6])))
        data = data[6 + size :]
    return found


def test_the_handshake_carries_our_headers_and_offers_nothing() -> None:
    head = WebSocket("ws://me:secret@host.example:8001/ws?key=1", HEADERS).hello()
    headers = wire.request_headers(head)
    assert head.startswith(b"GET /ws?key=1 HTTP/1.1\r\n")
    assert headers["host"] == "host.example:8001"
    assert headers["traceparent"] == HEADERS["traceparent"]
    assert b64decode(headers["authorization"].removeprefix("Basic ")) == b"me:secret"
    assert not {"sec-websocket-extensions", "sec-websocket-protocol"} & set(headers)


def test_a_header_of_ours_takes_the_place_of_the_usual_one() -> None:
    head = WebSocket("ws://me:secret@host.example/", {"authorization": "Bearer x", "User-Agent": "me"}).hello()
    assert head.lower().count(b"authorization:") == head.lower().count(b"user-agent:") == 1
    assert wire.request_headers(head)["authorization"] == "Bearer x"


@pytest.mark.parametrize("url", ["http://host/", "ws:///path", "ws://secret@host/", "ws://host/#secret"])
def test_a_url_that_is_no_websocket_is_an_error_that_does_not_show_it(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        WebSocket(url, {})
    assert "secret" not in str(caught.value) and url not in str(caught.value)


def test_cut_at_every_byte_the_frames_are_the_same() -> None:
    # A fresh key each time, but of the same length.
    size = len(websocket()[1] + SPOKEN + GOODBYE)
    for at in range(size + 1):
        framing, answer = websocket()
        data = answer + SPOKEN + GOODBYE
        assert fed(framing, [data[:at], data[at:]]) == [*FRAMES, ENDED]


@given(data=st.data())
def test_however_it_is_cut_the_frames_are_the_same(data: st.DataObject) -> None:
    framing, answer = websocket()
    assert fed(framing, data.draw(cut_anywhere(answer + SPOKEN + GOODBYE))) == [*FRAMES, ENDED]


@given(data=mutated(SPOKEN + GOODBYE))
def test_bytes_that_are_not_right_are_frames_or_a_broken_framing(data: bytes) -> None:
    whole = outcome(opened(), [data])
    assert all(isinstance(each, Text | Binary | Ended | str) for each in whole)
    assert outcome(opened(), [data[at : at + 1] for at in range(len(data))]) == whole


@given(data=st.data())
def test_a_handshake_that_is_not_right_opens_or_is_refused_or_breaks(data: st.DataObject) -> None:
    framing, answer = websocket()
    found = outcome(framing, [data.draw(mutated(answer + SPOKEN))], eof=True)
    assert all(isinstance(each, Text | Binary | Ended | str) for each in found)
    assert framing.ready or not any(isinstance(each, Text | Binary | Ended) for each in found)


def test_a_ping_is_answered_and_is_no_frame() -> None:
    framing = opened()
    assert fed(framing, [wire.frame(wire.PING, b"there?")]) == []
    assert sent(framing.reply()) == [(wire.PONG, b"there?")]
    assert framing.reply() == b""


def test_whatever_takes_time_to_parse_counts() -> None:
    framing = opened()
    before = framing.parsed
    fed(framing, [FRAGMENTS, wire.frame(wire.PONG, b""), GOODBYE])
    assert framing.parsed - before == 6


def test_a_close_frame_is_the_end_and_is_answered() -> None:
    framing = opened()
    assert fed(framing, [GOODBYE + wire.frame(wire.TEXT, b"and")]) == [ENDED]
    assert sent(framing.reply()) == [(wire.CLOSE, wire.close_payload(1011, "out of\nmemory"))]
    assert framing.goodbye() == b""


def test_an_end_without_a_close_frame_is_named_so() -> None:
    framing = opened()
    assert fed(framing, [SPOKEN[:-1]], eof=True) == FRAMES[:-1]
    assert framing.how_closed() == Ended("closed", "without a close frame")


def test_our_goodbye_is_a_close_frame_once() -> None:
    framing = opened()
    assert sent(framing.goodbye()) == [(wire.CLOSE, wire.close_payload(1000, ""))]
    assert framing.goodbye() == b""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x83\x00", "opcode"),
        (b"\xc1\x00", "reserved"),
        (b"\x81\x81abcd!", "masking"),
        (b"\x80\x00", "continuation"),
        (b"\x01\x00\x81\x00", "continuation"),
        (wire.frame(wire.CLOSE, b"\x03"), "close frame"),
        (wire.frame(wire.CLOSE, b"\x03\xe8\xff"), "utf-8"),
    ],
)
def test_what_breaks_the_protocol_is_named_after_the_frames_before_it(data: bytes, said: str) -> None:
    found = outcome(opened(), [SPOKEN + data])
    assert found[:-1] == FRAMES
    assert isinstance(found[-1], str)
    assert found[-1].startswith("the server broke the WebSocket protocol: ") and said in found[-1].lower()


@pytest.mark.parametrize(
    ("data", "of"),
    [
        (wire.header(wire.BINARY, MAX_MESSAGE_BYTES + 1), "a message of more than 4 MiB"),
        (b"\x02\x01a" + b"\x80\x7f" + MAX_MESSAGE_BYTES.to_bytes(8), "a message of more than 4 MiB"),
        (wire.frame(wire.TEXT, bytes(MAX_TEXT_BYTES + 1)), "a text message of more than 64 KiB"),
        (
            b"\x01\x01a" + b"\x80\x7f" + MAX_TEXT_BYTES.to_bytes(8) + bytes(MAX_TEXT_BYTES),
            "a text message of more than 64 KiB",
        ),
    ],
    ids=["binary", "fragments", "text", "text fragments"],
)
def test_more_than_any_message_has_is_a_flood(data: bytes, of: str) -> None:
    framing = opened()
    frames = iter(framing.receive(SPOKEN + data))
    assert [next(frames) for _ in FRAMES] == FRAMES
    with pytest.raises(FramingError, match=of) as caught:
        next(frames)
    assert caught.value.how == "flood"


def test_the_largest_text_is_one() -> None:
    assert fed(opened(), [wire.frame(wire.TEXT, b"a" * MAX_TEXT_BYTES)]) == [Text(b"a" * MAX_TEXT_BYTES)]


def test_the_largest_message_is_one() -> None:
    half = MAX_MESSAGE_BYTES // 2
    parts = b"\x02\x7f" + half.to_bytes(8) + bytes(half) + b"\x80\x7f" + half.to_bytes(8) + bytes(half)
    (frame,) = fed(opened(), [parts])
    assert isinstance(frame, Binary) and len(frame.data) == MAX_MESSAGE_BYTES


@pytest.mark.parametrize("pieces", [[REFUSAL], *list(cut_in_two(REFUSAL))[10:80:7]])
def test_a_refusal_is_kept_with_the_beginning_of_its_body(pieces: list[bytes]) -> None:
    framing, _ = websocket()
    assert fed(framing, pieces) == []
    assert framing.refusal is not None and not framing.ready
    assert (framing.refusal.status, framing.refusal.body) == (404, b"x" * 1024)
    assert framing.refusal.headers["location"] == "/a"


def test_a_refusal_without_a_length_is_complete_at_the_end() -> None:
    framing, _ = websocket()
    assert fed(framing, [WITHOUT_LENGTH]) == [] and framing.refusal is None
    assert list(framing.receive_eof()) == []
    assert framing.refusal is not None and framing.refusal.body == b"later"


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9\r\n", WRONG_KEY, b"HTTP/1.1 101 " + b"x" * 20_000])
def test_an_answer_that_is_no_websocket_breaks_the_framing(answer: bytes) -> None:
    framing, _ = websocket()
    with pytest.raises(FramingError, match=r"^the answer to the handshake is none$") as caught:
        fed(framing, [answer])
    assert 0 < len(caught.value.said) <= MAX_SAID + 1 and caught.value.said.isprintable()
    assert not framing.ready


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Switching"])
def test_an_end_amid_the_handshake_is_neither(answer: bytes) -> None:
    framing, _ = websocket()
    assert fed(framing, [answer], eof=True) == []
    assert not framing.ready and framing.refusal is None


def test_what_is_sent_is_masked_and_whole() -> None:
    framing = opened()
    written = framing.send(Text(b"{}")) + framing.send(Binary(b"\x01"))
    assert sent(written) == [(wire.TEXT, b"{}"), (wire.BINARY, b"\x01")]


@pytest.mark.parametrize("frame", [Raw(b""), Request("GET", "/")])
def test_it_sends_no_frame_of_another_framing(frame: Any) -> None:
    with pytest.raises(ValueError, match=type(frame).__name__):
        opened().send(frame)
