"""One request for each text, on a connection that may be closed between two of them."""

import json
from typing import Any

import pytest
from speech_answers import PCM, RATE, TEXT, conversation, heard

from probe.plan import ServerPlan
from probe.protocols.base import (
    Audio,
    AudioFormat,
    Connect,
    Done,
    Drop,
    Ready,
    Refused,
    SegmentEnd,
    Send,
    Step,
    Unknown,
)
from probe.protocols.kept_alive import MAX_IDLE_S
from probe.protocols.openai_speech import PROTOCOL, request
from probe.protocols.openai_speech.conversation import SpeechConversation
from probe.protocols.segments import InOrder
from probe.timestamps import NS_PER_S
from probe.transport.framing.base import Body, BodyEnd, Ended, Request, Response

GONE = Ended("closed", "between two requests")
AUDIO = [AudioFormat(RATE), Audio(PCM), SegmentEnd(how="end")]


def asked(talk: SpeechConversation, text: str = TEXT) -> Request:
    connect, send = talk.speak(text, 5)
    assert connect == Connect() and isinstance(send, Send) and isinstance(send.frame, Request)
    return send.frame


def body(sent: Request) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(sent.body)
    return document


def answered(talk: SpeechConversation) -> list[Step]:
    frames = (Response(200, {"content-type": "audio/pcm"}), Body(PCM), BodyEnd())
    return [step for frame in frames for step in talk.received(frame, 6)]


def opened(**options: Any) -> SpeechConversation:
    talk = conversation(**options)
    assert [*talk.open(0)] == [Connect(), Ready()]
    return talk


def test_what_is_asked_for() -> None:
    plain = asked(opened())
    assert (plain.method, plain.target) == ("POST", "/v1/audio/speech")
    assert plain.headers == {"content-type": "application/json"}
    assert body(plain) == {"input": TEXT, "voice": "af_heart"}

    full = {"model": "kokoro", "voice": "x", "language": "en", "response_format": "wav", "stream_format": "sse"}
    more = {"speed": 1.5, "instructions": "Slowly."}
    assert body(asked(opened(**full, **more))) == {"input": TEXT, **full, **more}
    assert "stream_format" not in body(asked(opened(stream_format="none")))
    own = {"lang_code": "a", "speed": 2, "input": "another"}
    assert body(asked(opened(speed=1.0, extra_body=own))) == {"voice": "af_heart", **own}


def test_any_text_can_be_asked_for() -> None:
    """Half a character, as JSON may hold it, included."""
    for text in ("Grüße, 世界 🦄", "\ud83e"):
        assert body(asked(opened(), text))["input"] == text


@pytest.mark.parametrize(
    ("url", "target", "voices"),
    [
        ("http://h:8880/v1", "/v1/audio/speech", "http://h:8880/v1/audio/voices"),
        ("https://h/v1/", "/v1/audio/speech", "https://h/v1/audio/voices"),
        ("http://h", "/audio/speech", "http://h/audio/voices"),
        ("http://h/p/v1?key=1", "/p/v1/audio/speech?key=1", "http://h/p/v1/audio/voices"),
        ("http://h/v1/audio/speech/stream", "/v1/audio/speech/stream", "http://h/v1/audio/voices"),
    ],
)
def test_where_it_is_asked_for(url: str, target: str, voices: str) -> None:
    assert asked(opened(url=url)).target == target
    plan = ServerPlan("openai_speech", url, {"voice": "af_heart"}, {"authorization": "Bearer sk-12345678"})
    asked_for: Any = PROTOCOL.voices(plan)
    assert [(each.url, each.headers) for each in asked_for] == [
        (voices, plan.headers),
        (voices.replace("/audio/voices", "/voices"), plan.headers),
    ]


def test_no_list_of_voices_says_anything_of_openais_names() -> None:
    """Servers map them to their own, and list those."""
    assert [*PROTOCOL.voices(ServerPlan("openai_speech", "http://h/v1", {"voice": "alloy"}))] == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (["af_heart", "af_sky"], ("af_heart", "af_sky")),
        ({"voices": ["a", "a"]}, ("a",)),
        ({"voices": [{"id": "a", "name": "Anna"}, {"name": "Bert"}]}, ("a", "Anna", "Bert")),
        ({"data": [{"voice_id": "a"}]}, ("a",)),
        ({"voices": {"a": {"language": "en"}}}, ("a",)),
        ({"voices": []}, None),
        ({"voices": "a"}, None),
        ([None, 3, {"language": "en"}], None),
        (["v"] * (request.MAX_VOICES + 1), None),
        ("a", None),
    ],
)
def test_the_list_of_voices(document: Any, expected: tuple[str, ...] | None) -> None:
    assert request.voices(json.dumps(document).encode()) == expected


def test_a_request_for_each_text() -> None:
    talk = opened()
    assert isinstance(talk.attribution(), InOrder) and talk.sample_rate == RATE
    for text in ("One.", "Two."):
        assert body(asked(talk, text))["input"] == text
        assert answered(talk) == AUDIO
    assert [*talk.close(9)] == [Done()]


def test_a_turn_is_done_when_its_last_answer_has_ended() -> None:
    talk = opened()
    asked(talk)
    assert [*talk.close(5)] == []
    assert answered(talk) == [*AUDIO, Done()]
    assert [*talk.open(7)] == [Connect(), Ready()]
    asked(talk)
    assert answered(talk) == AUDIO


def test_audio_is_delivered_with_the_frame_that_brings_it() -> None:
    talk = opened()
    asked(talk)
    pieces = (PCM[:3], PCM[3:4], PCM[4:])
    assert [*talk.received(Response(200, {}), 6)] == []
    found = [[*talk.received(Body(piece), 6)] for piece in pieces]
    assert found == [[AudioFormat(RATE), Audio(PCM[:2])], [Audio(PCM[2:4])], [Audio(PCM[4:])]]


def test_a_server_may_close_between_two_texts() -> None:
    talk = opened()
    asked(talk)
    assert answered(talk) == AUDIO
    assert [*talk.received(GONE, 7)] == [Drop()]
    asked(talk)
    # This connection was opened for the request: its end is the server's answer.
    assert [*talk.received(GONE, 8)] == []


def test_a_request_that_met_the_end_of_its_connection_is_sent_once_more() -> None:
    """A server that had closed, which nobody could know, has not seen it."""
    talk = opened()
    sent = asked(talk)
    assert [*talk.received(GONE, 7)] == [Connect(), Send(sent)]
    assert [*talk.received(GONE, 8)] == []
    assert answered(talk) == AUDIO


@pytest.mark.parametrize("begin", [SpeechConversation.open, lambda talk, now: talk.speak(TEXT, now)])
def test_a_connection_that_was_idle_for_long_is_not_used_again(begin: Any) -> None:
    """Its server may be about to close it, and a request that is sent twice is measured from the first time."""
    limit = round(MAX_IDLE_S * NS_PER_S)
    for now, expected in ((6 + limit, [Connect()]), (7 + limit, [Drop(), Connect()])):
        talk = opened()
        asked(talk)
        answered(talk)
        assert [*begin(talk, now)][: len(expected)] == expected
    # It is new now, and nothing was idle.
    assert isinstance(asked(talk), Request)


@pytest.mark.parametrize("how", ["malformed", "flood"])
def test_a_server_that_breaks_http_is_not_asked_again(how: Any) -> None:
    talk = opened()
    asked(talk)
    assert [*talk.received(Ended(how, ""), 7)] == []


def test_an_answer_that_nobody_asked_for() -> None:
    talk = opened()
    assert [*talk.received(Response(200, {}), 1), *talk.received(Body(PCM), 1)] == [Unknown(), Unknown()]


def test_cancelling_ends_the_connection() -> None:
    assert [*opened().cancel()] == [Drop()]


def test_a_server_that_stalls_in_its_complaint_has_complained() -> None:
    talk = opened()
    asked(talk)
    assert talk.wakes_at() is None
    assert [*talk.received(Response(500, {}), 10), *talk.received(Body(b'"out of memory'), 20)] == []
    assert talk.wakes_at() == 10 + NS_PER_S
    assert [*talk.wake(10 + NS_PER_S)] == [Refused("HTTP 500 for /v1/audio/speech", '"out of memory')]
    assert talk.wakes_at() is None and [*talk.received(BodyEnd(), 30)] == [Unknown()]


def test_a_complaint_that_is_cut_short_is_one() -> None:
    cut = heard({}, [b"no memory"], 500, ended=Ended("closed", "in the middle of its response"))
    assert cut == [Refused("HTTP 500 for /v1/audio/speech", "no memory")]


@pytest.mark.parametrize(
    ("status", "detail", "expected"),
    [
        (400, "Voice 'x' not found. Available voices: a", "unknown_voice"),
        (404, "voice x", "unknown_voice"),
        (422, [{"loc": ["body", "voice"], "msg": "Input should be 'a'", "type": "enum"}], "unknown_voice"),
        (404, "Not Found", "not_found"),
        (400, "Unsupported model: x", "server_error"),
        (500, "voice model crashed", "server_error"),
        (401, "voice", "unauthorized"),
    ],
)
def test_a_voice_that_the_server_refuses(status: int, detail: Any, expected: str) -> None:
    (found,) = heard({}, [json.dumps({"detail": detail}).encode()], status)
    assert isinstance(found, Refused) and found.reason == expected and not found.busy
