"""Answers over HTTP, from their bytes: whole, in pieces, and what is none."""

import pytest

from probe.machine.answer import Answer, NoPageError

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\na \r\n2;x=y\r\n1\n\r\n"
MOST = 1000


def read(*pieces: bytes) -> Answer:
    answer = Answer(MOST)
    assert answer.to("/metrics", {"Host": "here"}) == b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"
    for piece in pieces:
        answer.add(piece)
    if not answer.is_whole:
        answer.end()
    return answer


@pytest.mark.parametrize(
    ("data", "keeps"),
    [
        (OK + b"content-length: 4\r\n\r\na 1\n", True),
        (OK + b"Content-Length: 4\r\nConnection: Close\r\n\r\na 1\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\na 1\n", False),
        (OK + b"\r\na 1\n", False),
        (CHUNKS + b"0\r\n\r\n", True),
        (CHUNKS + b"0\r\nExpires: never\r\nX: y\r\n\r\n", True),
    ],
)
def test_a_page_is_the_same_in_one_piece_and_byte_by_byte(data: bytes, keeps: bool) -> None:
    for answer in (read(data), read(*(data[at : at + 1] for at in range(len(data))))):
        assert (answer.body, answer.is_whole, answer.keeps) == (b"a 1\n", True, keeps)


@pytest.mark.parametrize(
    "data", [OK + b"Content-Length: 0\r\n\r\n", OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
)
def test_an_empty_page_is_one(data: bytes) -> None:
    assert (read(data).body, read(data).is_whole) == (b"", True)


@pytest.mark.parametrize("data", [OK + b"Content-Length: 4\r\n\r\na 1\nHTTP", CHUNKS + b"0\r\n\r\nHTTP"])
def test_a_server_that_sends_more_is_not_asked_on_the_same_connection(data: bytes) -> None:
    answer = read(data)
    assert (answer.is_whole, answer.keeps) == (True, False)
    assert answer.body.startswith(b"a 1\n")


@pytest.mark.parametrize(
    ("data", "why", "status"),
    [
        (b"", "no answer", None),
        (OK, "cut off", None),
        (OK + b"Content-Length: 9\r\n\r\na 1\n", "cut off", None),
        (CHUNKS, "cut off", None),
        (CHUNKS + b"9\r\nx", "cut off", None),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "no HTTP", None),
        (b"HTTP/1.1\r\n\r\n", "no HTTP", None),
        (b"HTTP/1.1 x\r\n\r\n", "no HTTP", None),
        (OK + b"X: " + b"y" * 20_000, "no HTTP", None),
        (CHUNKS + b"-1\r\n", "no HTTP", None),
        (CHUNKS + b"1_0\r\n", "no HTTP", None),
        (CHUNKS + b"1" * 300, "cut off", None),
        (CHUNKS + b"0\r\n" + b"y" * 20_000, "no HTTP", None),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "status 503", 503),
        (OK + b"\r\n" + b"x" * (MOST + 1), "longer than 1000 bytes", None),
        (OK + b"Content-Length: 4000\r\n\r\n" + b"x" * (MOST + 1), "longer than 1000 bytes", None),
        (CHUNKS + b"ffff\r\n" + b"x" * (MOST + 1), "longer than 1000 bytes", None),
        (CHUNKS + b"3e8\r\n" + b"x" * MOST + b"\r\n0\r\n\r\n", "longer than 1000 bytes", None),
    ],
)
def test_what_is_no_page_says_why(data: bytes, why: str, status: int | None) -> None:
    with pytest.raises(NoPageError, match=f"^{why}$") as caught:
        read(data)
    assert caught.value.status == status
