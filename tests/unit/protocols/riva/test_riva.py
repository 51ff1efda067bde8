"""A turn with a Riva server: the request, the events of its answer, and what it reports about itself."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from framings import mutated
from hypothesis import given
from hypothesis import strategies as st

from probe.plan import ServerPlan
from probe.protocols.base import (
    Audio,
    AudioFormat,
    Close,
    Connect,
    Done,
    Drop,
    Malformed,
    Ready,
    Refused,
    SegmentEnd,
    Send,
    Step,
    Terms,
    Unknown,
)
from probe.protocols.riva import PROTOCOL
from probe.protocols.riva.conversation import SYNTHESIZE, RivaConversation
from probe.protocols.riva.wire import MAX_FIELDS, MAX_MESSAGE_BYTES, MAX_MESSAGES, Messages, framed, message, read
from probe.record import REASONS, ServerIdentity
from probe.reference.faults import http2_steps as h2
from probe.reference.faults import riva as server
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Request, Response

TEXT = "Grüß dich."
OPTIONS = {"language": "en-US", "sample_rate": 22_050, "deadline_s": 1.5}
HEAD = Response(200, {"content-type": "application/grpc"})
OK = BodyEnd({"grpc-status": "0"})
CLOSED = Ended("closed", "in the middle of its response")
# As a server of gRPC's own library writes a message with four bytes of samples, and one with two and other fields.
TRANSCRIPT = b"\0\0\0\0\x06\x0a\x04\x01\x02\x03\x04" + b"\0\0\0\0\x0a\x0a\x02\x05\x06\x12\x00\xa2\x06\x01x"
SAID: list[Step] = [AudioFormat(22_050), Audio(b"\1\2\3\4\5\6"), SegmentEnd(how="end")]


def conversation(**options: Any) -> RivaConversation:
    talk = RivaConversation(Terms(ServerPlan("riva", "grpc://spark:50051", OPTIONS | options), "run", 10.0))
    assert [*talk.open(0)] == [Connect(), Ready()]
    return talk


def asked(talk: RivaConversation, text: str = TEXT) -> Request:
    *steps, last = talk.speak(text, 1)
    assert steps == [Connect()]
    assert isinstance(last, Send) and isinstance(last.frame, Request)
    return last.frame


def heard(talk: RivaConversation, frames: Iterable[Incoming]) -> list[Step]:
    """The events, audio joined, until one ends the run."""
    found: list[Step] = []
    for frame in frames:
        for step in talk.received(frame, 2):
            if isinstance(step, Audio) and found and isinstance(found[-1], Audio):
                found[-1] = Audio(found[-1].pcm + step.pcm)
            elif not isinstance(step, Unknown):
                found.append(step)
            if isinstance(step, Refused | Malformed):
                return found
    return found


def answered(*frames: Incoming, text: str = TEXT, **options: Any) -> list[Step]:
    talk = conversation(**options)
    asked(talk, text)
    return heard(talk, frames)


def test_a_text_is_one_call() -> None:
    request = asked(conversation(voice="Magpie.Aria"))
    assert (request.method, request.target) == ("POST", "/nvidia.riva.tts.RivaSpeechSynthesis/SynthesizeOnline")
    assert request.headers == {
        "content-type": "application/grpc",
        "te": "trailers",
        "grpc-accept-encoding": "identity",
        "grpc-timeout": "1500m",
    }
    assert server.asked(request.body) == {1: TEXT, 2: "en-US", 3: 1, 4: 22_050, 5: "Magpie.Aria"}
    assert server.asked(asked(conversation()).body) == {1: TEXT, 2: "en-US", 3: 1, 4: 22_050}


def test_a_long_text_is_long_on_the_wire() -> None:
    text = "Grüß dich. " * 2000
    assert server.asked(asked(conversation(), text).body)[1] == text


def test_half_a_character_is_none_that_can_be_sent() -> None:
    assert server.asked(asked(conversation(), "Hello \ud83d.").body)[1] == "Hello ?."


def test_an_answer_says_the_same_wherever_it_is_cut() -> None:
    assert answered(HEAD, Body(TRANSCRIPT), OK) == SAID
    for at in range(len(TRANSCRIPT)):
        assert answered(HEAD, Body(TRANSCRIPT[:at]), Body(TRANSCRIPT[at:]), OK) == SAID
    assert answered(HEAD, *(Body(bytes([each])) for each in TRANSCRIPT), OK) == SAID


def test_samples_that_come_in_together_have_one_moment() -> None:
    talk = conversation()
    asked(talk)
    list(talk.received(HEAD, 2))
    assert [*talk.received(Body(TRANSCRIPT), 3)] == [AudioFormat(22_050), Audio(b"\1\2\3\4\5\6")]


def test_calls_go_after_each_other_and_the_last_ends_the_turn() -> None:
    talk = conversation()
    for _ in range(2):
        asked(talk)
        assert heard(talk, [HEAD, Body(TRANSCRIPT), OK])[-1] == SegmentEnd(how="end")
    asked(talk)
    assert [*talk.close(2)] == []
    assert heard(talk, [HEAD, Body(TRANSCRIPT), OK])[-2:] == [SegmentEnd(how="end"), Done()]


def test_giving_up_says_so_to_the_server() -> None:
    assert [*conversation().cancel()] == [Close()]


def test_a_connection_that_ends_between_two_texts_is_opened_anew() -> None:
    talk = conversation()
    asked(talk)
    heard(talk, [HEAD, Body(TRANSCRIPT), OK])
    assert [*talk.received(Ended("closed", "between two requests"), 3)] == [Drop()]
    asked(talk)
    assert [*talk.received(CLOSED, 4)] == []


def refused(status: str, words: str = "", **more: str) -> Incoming:
    return BodyEnd({"grpc-status": status, "grpc-message": words, **more})


@pytest.mark.parametrize(
    ("status", "words", "refusal"),
    [
        ("1", "", Refused("CANCELLED from SynthesizeOnline")),
        ("3", "no such model", Refused("INVALID_ARGUMENT from SynthesizeOnline", "no such model")),
        ("3", "Voice x not found",
         Refused("INVALID_ARGUMENT from SynthesizeOnline", "Voice x not found", reason="unknown_voice")),
        ("4", "", Refused("DEADLINE_EXCEEDED from SynthesizeOnline", reason="timeout")),
        ("5", "no", Refused("NOT_FOUND from SynthesizeOnline", "no", reason="not_found")),
        ("8", "full", Refused("RESOURCE_EXHAUSTED from SynthesizeOnline", "full", busy=True)),
        ("8", "message larger than max (2 vs. 1)",
         Refused("RESOURCE_EXHAUSTED from SynthesizeOnline", "message larger than max (2 vs. 1)")),
        ("12", "", Refused("UNIMPLEMENTED from SynthesizeOnline", reason="not_found")),
        ("14", "", Refused("UNAVAILABLE from SynthesizeOnline", reason="unavailable")),
        ("14", "still%20loading%0Ait", Refused("UNAVAILABLE from SynthesizeOnline", "still loading it",
                                               reason="loading")),
        ("16", "", Refused("UNAUTHENTICATED from SynthesizeOnline; no credentials were sent: set headers",
                           reason="unauthorized")),
        ("17", "", Refused("an unknown status from SynthesizeOnline")),
        ("", "", Malformed("an answer without the status of its call")),
        ("ok", "", Malformed("an answer without the status of its call", "ok")),
        ("\uff19", "", Malformed("an answer without the status of its call", "\\uff19")),
        ("000", "", Malformed("an answer without the status of its call", "000")),
    ],
)  # fmt: skip
def test_a_status_is_a_reason(status: str, words: str, refusal: Step) -> None:
    assert answered(HEAD, refused(status, words)) == [refusal]
    assert answered(HEAD, Body(TRANSCRIPT), refused(status, words)) == [*SAID[:2], refusal]
    at_once = Response(200, {**HEAD.headers, "grpc-status": status, "grpc-message": words})
    assert answered(at_once, BodyEnd()) == [refusal]


@pytest.mark.parametrize(
    ("frames", "steps"),
    [
        ([HEAD, OK], [Refused("OK without any audio for a text", reason="no_audio")]),
        ([HEAD, Body(framed(message({1: b"\1\2\3"}))), OK],
         [AudioFormat(22_050), Audio(b"\1\2\3"), SegmentEnd(how="end")]),
        ([HEAD, Body(TRANSCRIPT[:-1]), OK],
         [AudioFormat(22_050), Audio(b"\1\2\3\4"), Malformed("an answer that ends within a message")]),
        ([HEAD, Body(b"\1\0\0\0\1x")], [Malformed("a compressed message, which nobody asked for",
                                                  "\\x01\\x00\\x00\\x00\\x01")]),
        ([HEAD, Body(b"hello")], [Malformed("no gRPC message", "hello")]),
        ([HEAD, Body(framed(b"\xff" * 12))],
         [Malformed("a message that is none: a number without an end", "\\ufffd" * 12)]),
        ([HEAD, Body(b"\0" + (MAX_MESSAGE_BYTES + 1).to_bytes(4, "big"))],
         [Refused("a message of more than 4 MiB", reason="flood")]),
        ([Response(200, {"content-type": "text/html"}), Body(b"<html>"), BodyEnd()],
         [Malformed("HTML instead of gRPC", "<html>")]),
        ([Response(200, {}), BodyEnd()], [Malformed("no type instead of gRPC")]),
        ([Response(503, {}), Body(b"no backend"), BodyEnd()],
         [Refused(f"HTTP 503 for {SYNTHESIZE}", "no backend", reason="unavailable")]),
    ],
)  # fmt: skip
def test_what_else_it_may_say(frames: list[Incoming], steps: list[Step]) -> None:
    found = answered(*frames)
    # Their lengths are those of whole samples, and an odd one is a piece of its own.
    assert [each for each in found if not isinstance(each, Audio)] == [
        each for each in steps if not isinstance(each, Audio)
    ]
    assert [each for each in found if isinstance(each, Audio)] == [each for each in steps if isinstance(each, Audio)]


def test_no_sound_is_right_for_a_text_without_a_word() -> None:
    assert answered(HEAD, OK, text=" … ") == [SegmentEnd(how="end")]


def test_so_many_messages_are_a_flood() -> None:
    messages = Messages()
    assert [*messages.feed(framed(b"") * MAX_MESSAGES)] == [b""] * MAX_MESSAGES
    flood = Refused(f"more than {MAX_MESSAGES} messages in one answer", reason="flood")
    assert [*messages.feed(framed(b"") * 2)] == [flood]
    assert [*messages.feed(framed(b""))] == []


def test_a_message_is_read_as_protobuf_has_it() -> None:
    data = b"\x08\x96\x01" + b"\x12\x02hi" + b"\x1d\x00\x00\x80\x3f" + b"\x21" + bytes(8)
    assert read(data) == [(1, 150), (2, b"hi"), (3, b"\x00\x00\x80\x3f"), (4, bytes(8))]
    assert read(message({1: 150, 2: "hi", 3: b"", 200: b"x"})) == [(1, 150), (2, b"hi"), (200, b"x")]


@pytest.mark.parametrize(
    "data", [b"\x08", b"\x12\x05hi", b"\x1d\x00", b"\x0b", b"\x00\x01", b"\x08\x01" * (MAX_FIELDS + 1)]
)
def test_a_message_that_is_none_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"field|number"):
        read(data)


@given(
    st.one_of(st.binary(), mutated(TRANSCRIPT)),
    st.integers(1, 20),
    st.sampled_from([OK, BodyEnd(), CLOSED, refused("3", "voice")]),
)
def test_nothing_that_it_sends_raises_and_cuts_change_nothing(data: bytes, size: int, last: Incoming) -> None:
    whole = answered(HEAD, Body(data), last)
    pieces = [Body(data[at : at + size]) for at in range(0, len(data), size)]
    assert answered(HEAD, *pieces, last) == whole
    assert sum(len(each.pcm) for each in whole if isinstance(each, Audio)) <= len(data)
    for step in whole:
        assert not isinstance(step, Refused) or (step.reason in REASONS["tts"] and step.message.isprintable())


# What it says of itself

PLAN = ServerPlan("riva", "grpc://spark:50051", OPTIONS, {"function-id": "f"})
MAGPIE = {
    "model": "magpie", "version": "1.7", "language_code": "en-US", "voice_name": "Magpie-Multilingual",
    "subvoices": "EN-US.Aria:0, EN-US.Leo:1",
}  # fmt: skip


def read_of(question: Any, body: bytes, pieces: int = 7) -> Any:
    """What is read of an answer that comes in pieces."""
    assert (question.url, question.framing) == ("grpc://spark:50051", "http2")
    assert question.frame.headers["function-id"] == "f" and question.frame.body == bytes(5)
    hear = question.listen()
    found = [hear(HEAD), *(hear(Body(body[at : at + pieces])) for at in range(0, len(body), pieces))]
    assert found[:-1] == [None] * (len(found) - 1)
    return found[-1]


@pytest.mark.parametrize(
    ("models", "identity", "voices"),
    [
        ([MAGPIE], ServerIdentity("magpie", "1.7"),
         ("Magpie-Multilingual.EN-US.Aria", "Magpie-Multilingual.EN-US.Leo")),
        ([{"model": "a", "voice_name": "A"}, MAGPIE | {"voice_name": ""}, {"voice_name": "A"}],
         ServerIdentity("a"), ("A",)),
        ([{"voice_name": "A", "subvoices": ",".join(map(str, range(2001)))}], ServerIdentity(), None),
        ([], ServerIdentity(), None),
    ],
)  # fmt: skip
def test_its_description(
    models: list[Mapping[str, str]], identity: ServerIdentity, voices: tuple[str, ...] | None
) -> None:
    (asks_identity,), (asks_voices,) = PROTOCOL.identity(PLAN), PROTOCOL.voices(PLAN)
    assert read_of(asks_identity, server.config(*models)) == identity
    assert read_of(asks_voices, server.config(*models), 1) == voices


@pytest.mark.parametrize(
    ("body", "cold"),
    [(server.SERVING, False), (h2.prefixed(b"\x08\x02"), True), (h2.prefixed(b"\x08\x03"), None),
     (h2.prefixed(b""), None), (h2.prefixed(b"\xff"), None), (h2.prefixed(b"\x0a\x01x"), None)],
)  # fmt: skip
def test_whether_it_is_ready(body: bytes, cold: bool | None) -> None:
    (question,) = PROTOCOL.cold(PLAN)
    assert read_of(question, body) is cold
