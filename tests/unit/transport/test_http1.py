"""HTTP/1.1 as bytes alone. Holds the `h11` library to what the framing needs of it."""

from base64 import b64decode
from typing import Any

import pytest
from framings import HEADERS, cut_anywhere, cut_in_two, fed, http1, mutated, outcome
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.reference.faults import wire
from probe.transport.framing.base import (
    MAX_SAID,
    Body,
    BodyEnd,
    Ended,
    FramingError,
    Incoming,
    Raw,
    Request,
    Response,
    Text,
)
from probe.transport.framing.http1 import MAX_HEAD_BYTES, MAX_HEAD_LINES, Http1

GET = Request("GET", "/v1/models")
POST = Request("POST", "/v1/chat/completions?x=1", {"Content-Type": "application/json"}, b'{"stream": true}')
CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nx-a: 2\r\n\r\n"
    b"5;ext=1\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nTrailer: 1\r\n\r\n"
)
EVENTS = Response(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", "x-a": "2"})
WITH_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"
TO_THE_END = b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nhello world"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
ANNOUNCED = Ended("closed", "after its response, as it announced")
HELLO = Body(b"hello world")


def asked(request: Request = GET) -> Http1:
    framing = http1()
    framing.send(request)
    return framing


ANSWERS: list[tuple[bytes, bool, list[Incoming]]] = [
    (CHUNKED, False, [EVENTS, HELLO, BodyEnd()]),
    (WITH_LENGTH, False, [Response(200, {"content-length": "11"}), HELLO, BodyEnd()]),
    (TO_THE_END, True, [Response(200, {"server": "old"}), HELLO, BodyEnd(), ANNOUNCED]),
    (EMPTY, False, [Response(204, {}), BodyEnd()]),
    (
        WITH_LENGTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        False,
        [Response(200, {"content-length": "11", "connection": "close"}), HELLO, BodyEnd(), ANNOUNCED],
    ),
]
answers = pytest.mark.parametrize(
    ("data", "eof", "frames"), ANSWERS, ids=["chunked", "length", "to-the-end", "no-body", "last"]
)


@answers
def test_cut_at_every_byte_the_frames_are_the_same(data: bytes, eof: bool, frames: list[Incoming]) -> None:
    for pieces in cut_in_two(data):
        assert fed(asked(), pieces, eof=eof) == frames
    assert fed(asked(), [data[at : at + 1] for at in range(len(data))], eof=eof) == frames


@answers
@given(data_of=st.data())
def test_however_it_is_cut_the_frames_are_the_same(
    data_of: st.DataObject, data: bytes, eof: bool, frames: list[Incoming]
) -> None:
    assert fed(asked(), data_of.draw(cut_anywhere(data)), eof=eof) == frames


@given(data=st.sampled_from([CHUNKED, WITH_LENGTH, TO_THE_END]).flatmap(mutated), eof=st.booleans())
def test_bytes_that_are_not_right_are_frames_or_a_broken_framing(data: bytes, eof: bool) -> None:
    found = outcome(asked(), [data], eof=eof)
    assert all(isinstance(each, Response | Body | BodyEnd | Ended | str) for each in found)
    kinds = [type(each) for each in found]
    assert kinds.count(Response) <= 1 and kinds.count(BodyEnd) <= kinds.count(Response)


@pytest.mark.parametrize("data", [CHUNKED, WITH_LENGTH])
def test_a_body_that_is_cut_short_has_no_end(data: bytes) -> None:
    for at in range(data.index(b"\r\n\r\nh") + 4 if data is WITH_LENGTH else data.index(b"5;ext"), len(data)):
        framing = asked()
        found = fed(framing, [data[:at]], eof=True)
        assert isinstance(found[0], Response) and BodyEnd() not in found
        assert framing.how_closed() == Ended("closed", "in the middle of its response")


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_end_before_the_response_is_named_so(data: bytes) -> None:
    framing = asked()
    assert fed(framing, [data] if data else [], eof=True) == []
    assert framing.how_closed() == Ended("closed", "before its response")


def test_requests_go_after_each_other_on_one_connection() -> None:
    framing = http1()
    for request, data, frames in [(POST, *ANSWERS[0][::2]), (GET, *ANSWERS[1][::2]), (GET, *ANSWERS[3][::2])]:
        written = framing.send(request)
        assert written.startswith(f"{request.method} {request.target} HTTP/1.1\r\n".encode())
        assert fed(framing, [data]) == frames
        assert framing.how_closed() == Ended("closed", "between two requests")
    assert fed(framing, [], eof=True) == []


def test_there_is_one_request_at_a_time() -> None:
    framing = asked()
    with pytest.raises(ValueError, match="one request at a time"):
        framing.send(GET)


@pytest.mark.parametrize("data", [b"HTTP/1.1 408 Request Timeout\r\n\r\n", b"\r\n", b"x"])
def test_an_answer_that_nobody_asked_for_breaks_the_framing(data: bytes) -> None:
    for framing in (http1(), asked()):
        before = WITH_LENGTH if framing.how_closed() == Ended("closed", "before its response") else b""
        with pytest.raises(FramingError, match=r"nobody asked|more than its response"):
            fed(framing, [before + data])


def test_a_request_has_what_http_wants_and_the_headers_of_the_connection() -> None:
    head, _, body = Http1("https://me:secret@[::1]:8443/v1?x=1", HEADERS).send(POST).partition(b"\r\n\r\n")
    headers = wire.request_headers(head)
    assert head.startswith(b"POST /v1/chat/completions?x=1 HTTP/1.1\r\n") and body == POST.body
    assert b64decode(headers.pop("authorization").removeprefix("Basic ")) == b"me:secret"
    assert headers == HEADERS | {
        "host": "[::1]:8443",
        "accept-encoding": "identity",
        "user-agent": "voice-probe",
        "content-type": "application/json",
        "content-length": str(len(POST.body)),
    }


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://spark:80/", "spark"),
        ("https://spark", "spark"),
        ("http://spark:443", "spark:443"),
        ("http://bücher.example/", "xn--bcher-kva.example"),
        ("http://[fe80::1%25eth0]:8080/v1", "[fe80::1]:8080"),
    ],
)
def test_the_host_is_as_http_wants_it(url: str, host: str) -> None:
    assert wire.request_headers(Http1(url, {}).send(GET))["host"] == host


def test_a_request_without_a_body_has_no_length_but_where_one_is_expected() -> None:
    assert b"content-length" not in http1().send(GET).lower()
    assert b"content-length: 0\r\n" in http1().send(replace(POST, body=b"")).lower()


def test_a_header_of_the_request_comes_before_the_connections_and_ours() -> None:
    framing = Http1("http://me:secret@spark/", {"Authorization": "Bearer connection", "User-Agent": "me"})
    headers = wire.request_headers(framing.send(replace(GET, headers={"authorization": "Bearer request"})))
    assert (headers["authorization"], headers["user-agent"]) == ("Bearer request", "me")


def test_a_path_that_is_not_ascii_is_encoded_once() -> None:
    assert http1().send(Request("GET", "/v%201/ü?q=a b")).startswith(b"GET /v%201/%C3%BC?q=a%20b HTTP/1.1\r\n")


@pytest.mark.parametrize("value", ["secret\r\nX: 1", "secret\0", "sécret\u2026"])
def test_a_header_that_http_does_not_allow_is_an_error_that_does_not_show_it(value: str) -> None:
    with pytest.raises(ValueError, match="can't be sent") as caught:
        Http1("http://spark/", {"Authorization": value}).send(GET)
    assert "cret" not in str(caught.value) and caught.value.__suppress_context__


@pytest.mark.parametrize("frame", [Raw(b""), Text(b""), Body(b""), BodyEnd(), replace(POST, ends=False)])
def test_it_sends_no_frame_of_another_framing(frame: Any) -> None:
    with pytest.raises(ValueError, match=type(frame).__name__):
        http1().send(frame)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    ],
)
def test_what_is_no_http_breaks_the_framing(data: bytes) -> None:
    with pytest.raises(FramingError, match=r"^the server broke HTTP$") as caught:
        fed(asked(), [data])
    assert 0 < len(caught.value.said) <= MAX_SAID + 1 and caught.value.said.isprintable()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MAX_HEAD_BYTES + 1), "16 KiB"),
        (b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 600, "512 lines"),
        (b"HTTP/1.1 100 Continue\r\n" + b"a:\r\n" * 600, "512 lines"),
        (CHUNKED.partition(b"5;ext")[0] + b"1;" + b"x" * (MAX_HEAD_BYTES + 1), "16 KiB"),
        (CHUNKED.partition(b"5;ext")[0] + b"0\r\n" + b"a:b\r\n" * 600, "512 lines"),
    ],
)
def test_a_head_that_takes_too_long_to_read_is_a_flood(data: bytes, what: str) -> None:
    with pytest.raises(FramingError, match=rf"^a head of more than {what}|more than {what} in a head$") as caught:
        fed(asked(), [data[at : at + 1024] for at in range(0, len(data), 1024)])
    assert caught.value.how == "flood"


def test_a_head_of_many_lines_is_read() -> None:
    lines = b"".join(b"x-%d: 1\r\n" % number for number in range(MAX_HEAD_LINES - 50))
    (answer, *_) = fed(asked(), [b"HTTP/1.1 200 OK\r\n" + lines, b"Content-Length: 0\r\n\r\n"])
    assert isinstance(answer, Response) and answer.headers["x-400"] == "1"


def test_a_body_before_the_break_is_delivered() -> None:
    found = outcome(asked(), [CHUNKED.replace(b"5\r\nworld", b"zz\r\nworld")])
    assert found[:2] == [EVENTS, Body(b"hello ")]
    assert isinstance(found[2], str) and len(found) == 3


def test_whatever_takes_time_to_parse_counts() -> None:
    framing = asked()
    fed(framing, [CHUNKED.partition(b"5;ext")[0] + b"1\r\nx\r\n" * 100])
    assert framing.parsed >= 100


def test_a_url_without_a_host_is_an_error() -> None:
    with pytest.raises(ValueError, match="no host"):
        Http1("http:///path", {})
