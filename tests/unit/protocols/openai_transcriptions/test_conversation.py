"""What a server of `/v1/audio/transcriptions` is sent, and what it answers."""

import io
import wave
from email import message_from_bytes
from typing import Any

import pytest

from probe.plan import ServerPlan
from probe.protocols.base import Connect, Drop, Malformed, Refused, Send, Step, Terms, Transcript, Unknown
from probe.protocols.openai_transcriptions.conversation import TranscriptionsConversation
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Request, Response

DELTA = b'data: {"type": "transcript.text.delta", "delta": "%s"}\n\n'


def conversation(**options: Any) -> TranscriptionsConversation:
    given = {"sample_rate": 16_000, "stream": False, **options}
    return TranscriptionsConversation(Terms(ServerPlan("openai_transcriptions", "http://h/v1", given), "run", 1.0))


def uploaded(talk: TranscriptionsConversation, *frames: bytes) -> Request:
    assert [*talk.begin(0)] == [Connect()]
    for frame in frames:
        assert [*talk.hear(frame, 0)] == [], "it is sent at the end, all at once"
    connect, send = talk.end(0)
    assert connect == Connect() and isinstance(send, Send) and isinstance(send.frame, Request)
    return send.frame


def answered(talk: TranscriptionsConversation, kind: str, *bodies: bytes, status: int = 200) -> list[Step]:
    uploaded(talk)
    frames: list[Incoming] = [Response(status, {"content-type": kind}), *map(Body, bodies), BodyEnd()]
    return [step for frame in frames for step in talk.received(frame, 0) if not isinstance(step, Unknown)]


def test_the_whole_recording_is_uploaded_as_a_form() -> None:
    request = uploaded(conversation(model="small", language="en", stream=True), b"\1\0\2\0", b"\3\0")
    assert (request.method, request.target) == ("POST", "/v1/audio/transcriptions")
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = {
        part.get_param("name", header="content-disposition"): part
        for part in message_from_bytes(head + request.body).walk()
    }
    values = {name: part.get_payload(decode=True) for name, part in parts.items() if name not in (None, "file")}
    assert values == {"model": b"small", "language": b"en", "response_format": b"json", "stream": b"true"}
    file = parts["file"]
    assert file.get_filename() == "speech.wav"
    with wave.open(io.BytesIO(file.get_payload(decode=True))) as sound:  # type: ignore[arg-type]  # bytes, decoded
        assert (sound.getframerate(), sound.getnchannels(), sound.readframes(9)) == (16_000, 1, b"\1\0\2\0\3\0")


@pytest.mark.parametrize(
    ("kind", "bodies", "text"),
    [
        ("application/json; charset=utf-8", (b'{"text": "Hel', b'lo"}'), "Hello"),
        ("text/plain", (b"Hello",), "Hello"),
        ("text/event-stream", (b'data: {"type": "transcript.text.done", "te', b'xt": "Hello"}\n\n'), "Hello"),
        (
            "text/event-stream",
            (DELTA % b"Hel", DELTA % b"lo", b"data: [DONE]\n\n"),
            "Hello",
        ),
    ],
)  # fmt: skip
def test_a_transcript_comes_once(kind: str, bodies: tuple[bytes, ...], text: str) -> None:
    assert answered(conversation(), kind, *bodies) == [Transcript(text)]


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/json", b"{}", Malformed),
        ("application/json", b"[1]", Malformed),
        ("text/html", b"<html>", Malformed),
        ("text/event-stream", b"", Malformed),
        ("text/event-stream", b"data: hello\n\n", Malformed),
        ("application/json", b'{"error": "no"}', Refused),
        ("text/event-stream", b'data: {"error": "no"}\n\n', Refused),
    ],
)
def test_what_is_no_transcript_is_an_error_once(kind: str, body: bytes, expected: type) -> None:
    (step,) = answered(conversation(), kind, body)
    assert isinstance(step, expected)


def test_a_status_is_a_reason() -> None:
    (refused,) = answered(conversation(), "application/json", b'{"detail": "no"}', status=404)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.said) == ("not_found", "no")


def test_a_connection_that_was_closed_during_the_speech_is_opened_again_once() -> None:
    talk = conversation()
    uploaded(talk)
    again = [*talk.received(Ended("closed", "by the server"), 0)]
    assert again[0] == Connect() and isinstance(again[1], Send)
    assert [*talk.received(Ended("closed", "by the server"), 0)] == []
    assert [*conversation().received(Ended("closed", "by the server"), 0)] == [Drop()]
