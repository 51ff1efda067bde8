"""A turn with a Riva server that hears: what it is sent, what it answers, and what it reports about itself."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from framings import mutated
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from probe.plan import ServerPlan
from probe.protocols.base import Connect, Drop, Malformed, Refused, Send, Step, Terms, Transcript, Unknown
from probe.protocols.hearing import MAX_EVENTS, MAX_TRANSCRIPT
from probe.protocols.inquiries import Sign
from probe.protocols.riva import HEARING
from probe.protocols.riva.hearing import RECOGNIZE, RivaHearing
from probe.protocols.riva.options import RivaHearingOptions
from probe.protocols.riva.recognition import MAX_BYTES, MAX_FIELDS, MAX_MESSAGE_BYTES
from probe.protocols.riva.wire import framed, read
from probe.record import REASONS, ServerIdentity
from probe.reference.faults import http2_steps as h2
from probe.reference.faults import riva as server
from probe.reference.faults.riva_hearing import Result, response
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Request, Response

HEAD = Response(200, {"content-type": "application/grpc"})
OK = BodyEnd({"grpc-status": "0"})
CLOSED = Ended("closed", "in the middle of its response")
# As gRPC's own library writes it: final, two alternatives, one with the times of a word, and how much was heard.
FINAL = (
    b"\0\0\0\0;\n3\n\x1e\n\x0bHow are you\x15fff?\x1a\n\x08P\x10\xc8\x01\x1a\x03How\n\x08\n\x06How or\x10\x01(\x01"
    b"5\0\0\0?\xa2\x06\x03\n\x01x"
)
PARTIAL = framed(response(Result("How", final=False)))
MORE = framed(response(Result(" today? ")))


def conversation(**options: Any) -> RivaHearing:
    given = {name: value for name, value in structs.asdict(RivaHearingOptions(**options)).items() if value is not None}
    return RivaHearing(Terms(ServerPlan("riva", "grpc://spark:50051", given), "run", 1.0))


def called(**options: Any) -> tuple[RivaHearing, Request]:
    talk = conversation(**options)
    connect, send = talk.begin(0)
    assert connect == Connect() and isinstance(send, Send) and isinstance(send.frame, Request)
    return talk, send.frame


def heard(talk: RivaHearing, frames: Iterable[Incoming]) -> list[Step]:
    """What it says, up to what ends the run."""
    found: list[Step] = []
    for frame in frames:
        for step in talk.received(frame, 2):
            if not isinstance(step, Unknown):
                found.append(step)
            if isinstance(step, Refused | Malformed):
                return found
    return found


def answered(*frames: Incoming, **options: Any) -> list[Step]:
    return heard(called(**options)[0], frames)


def fields(data: bytes) -> dict[int, Any]:
    return dict(read(data))


def settings(**options: Any) -> tuple[dict[int, Any], dict[int, Any]]:
    """Of the message before the audio: the fields of the stream's settings, and of the recognition's in them."""
    _, request = called(**options)
    assert request.body[:5] == b"\0" + (len(request.body) - 5).to_bytes(4, "big")
    ((number, stream),) = fields(request.body[5:]).items()
    assert number == 1
    outer = fields(stream)
    return outer, fields(outer.pop(1))


def test_a_turn_is_a_call_that_says_first_what_it_will_send() -> None:
    _, request = called()
    assert (request.method, request.target) == ("POST", "/nvidia.riva.asr.RivaSpeechRecognition/StreamingRecognize")
    assert request.headers == {"content-type": "application/grpc", "te": "trailers", "grpc-accept-encoding": "identity"}
    assert not request.ends
    assert settings() == ({2: 1}, {1: 1, 2: 16_000, 3: b"en-US", 4: 1, 7: 1, 11: 1})
    outer, recognition = settings(
        model="parakeet", language="de-DE", sample_rate=8000, interim_results=False, punctuation=False,
        stop_history_ms=320,
    )  # fmt: skip
    assert outer == {}
    assert recognition == {1: 1, 2: 8000, 3: b"de-DE", 4: 1, 7: 1, 13: b"parakeet", 25: b"\x18\xc0\x02"}


def test_it_is_written_as_grpcs_own_library_writes_it() -> None:
    _, request = called(language="de-DE", model="parakeet", stop_history_ms=320)
    assert request.body == framed(
        b'\n&\n"\x08\x01\x10\x80}\x1a\x05de-DE \x018\x01X\x01j\x08parakeet\xca\x01\x03\x18\xc0\x02\x10\x01'
    )


def test_samples_are_messages_of_that_call_and_its_end_is_said() -> None:
    talk, _ = called()
    assert [*talk.hear(b"\1\0\2\0", 1)] == [Send(Body(b"\0\0\0\0\x06\x12\x04\1\0\2\0"))]
    assert [*talk.end(1)] == [Send(BodyEnd())]
    assert (talk.input_rate, talk.finds_end, conversation(endpointing="server").finds_end) == (16_000, False, True)


def test_the_final_results_are_the_transcript_once_nothing_more_can_come() -> None:
    talk, _ = called()
    assert heard(talk, [HEAD, Body(PARTIAL), Body(FINAL), Body(PARTIAL), Body(MORE)]) == []
    assert heard(talk, [OK]) == [Transcript("How are you today?")]
    assert answered(HEAD, Body(PARTIAL), OK) == [Transcript("")], "what is not final is none"


def test_a_server_that_finds_the_end_says_so_with_its_first_final_result() -> None:
    ended: list[Step] = [Transcript("How are you"), Send(BodyEnd())]
    empty = framed(response(Result("  ")))
    talk, _ = called(endpointing="server")
    assert heard(talk, [HEAD, Body(PARTIAL), Body(empty), Body(FINAL)]) == ended
    assert heard(talk, [Body(MORE), Body(b"\1"), BodyEnd({}), OK]) == [], "nobody waits for it any more"
    assert answered(HEAD, Body(FINAL + MORE), endpointing="server") == ended
    assert answered(HEAD, Body(empty), OK, endpointing="server") == [Transcript("")]
    together = framed(response(Result("How are"), Result("you", final=False), Result("you"), Result("")))
    assert answered(HEAD, Body(together), endpointing="server") == ended


def test_the_next_turn_has_another_connection() -> None:
    talk, _ = called()
    heard(talk, [HEAD, Body(FINAL), OK])
    assert [*talk.received(Ended("closed", "between two requests"), 3)] == [Drop()]
    drop, connect, send = talk.begin(4)
    assert (drop, connect) == (Drop(), Connect()) and isinstance(send, Send)
    assert heard(talk, [HEAD, Body(MORE), OK]) == [Transcript("today?")]


def test_an_answer_says_the_same_wherever_it_is_cut() -> None:
    data = PARTIAL + FINAL + MORE
    for options in ({}, {"endpointing": "server"}):
        whole = answered(HEAD, Body(data), OK, **options)
        assert whole[0] == Transcript("How are you today?" if not options else "How are you")
        for at in range(len(data)):
            assert answered(HEAD, Body(data[:at]), Body(data[at:]), OK, **options) == whole


def refused(status: str, words: str = "") -> BodyEnd:
    return BodyEnd({"grpc-status": status, "grpc-message": words})


METHOD = "StreamingRecognize"


@pytest.mark.parametrize(
    ("frames", "step"),
    [
        ([HEAD, refused("3", "no voice, no model")],
         Refused(f"INVALID_ARGUMENT from {METHOD}", "no voice, no model")),
        ([HEAD, Body(FINAL), refused("13", "boom")], Refused(f"INTERNAL from {METHOD}", "boom")),
        ([HEAD, refused("8", "full")], Refused(f"RESOURCE_EXHAUSTED from {METHOD}", "full", busy=True)),
        ([HEAD, refused("12")], Refused(f"UNIMPLEMENTED from {METHOD}", reason="not_found")),
        ([HEAD, refused("14", "model is loading")],
         Refused(f"UNAVAILABLE from {METHOD}", "model is loading", reason="loading")),
        ([HEAD, refused("16")], Refused(f"UNAUTHENTICATED from {METHOD}; no credentials were sent: set headers",
                                        reason="unauthorized")),
        ([Response(200, {**HEAD.headers, "grpc-status": "4"}), BodyEnd()],
         Refused(f"DEADLINE_EXCEEDED from {METHOD}", reason="timeout")),
        ([HEAD, Body(FINAL), BodyEnd()], Malformed("an answer without the status of its call")),
        ([HEAD, Body(FINAL[:-1]), OK], Malformed("an answer that ends within a message")),
        ([HEAD, Body(b"\1\0\0\0\1x")], Malformed("a compressed message, which nobody asked for",
                                                 "\\x01\\x00\\x00\\x00\\x01")),
        ([HEAD, Body(framed(b"\x0a\x05hi"))],
         Malformed("a message that is none: a field of another kind, or one that is cut off", "\\n\\x05hi")),
        ([Response(200, {"content-type": "text/html"}), Body(b"<html>"), BodyEnd()],
         Malformed("HTML instead of gRPC", "<html>")),
        ([Response(503, {}), Body(b"no backend"), BodyEnd()],
         Refused(f"HTTP 503 for {RECOGNIZE}", "no backend", reason="unavailable")),
        ([Response(404, {}), Body(b"no"), CLOSED], Refused(f"HTTP 404 for {RECOGNIZE}", "no", reason="not_found")),
    ],
)  # fmt: skip
def test_what_else_it_may_say(frames: list[Incoming], step: Step) -> None:
    assert answered(*frames) == [step]


def test_the_end_of_the_connection_says_nothing_by_itself() -> None:
    assert answered(HEAD, Body(FINAL), CLOSED) == []


def test_a_complaint_that_does_not_end_is_waited_for_no_longer_than_any_other() -> None:
    talk, _ = called()
    assert talk.wakes_at() is None
    assert heard(talk, [Response(502, {}), Body(b"oh")]) == []
    assert talk.wakes_at() == 2 + 10**9
    (step,) = talk.wake(2 + 10**9)
    assert isinstance(step, Refused) and step.reason == "unavailable" and step.said == "oh"
    assert talk.wakes_at() is None


@pytest.mark.parametrize(
    ("data", "step"),
    [
        (b"\0" + (MAX_MESSAGE_BYTES + 1).to_bytes(4, "big"), Refused("a message of more than 64 KiB", reason="flood")),
        (framed(b"") * (MAX_EVENTS + 1), Refused(f"more than {MAX_EVENTS} messages in one answer", reason="flood")),
        (framed(bytes([0x32, 0x80, 0x80, 0x03]) + bytes(0xC000)) * (1 + MAX_BYTES // 0xC000),
         Refused("more than 2 MiB about one transcript", reason="flood")),
    ],
)  # fmt: skip
def test_it_is_bounded(data: bytes, step: Step) -> None:
    pieces = [Body(data[at : at + 2**14]) for at in range(0, len(data), 2**14)]
    assert answered(HEAD, *pieces) == [step]


@pytest.mark.parametrize("nested", range(3), ids=["results", "their fields", "those of an alternative"])
def test_the_fields_of_a_message_are_counted_at_every_depth(nested: int) -> None:
    few, many = (b"\x28\x01" * number for number in (MAX_FIELDS // 2, MAX_FIELDS + 1))
    for depth in range(nested):
        few, many = (h2.message({1: each})[5:] + b"\x10\x01" * (depth < nested) for each in (few, many))
    assert answered(HEAD, Body(framed(few)), OK) == [Transcript("")]
    (step,) = answered(HEAD, Body(framed(many)), OK)
    assert isinstance(step, Malformed) and step.detail == "a message that is none: too many fields"


@pytest.mark.parametrize("final", [b"", b"\x10\x01"], ids=["of results", "of alternatives"])
def test_the_fields_of_many_results_are_counted_together(final: bytes) -> None:
    several = b"\x28\x01" * (MAX_FIELDS // 8)
    result = h2.message({1: several})[5:] + final if final else several
    for number, counted in ((4, False), (12, True)):
        message = framed(h2.message({1: result})[5:] * number)
        (step,) = answered(HEAD, Body(message), OK)
        assert isinstance(step, Malformed if counted else Transcript)


def test_after_a_failure_nothing_is_said() -> None:
    for last in (refused("13", "boom"), BodyEnd()):
        talk, _ = called()
        heard(talk, [HEAD, Body(FINAL)])
        (step,) = talk.received(last, 2)
        assert isinstance(step, Refused | Malformed)


def test_a_long_transcript_is_cut() -> None:
    long = framed(response(Result("x " * MAX_TRANSCRIPT)))
    (step,) = answered(HEAD, Body(long), Body(long), OK)
    assert isinstance(step, Transcript) and len(step.text) == MAX_TRANSCRIPT + 1


@given(
    st.one_of(st.binary(), mutated(PARTIAL + FINAL + MORE)),
    st.integers(1, 20),
    st.sampled_from([OK, BodyEnd(), CLOSED, refused("3", "voice")]),
    st.sampled_from(["probe", "server"]),
)
def test_nothing_that_it_sends_raises_and_cuts_change_nothing(
    data: bytes, size: int, last: Incoming, endpointing: str
) -> None:
    whole = answered(HEAD, Body(data), last, endpointing=endpointing)
    pieces = [Body(data[at : at + size]) for at in range(0, len(data), size)]
    assert answered(HEAD, *pieces, last, endpointing=endpointing) == whole
    assert sum(isinstance(step, Transcript | Refused | Malformed) for step in whole) <= 1
    for step in whole:
        assert not isinstance(step, Refused) or (step.reason in REASONS["stt"] and step.message.isprintable())
        assert not isinstance(step, Transcript) or step.text.encode() is not None


@given(st.lists(st.tuples(st.text(max_size=30), st.booleans(), st.floats(0, 1, width=32)), max_size=6))
def test_every_final_result_is_read(said: list[tuple[str, bool, float]]) -> None:
    data = b"".join(framed(response(Result(text, final=final, stability=sure))) for text, final, sure in said)
    finals = [text.strip() for text, final, _ in said if final]
    (step,) = answered(HEAD, Body(data), OK)
    assert isinstance(step, Transcript)
    assert step.text.split() == " ".join(finals).split()


# What it says of itself

PLAN = ServerPlan("riva", "grpc://spark:50051", {"language": "en-US"}, {"function-id": "f"})
ENGLISH = {"model": "parakeet-en", "version": "1.1", "language_code": "en-US", "type": "online"}
SPANISH = {"model": "parakeet-es", "language_code": "es-US"}
OFFLINE = {"model": "whisper", "language_code": "en-US", "type": "offline"}
WHOLE = {"model": "canary", "language_code": "en-US", "streaming": "False"}


@pytest.mark.parametrize(
    ("options", "models", "identity", "listed"),
    [
        ({}, [ENGLISH], ServerIdentity("parakeet-en", "1.1"), ("parakeet-en",)),
        ({}, [OFFLINE, WHOLE, SPANISH, ENGLISH], ServerIdentity("parakeet-en", "1.1"), ("parakeet-en", "parakeet-es")),
        ({"language": "es-US"}, [ENGLISH, SPANISH], ServerIdentity("parakeet-es"), ("parakeet-es", "parakeet-en")),
        ({"model": "parakeet-es"}, [ENGLISH, SPANISH], ServerIdentity("parakeet-es"), ("parakeet-en", "parakeet-es")),
        ({"model": "nobody"}, [ENGLISH], ServerIdentity(), ("parakeet-en",)),
        ({}, [OFFLINE], ServerIdentity(), None),
        ({}, [], ServerIdentity(), None),
    ],
)
def test_its_description(
    options: Mapping[str, str],
    models: list[Mapping[str, str]],
    identity: ServerIdentity,
    listed: tuple[str, ...] | None,
) -> None:
    plan = ServerPlan(PLAN.protocol, PLAN.url, {**PLAN.options, **options})
    (asks_identity,), (asks_signs,) = HEARING.identity(plan), HEARING.signs(plan)
    assert read_of(asks_identity, server.config(*models)) == identity
    assert read_of(asks_signs, server.config(*models)) == (None if listed is None else Sign(None, None, listed))


def read_of(question: Any, body: bytes) -> Any:
    """What is read of an answer that comes in pieces."""
    assert question.frame.target.endswith("RivaSpeechRecognition/GetRivaSpeechRecognitionConfig")
    assert (question.url, question.framing, question.frame.body) == ("grpc://spark:50051", "http2", bytes(5))
    hear = question.listen()
    found = [hear(HEAD), *(hear(Body(body[at : at + 7])) for at in range(0, len(body), 7))]
    assert found[:-1] == [None] * (len(found) - 1)
    return found[-1]


def test_it_is_asked_with_its_headers_whether_it_is_ready() -> None:
    (question,) = HEARING.cold(PLAN)
    assert question.frame.headers["function-id"] == "f"  # type: ignore[union-attr]  # of gRPC
    assert HEARING.signs(PLAN)[0].frame.headers["function-id"] == "f"  # type: ignore[union-attr]  # as above
