"""All texts of a turn in one call: the request, and the attribution of its audio."""

import pytest

from probe.plan import ServerPlan
from probe.protocols.base import (
    Audio,
    AudioFormat,
    Close,
    Connect,
    Done,
    Drop,
    LlmConversation,
    Malformed,
    Ready,
    Refused,
    Send,
    Step,
    Terms,
    TtsConversation,
    Unknown,
)
from probe.protocols.riva import PROTOCOL
from probe.protocols.riva.conversation import RivaConversation
from probe.protocols.riva.stitched import ByGap, StitchedConversation
from probe.protocols.riva.wire import framed, message
from probe.protocols.segments import Segment
from probe.reference.faults import riva as server
from probe.timestamps import NEVER
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Request, Response

OPTIONS = {"language": "en-US", "sample_rate": 22_050, "deadline_s": 1.5, "mode": "stitched", "gap_ms": 100.0}
HEAD = Response(200, {"content-type": "application/grpc"})
OK = BodyEnd({"grpc-status": "0"})
SOUND = Body(framed(message({1: b"\1\2\3\4"})))
PCM = Audio(b"\1\2\3\4")


def conversation() -> StitchedConversation:
    talk = PROTOCOL.converse(Terms(ServerPlan("riva", "grpc://spark:50051", OPTIONS), "run", 10.0))
    assert isinstance(talk, StitchedConversation)
    assert [*talk.open(0)] == [Connect(), Ready()]
    return talk


def heard(talk: TtsConversation | LlmConversation, *frames: Incoming) -> list[Step]:
    return [each for frame in frames for each in talk.received(frame, 2)]


def test_each_text_has_its_own_call_unless_it_is_asked_for() -> None:
    plan = ServerPlan("riva", "grpc://spark:50051", OPTIONS | {"mode": "each"})
    assert isinstance(PROTOCOL.converse(Terms(plan, "run", 10.0)), RivaConversation)


def test_the_texts_of_a_turn_are_one_request() -> None:
    talk = conversation()
    connect, first = talk.speak("One.", 1)
    assert connect == Connect() and isinstance(first, Send) and isinstance(first.frame, Request)
    assert not first.frame.ends and server.asked(first.frame.body)[1] == "One."
    (second,) = talk.speak("Two.", 2)
    assert isinstance(second, Send) and isinstance(second.frame, Body)
    assert server.asked(second.frame.data)[1] == "Two."
    assert [*talk.close(3)] == [Send(BodyEnd())]
    assert heard(talk, HEAD, SOUND, SOUND, OK) == [AudioFormat(22_050), PCM, PCM, Done()]
    assert [*talk.open(4)] == [Connect(), Ready()]
    assert len([*talk.speak("Three.", 5)]) == 2


def test_a_turn_without_a_text_is_no_call() -> None:
    assert [*conversation().close(1)] == [Done()]


def test_what_comes_when_nothing_is_asked_is_none_of_ours() -> None:
    talk = conversation()
    assert heard(talk, SOUND) == [Unknown()]
    assert heard(talk, Ended("closed", "between two requests")) == [Drop()]
    assert [*talk.cancel()] == [Close()]


@pytest.mark.parametrize(
    ("frames", "last"),
    [
        ((HEAD, SOUND, BodyEnd({"grpc-status": "13", "grpc-message": "no"})),
         Refused("INTERNAL from SynthesizeOnline", "no")),
        ((HEAD, Body(b"hello")), Malformed("no gRPC message", "hello")),
        ((Response(502, {}), Body(b"down"), BodyEnd()),
         Refused("HTTP 502 for /nvidia.riva.tts.RivaSpeechSynthesis/SynthesizeOnline", "down", reason="unavailable")),
    ],
)  # fmt: skip
def test_what_fails_ends_the_call(frames: tuple[Incoming, ...], last: Step) -> None:
    talk = conversation()
    list(talk.speak("One.", 1))
    assert heard(talk, *frames)[-1] == last
    assert heard(talk, SOUND) == [Unknown()]


def test_the_end_of_the_connection_in_the_middle_is_one() -> None:
    talk = conversation()
    list(talk.speak("One.", 1))
    assert heard(talk, HEAD, Ended("closed", "in the middle of its response")) == []


def attributed() -> tuple[ByGap, Segment]:
    segments = ByGap(22_050, 100)
    return segments, segments.speak(1, "One.", 10)


def test_a_pause_ends_what_is_said_of_a_text() -> None:
    segments, first = attributed()
    assert segments.wakes_at() is NEVER and segments.expire(10_000) is None
    assert segments.audio(b"ab", 20) is first and segments.wakes_at() == 120 and segments.expire(119) is None
    assert segments.audio(b"cd", 60) is first and segments.wakes_at() == 160
    assert segments.expire(165) is first
    assert (first.end, first.done, bytes(first.pcm), segments.wakes_at()) == ("gap", 165, b"abcd", None)
    second = segments.speak(2, "Two.", 170)
    assert segments.audio(b"ef", 180) is second
    segments.finish(190)
    assert (second.end, second.done, segments.doubts()) == ("done", 190, [])


def test_audio_behind_the_last_pause_is_a_doubt() -> None:
    segments, last = attributed()
    segments.audio(b"ab", 20)
    assert segments.expire(120) is last
    assert segments.audio(b"cd", 300) is last
    assert (last.late_bytes, bytes(last.pcm), last.end) == (2, b"abcd", "gap")
    assert segments.doubts() == ["chunk 1: audio after the pause that ended it (gap_ms)"]
    segments.finish(400)
    assert segments.audio(b"ef", 500) is None and segments.stray_bytes == 2
