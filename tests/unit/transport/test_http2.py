"""HTTP/2 as bytes alone. Holds the `h2` library to what the framing needs of it."""

import struct
from typing import Any

import pytest
from framings import HEADERS, cut_anywhere, cut_in_two, fed, mutated, outcome
from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.reference.faults import http2_steps as h2
from probe.transport.framing.base import Body, BodyEnd, Ended, FramingError, Incoming, Raw, Request, Response, Text
from probe.transport.framing.http2 import Http2
from probe.transport.framing.http2_frames import MAX_FRAME_BYTES

CALL = Request("POST", "/a.Service/Method", {"TE": "trailers", "x": "1"}, b"\0\0\0\0\3abc")
SETTINGS = h2.frame(h2.SETTINGS, 0, 0, b"")
HEAD = {":status": "200", "content-type": "application/grpc", "x-a": "1"}


def head(headers: dict[str, str], *, ends: bool = False, stream: int = 1) -> bytes:
    return h2.frame(h2.HEADERS, h2.END_HEADERS | (h2.END_STREAM if ends else 0), stream, h2.head_block(headers))


def data(payload: bytes, *, ends: bool = False, stream: int = 1) -> bytes:
    return h2.frame(h2.DATA, h2.END_STREAM if ends else 0, stream, payload)


PING = h2.frame(h2.PING, 0, 0, bytes(8))
TRAILED = (
    SETTINGS + head(HEAD) + data(b"hello ") + PING + data(b"") + data(b"world") + head({"grpc-status": "0"}, ends=True)
)
AT_ONCE = SETTINGS + head({**HEAD, "grpc-status": "5"}, ends=True)
WITHOUT = SETTINGS + head({":status": "404"}) + data(b"hello world", ends=True)
ANSWERED = Response(200, {"content-type": "application/grpc", "x-a": "1"})
HELLO = Body(b"hello world")
ANSWERS: list[tuple[bytes, list[Incoming]]] = [
    (TRAILED, [ANSWERED, HELLO, BodyEnd({"grpc-status": "0"})]),
    (AT_ONCE, [Response(200, {**ANSWERED.headers, "grpc-status": "5"}), BodyEnd()]),
    (WITHOUT, [Response(404, {}), HELLO, BodyEnd()]),
]
answers = pytest.mark.parametrize(("written", "frames"), ANSWERS, ids=["trailers", "at-once", "no-trailers"])


def opened(url: str = "grpc://me:secret@spark:50051") -> Http2:
    framing = Http2(url, HEADERS)
    assert framing.hello().startswith(b"PRI * HTTP/2.0")
    return framing


def asked(request: Request = CALL) -> Http2:
    framing = opened()
    framing.send(request)
    return framing


def frames(written: bytes) -> list[tuple[int, int, int, bytes]]:
    """Kind, flags, stream and payload of each frame."""
    found = []
    while written:
        size = 9 + int.from_bytes(written[:3], "big")
        found.append((written[3], written[4], int.from_bytes(written[5:9], "big"), written[9:size]))
        written = written[size:]
    return found


def headers_in(block: bytes) -> dict[str, str]:
    return {str(name): str(value) for name, value in Decoder().decode(block)}


@answers
def test_cut_at_every_byte_the_frames_are_the_same(written: bytes, frames: list[Incoming]) -> None:
    for pieces in cut_in_two(written):
        assert fed(asked(), pieces) == frames
    assert fed(asked(), [written[at : at + 1] for at in range(len(written))]) == frames


@answers
@given(of=st.data())
def test_however_it_is_cut_the_frames_are_the_same(of: st.DataObject, written: bytes, frames: list[Incoming]) -> None:
    assert fed(asked(), of.draw(cut_anywhere(written))) == frames


@given(st.sampled_from([TRAILED, AT_ONCE, WITHOUT]).flatmap(mutated))
def test_bytes_that_are_not_right_are_frames_or_a_broken_framing(written: bytes) -> None:
    found = outcome(asked(), [written], eof=True)
    assert all(isinstance(each, Response | Body | BodyEnd | Ended | str) for each in found)
    assert outcome(asked(), [written[at : at + 7] for at in range(0, len(written), 7)], eof=True) == found


def test_a_frame_of_samples_begins_something() -> None:
    assert [each.begins for each in asked().receive(TRAILED) if isinstance(each, Body)] == [True, True]


def test_a_request_is_one_of_http2_with_the_headers_of_the_connection() -> None:
    framing = opened()
    (kind, _, stream, block), (body_kind, flags, _, body) = frames(framing.send(CALL))
    assert (kind, stream, body_kind, flags, body) == (h2.HEADERS, 1, h2.DATA, h2.END_STREAM, CALL.body)
    assert headers_in(block) == HEADERS | {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/a.Service/Method",
        ":authority": "spark:50051",
        "accept-encoding": "identity",
        "authorization": "Basic bWU6c2VjcmV0",
        "user-agent": "voice-probe",
        "te": "trailers",
        "x": "1",
    }


def test_tls_is_in_the_scheme() -> None:
    ((_, _, _, block), *_) = frames(opened("grpcs://spark:443").send(CALL))
    assert headers_in(block)[":scheme"] == "https"


def test_calls_go_after_each_other_on_one_connection() -> None:
    framing = opened()
    for stream in (1, 3, 5):
        with_stream = [head(HEAD, stream=stream), head({"grpc-status": "0"}, ends=True, stream=stream)]
        assert frames(framing.send(CALL))[0][2] == stream
        with pytest.raises(ValueError, match="one request at a time"):
            framing.send(CALL)
        assert fed(framing, [*([SETTINGS] if stream == 1 else []), *with_stream])[-1] == BodyEnd({"grpc-status": "0"})
        assert framing.how_closed() == Ended("closed", "between two requests")
        framing.reply()


def test_a_body_that_the_server_does_not_take_yet_waits_for_it() -> None:
    framing = opened()
    sent = frames(framing.send(replace(CALL, body=bytes(100_000))))
    assert sum(len(payload) for kind, _, _, payload in sent if kind == h2.DATA) == 65_535
    for stream in (0, 1):
        grant = h2.frame(h2.WINDOW_UPDATE, 0, stream, struct.pack(">I", 100_000))
        assert fed(framing, [grant if stream else SETTINGS + grant]) == []
    *more, (kind, flags, _, payload) = frames(framing.reply())
    assert (kind, flags) == (h2.DATA, h2.END_STREAM)
    assert sum(len(each[3]) for each in more if each[0] == h2.DATA) + len(payload) == 100_000 - 65_535


def test_a_request_may_go_on_while_it_is_answered() -> None:
    framing = opened()
    first = frames(framing.send(replace(CALL, body=b"one", ends=False)))
    assert [(kind, flags & h2.END_STREAM, body) for kind, flags, _, body in first[1:]] == [(h2.DATA, 0, b"one")]
    assert fed(framing, [SETTINGS + head(HEAD) + data(b"1")]) == [ANSWERED, Body(b"1")]
    framing.reply()
    assert frames(framing.send(Body(b"two"))) == [(h2.DATA, 0, 1, b"two")]
    assert frames(framing.send(BodyEnd())) == [(h2.DATA, h2.END_STREAM, 1, b"")]
    assert fed(framing, [head({"grpc-status": "0"}, ends=True)]) == [BodyEnd({"grpc-status": "0"})]
    assert framing.send(Body(b"three")) == framing.send(BodyEnd()) == b""


def test_a_request_that_goes_on_waits_for_the_server_too() -> None:
    framing = opened()
    framing.send(replace(CALL, body=bytes(70_000), ends=False))
    assert framing.send(Body(b"more")) == framing.send(BodyEnd()) == b""
    grants = [h2.frame(h2.WINDOW_UPDATE, 0, stream, struct.pack(">I", 70_000)) for stream in (0, 1)]
    assert fed(framing, [SETTINGS, *grants]) == []
    sent = [each for each in frames(framing.reply()) if each[0] == h2.DATA]
    assert [flags for _, flags, *_ in sent] == [h2.END_STREAM]
    assert len(sent[0][3]) == 70_000 - 65_535 + len(b"more")


def test_an_answer_that_ends_before_its_request_does_ends_that_too() -> None:
    framing = opened()
    framing.send(replace(CALL, ends=False))
    assert fed(framing, [AT_ONCE])[-1] == BodyEnd()
    assert (h2.RESET, 0, 1, bytes(4)) in frames(framing.reply())
    assert frames(framing.send(CALL))[0][2] == 3


@pytest.mark.parametrize(
    "ending",
    [
        h2.frame(h2.RESET, 0, 1, struct.pack(">I", 7)),
        h2.frame(h2.GOAWAY, 0, 0, struct.pack(">II", 1, 2)),
        head(HEAD, ends=True),
        data(b"no head"),
        b"\xff" * 9,
        b"",
    ],
    ids=["reset", "away", "answer", "broken", "no frame", "goodbye"],
)
def test_a_body_that_the_server_never_takes_is_let_go(ending: bytes) -> None:
    framing = opened()
    assert fed(framing, [h2.frame(h2.SETTINGS, 0, 0, struct.pack(">HI", 4, 0))]) == []
    assert [kind for kind, *_ in frames(framing.send(CALL))] == [h2.SETTINGS, h2.HEADERS]
    assert not ending or outcome(framing, [ending]) != []
    framing.goodbye()
    assert [kind for kind, *_ in frames(framing.reply()) if kind == h2.DATA] == []


def test_a_ping_is_answered() -> None:
    framing = asked()
    assert fed(framing, [SETTINGS + PING]) == []
    assert (h2.PING, h2.ACK, 0, bytes(8)) in frames(framing.reply())


def test_what_was_read_may_come_again() -> None:
    """A server has no reason to wait for us: more than may be on its way, in all, of one answer."""
    framing = asked()
    assert fed(framing, [SETTINGS + head(HEAD)]) == [ANSWERED]
    part = data(bytes(MAX_FRAME_BYTES))
    for _ in range(1100):
        assert len(fed(framing, [part])) == 1
        framing.reply()


@pytest.mark.parametrize(
    ("frame", "how"),
    [
        (h2.frame(h2.RESET, 0, 1, struct.pack(">I", 8)),
         Ended("closed", "in the middle of its response: the stream was reset (CANCEL)")),
        (h2.frame(h2.RESET, 0, 1, struct.pack(">I", 4711)),
         Ended("closed", "in the middle of its response: the stream was reset (an unknown error)")),
        (h2.frame(h2.GOAWAY, 0, 0, struct.pack(">II", 1, 2) + b"out\nof luck"),
         Ended("closed", "in the middle of its response: the server goes away (INTERNAL_ERROR)", "out of luck")),
        (h2.frame(h2.GOAWAY, 0, 0, struct.pack(">II", 0, 0)),
         Ended("closed", "in the middle of its response: the server goes away (NO_ERROR)")),
    ],
)  # fmt: skip
def test_an_answer_may_be_given_up(frame: bytes, how: Ended) -> None:
    assert fed(asked(), [SETTINGS + head(HEAD) + frame]) == [ANSWERED, how]


def test_a_server_that_goes_away_may_end_its_answer_first() -> None:
    away = h2.frame(h2.GOAWAY, 0, 0, struct.pack(">II", 2**31 - 1, 0))
    rest = data(b"hello world") + head({"grpc-status": "0"}, ends=True)
    last = Ended("closed", "after its response, as it announced")
    assert fed(asked(), [SETTINGS + head(HEAD) + away + rest]) == [*ANSWERS[0][1], last]
    idle = Ended("closed", "between two requests: the server goes away (NO_ERROR)")
    assert fed(opened(), [SETTINGS + away]) == [idle]


@pytest.mark.parametrize(
    "written",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        SETTINGS + h2.frame(h2.GOAWAY, 0, 0, b"short"),
        SETTINGS + data(b"x", stream=7),
        SETTINGS + data(b"x"),
        SETTINGS + h2.frame(h2.HEADERS, h2.END_HEADERS, 1, b"\xff" * 20),
        SETTINGS + head({"no-status": "1"}),
        SETTINGS + head({":status": "x"}),
        SETTINGS + h2.frame(h2.HEADERS, 0, 1, b"") + PING,
        SETTINGS + head({":status": "200", "x": "y" * 2**16}),
    ],
)
def test_what_breaks_it(written: bytes) -> None:
    with pytest.raises(FramingError, match="the server broke HTTP/2") as caught:
        fed(asked(), [written])
    assert caught.value.how == "malformed" and caught.value.said.isprintable()


CONTINUATION = 9
STATUS = h2.head_block({":status": "200"})


@pytest.mark.parametrize(
    ("written", "what"),
    [
        # Decoded in one go, these would take half a second for 1 MiB.
        (h2.frame(h2.HEADERS, 0, 1, STATUS) + h2.frame(CONTINUATION, 0, 1, b"\x3f\x01" * 8192), "16 KiB"),
        (h2.frame(h2.HEADERS, 0, 1, STATUS) + h2.frame(CONTINUATION, 0, 1, b"x" * 1000) * 17, "16 KiB"),
        # Each number is kept, and gone through at each frame.
        (b"".join(h2.frame(h2.SETTINGS, 0, 0, struct.pack(">HI", each, 1)) for each in range(9000, 9513)), "settings"),
    ],
)
def test_what_takes_the_library_too_long_is_a_flood(written: bytes, what: str) -> None:
    with pytest.raises(FramingError, match=what) as caught:
        fed(asked(), [SETTINGS + written])
    assert caught.value.how == "flood"


def test_one_head_after_another_may_be_long() -> None:
    long = head({":status": "103", "x": "y" * 10_000})
    assert fed(asked(), [SETTINGS + long * 3 + AT_ONCE.removeprefix(SETTINGS)])[-1] == BodyEnd()


def test_a_head_is_bounded_for_a_server_that_does_not_confirm_it() -> None:
    with pytest.raises(FramingError):
        fed(asked(), [SETTINGS + h2.frame(h2.HEADERS, h2.END_HEADERS, 1, STATUS + b"\0\1a\0" * 600)])


def test_every_frame_counts() -> None:
    framing = asked()
    assert fed(framing, [SETTINGS, PING * 100]) == []
    assert framing.parsed == 101


def test_giving_up_an_answer_is_said() -> None:
    framing = asked()
    assert fed(framing, [SETTINGS + head(HEAD)]) == [ANSWERED]
    framing.reply()
    assert [(kind, payload) for kind, _, _, payload in frames(framing.goodbye())] == [
        (h2.RESET, struct.pack(">I", 8)),
        (h2.GOAWAY, bytes(8)),
    ]
    # What was on its way by then.
    assert fed(framing, [data(b"hello"), head({"grpc-status": "0"}, ends=True)]) == []
    assert framing.reply() == b""
    assert opened().goodbye() == b""


@pytest.mark.parametrize("value", ["secret\r\nX: 1", "secret\0", "sécret…"])
def test_a_header_that_http_does_not_allow_is_an_error_that_does_not_show_it(value: str) -> None:
    with pytest.raises(ValueError, match="can't be sent") as caught:
        opened().send(replace(CALL, headers={"authorization": value}))
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("frame", [Raw(b""), Text(b"")])
def test_it_sends_no_frame_of_another_framing(frame: Any) -> None:
    with pytest.raises(ValueError, match=type(frame).__name__):
        opened().send(frame)
