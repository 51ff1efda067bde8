"""A run's talk with an agent: how its session begins, requests, and events of its answers."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.plan import Pause, ServerPlan
from probe.protocols.base import (
    Answering,
    Audio,
    AudioFormat,
    Connect,
    Done,
    Malformed,
    Question,
    Ready,
    Refused,
    SegmentEnd,
    Send,
    Step,
    Terms,
    Token,
    Unknown,
    Usage,
)
from probe.protocols.base64_audio import MAX_EVENT_BYTES, MAX_PARSED_BYTES
from probe.protocols.openai_realtime import PROTOCOL, dialect, setup
from probe.protocols.openai_realtime.conversation import RealtimeConversation
from probe.record import REASONS
from probe.reference.faults import Json
from probe.reference.faults import realtime as server
from probe.timestamps import NS_PER_S
from probe.transport.framing.base import Binary, Ended, Text

SECOND = NS_PER_S
URL = "ws://spark:8765/v1/realtime"
PCM = bytes(range(200)) * 10
SYSTEM = {"role": "system", "content": "Be brief."}
HELLO = {"role": "user", "content": "Hello?"}
CLOSED = Ended("closed", "by the server")
DEFAULTS = {"sample_rate": 24_000, "max_tokens": 0, "extra_session": {}}


def plan(url: str = URL, **options: Any) -> ServerPlan:
    return ServerPlan("openai_realtime", url, DEFAULTS | options)


def question(*messages: Mapping[str, str]) -> Question:
    return Question(1, (SYSTEM, *(messages or (HELLO,))), Pause(10), 0.7)


def conversation(**options: Any) -> RealtimeConversation:
    return RealtimeConversation(Terms(plan(**options), "run", 10.0))


def sent(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Our events, without their names."""
    found = [json.loads(each.frame.data) for each in steps if isinstance(each, Send) and isinstance(each.frame, Text)]
    return [{name: value for name, value in each.items() if name != "event_id"} for each in found]


def said(*events: Json) -> list[Text]:
    return [Text(json.dumps(each.payload, default=lambda _: "resp_1").encode()) for each in events]


def heard(talk: RealtimeConversation, *events: Json, at: int = 5) -> list[Step]:
    """The events, without those that nobody needs."""
    return [
        step for frame in said(*events) for step in talk.received(frame, at) if not isinstance(step, Unknown | Send)
    ]


def opened(talk: RealtimeConversation, asked: Question | None = None) -> RealtimeConversation:
    """With its session set up, as most servers do it."""
    talk.prepare(asked or question())
    begin, *_ = talk.open(0)
    assert begin == Connect()
    steps = heard(talk, server.session(), server.session("updated"))
    assert steps == [AudioFormat(24_000), Ready()]
    return talk


def asked(talk: RealtimeConversation | None = None) -> RealtimeConversation:
    talk = talk or opened(conversation())
    list(talk.ask(question(), 1))
    return talk


# How a session begins


def test_a_greeting_tells_the_dialect_and_the_session_is_told_in_it() -> None:
    for greeting, session in (
        (
            server.session(),
            {
                "type": "realtime",
                "output_modalities": ["audio"],
                "instructions": "Be brief.",
                "audio": {
                    "input": {"turn_detection": None},
                    "output": {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "leo"},
                },
                "max_output_tokens": 100,
                "tools": [],
            },
        ),
        (
            server.beta_session(),
            {
                "modalities": ["audio", "text"],
                "instructions": "Be brief.",
                "turn_detection": None,
                "voice": "leo",
                "max_response_output_tokens": 100,
                "tools": [],
            },
        ),
    ):
        talk = conversation(voice="leo", max_tokens=100, extra_session={"tools": []})
        talk.prepare(question())
        assert [*talk.open(0)] == [Connect()]
        (frame,) = said(greeting)
        assert sent(talk.received(frame, 5)) == [{"type": "session.update", "session": session}]


def test_a_server_that_says_nothing_first_is_told_after_a_while_and_waited_for_as_long_as_it_may_take() -> None:
    talk = conversation()
    talk.prepare(question())
    list(talk.open(0))
    assert talk.wakes_at() == round(setup.GREETING_S * SECOND)
    (update,) = sent(talk.wake(SECOND))
    assert update["type"] == "session.update"
    assert talk.wakes_at() is None
    assert heard(talk, server.session("updated")) == [AudioFormat(24_000), Ready()]


def test_a_dialect_that_is_configured_is_spoken_at_once() -> None:
    talk = conversation(dialect="beta")
    talk.prepare(question())
    assert "modalities" in sent(talk.open(0))[0]["session"]


def test_a_server_that_never_confirms_is_asked_all_the_same() -> None:
    talk = conversation()
    talk.prepare(question())
    list(talk.open(0))
    assert heard(talk, server.session(), at=SECOND) == []
    assert talk.wakes_at() == SECOND + round(setup.CONFIRMED_S * SECOND)
    assert [*talk.wake(2 * SECOND)] == [AudioFormat(24_000), Ready()]


def test_a_complaint_is_none_where_the_session_is_confirmed_and_the_end_where_it_is_not() -> None:
    for confirmed in (True, False):
        talk = conversation()
        talk.prepare(question())
        list(talk.open(0))
        found = heard(talk, server.session(), server.error("not supported", code="invalid_value"))
        assert [(each.fatal, each.said) for each in found if isinstance(each, Refused)] == [(False, "not supported")]
        if confirmed:
            assert heard(talk, server.session("updated")) == [AudioFormat(24_000), Ready()]
        else:
            (refused,) = talk.wake(2 * SECOND)
            assert isinstance(refused, Refused) and refused.fatal


@pytest.mark.parametrize("code", ["session_limit_reached", "rate_limit_exceeded"])
@pytest.mark.parametrize("place", ["code", "type"])
def test_a_server_whose_sessions_are_taken_is_busy(code: str, place: str) -> None:
    talk = conversation()
    talk.prepare(question())
    list(talk.open(0))
    (refused,) = heard(talk, server.event("error", error={place: code, "message": "Only one at a time"}))
    assert isinstance(refused, Refused)
    assert (refused.busy, refused.fatal, refused.said) == (True, True, "Only one at a time")


def test_audio_of_another_kind_is_refused() -> None:
    talk = conversation()
    talk.prepare(question())
    list(talk.open(0))
    output = {"format": {"type": "audio/pcmu"}}
    (refused,) = heard(talk, server.session(), server.session("updated", audio={"output": output}))
    assert isinstance(refused, Refused) and refused.reason == "wrong_format"


@pytest.mark.parametrize(
    ("session", "form"),
    [
        ({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 16_000}}}}, dialect.Format(16_000)),
        ({"output_audio_format": "pcm16"}, dialect.Format()),
        ({"output_audio_format": "g711_ulaw"}, dialect.Format(other=True)),
        ({"audio": {"output": {"format": {"rate": 10**9}}}}, dialect.Format()),
        ({"audio": [], "output_audio_format": 7}, dialect.Format()),
    ],
)
def test_what_a_session_says_of_its_audio(session: dict[str, Any], form: dialect.Format) -> None:
    assert dialect.audio_format(session) == form


@pytest.mark.parametrize(
    ("url", "options", "dialled"),
    [
        (URL, {"model": "qwen omni"}, f"{URL}?model=qwen+omni"),
        (f"{URL}?duplex=1", {"model": "m"}, f"{URL}?duplex=1&model=m"),
        (f"{URL}?model=other", {"model": "m"}, f"{URL}?model=other"),
        (URL, {}, URL),
    ],
)
def test_the_model_is_in_the_url(url: str, options: dict[str, Any], dialled: str) -> None:
    assert PROTOCOL.dialled(plan(url, **options)).url == dialled


def test_servers_of_before_are_asked_for_what_they_speak() -> None:
    assert PROTOCOL.dialled(plan(dialect="beta")).headers == {"OpenAI-Beta": "realtime=v1"}
    assert PROTOCOL.dialled(plan(dialect="ga")).headers == {}
    own = ServerPlan("openai_realtime", URL, DEFAULTS | {"dialect": "beta"}, {"openai-beta": "x"})
    assert PROTOCOL.dialled(own).headers == {"openai-beta": "x"}


# What is asked


def test_a_question_is_an_item_and_a_request_for_a_response() -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}
    steps = sent(opened(conversation()).ask(question(), 1))
    assert steps == [{"type": "conversation.item.create", "item": item}, {"type": "response.create"}]


def test_the_next_question_is_all_that_is_told_and_a_new_connection_is_told_everything() -> None:
    talk = asked()
    heard(talk, *(each for each in server.answer(" Hi.") if isinstance(each, Json)))
    later = question(HELLO, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Well?"})
    assert [*talk.open(2)] == [Connect(), AudioFormat(24_000), Ready()]
    assert [each.get("item", {}).get("role") for each in sent(talk.ask(later, 3))] == ["user", None]

    list(talk.received(CLOSED, 4))
    opened(talk, later)
    told = sent(talk.ask(later, 5))
    assert [each.get("item", {}).get("role") for each in told] == ["user", "assistant", "user", None]
    assert told[1]["item"]["content"] == [{"type": "output_text", "text": "Hi."}]


# The events of its answers


@pytest.mark.parametrize("form", ["ga", "beta"])
def test_a_response(form: server.Dialect) -> None:
    talk = asked()
    found = heard(
        talk, server.CREATED, server.RATE_LIMITS, server.words(" Hi", form), server.words(" you.", form),
        server.sound(PCM, form), server.sound_done(form), server.all_words(" Hi you.", form), server.done(),
    )  # fmt: skip
    assert found == [
        Answering("scripted"), Token(" Hi"), Token(" you."), Audio(PCM), SegmentEnd(), Usage(5), Done("completed"),
    ]  # fmt: skip


def test_text_that_comes_as_whole_sentences_is_kept_apart() -> None:
    """As huggingface/speech-to-speech writes it."""
    found = heard(asked(), server.CREATED, server.all_words("One."), server.all_words("Two."), server.all_words(" 3"))
    assert found[1:] == [Token("One."), Token(" Two."), Token(" 3")]


def test_a_sample_may_be_cut_between_two_events() -> None:
    found = heard(asked(), server.sound(PCM[:3]), server.sound(PCM[3:]), server.done())
    assert b"".join(each.pcm for each in found if isinstance(each, Audio)) == PCM


def test_a_long_event_is_read_without_looking_into_its_audio() -> None:
    pcm = bytes(range(256)) * 2000
    for frame in (said(server.sound(pcm))[0].data, json.dumps(server.sound(pcm).payload, default=str).encode()):
        assert len(frame) > MAX_PARSED_BYTES
        assert [*asked().received(Text(frame.replace(b"/", b"\\/")), 5)] == [Audio(pcm)]


@pytest.mark.parametrize(
    "frame",
    [
        b'{"type": "response.audio.delta", "delta": "' + b"A" * MAX_EVENT_BYTES + b'"}',
        b'{"type": "response.audio.delta", "delta": "AAAA", "x": "' + b"A" * MAX_PARSED_BYTES + b'"}',
        b"[" * (MAX_PARSED_BYTES + 1),
        b'{"delta"' + b" " * MAX_PARSED_BYTES + b"}",
    ],
)
def test_what_is_too_long_is_a_flood(frame: bytes) -> None:
    (refused,) = asked().received(Text(frame), 5)
    assert isinstance(refused, Refused) and refused.reason == "flood"


def test_what_is_left_of_another_response_is_nothing() -> None:
    other = server.event("response.output_audio.delta", delta="AAAA", response_id="resp_0")
    assert heard(asked(), server.CREATED, other) == [Answering("scripted")]


@pytest.mark.parametrize(
    ("end", "step"),
    [
        (server.done(), Done("completed")),
        (server.done("incomplete", status_details={"reason": "max_output_tokens"}), Done("max_output_tokens")),
        (server.done("incomplete", status_details={"reason": "a text of the server's"}), Done("other")),
        (server.event("response.done", response=7), Done(None)),
    ],
)
def test_how_a_response_ends(end: Json, step: Step) -> None:
    assert heard(asked(), end)[-1] == step


@pytest.mark.parametrize(
    ("end", "reason", "busy"),
    [
        (server.failed("server_error", "CUDA"), "server_error", False),
        (server.failed("rate_limit_exceeded", "CUDA"), "server_error", True),
        (server.failed("model_not_found", "CUDA"), "not_found", False),
        (server.done("cancelled"), "server_error", False),
    ],
)
def test_a_response_that_came_to_nothing(end: Json, reason: str, busy: bool) -> None:
    refused = heard(asked(), end)[-1]
    assert isinstance(refused, Refused) and refused.fatal
    assert (refused.reason, refused.busy) == (reason, busy)


def test_cancelling_is_over_when_the_server_says_so() -> None:
    for word in (server.done("cancelled"), server.error("no response", code="response_cancel_not_active")):
        talk = asked()
        assert sent(talk.release(2, 0)) == [{"type": "response.cancel"}]
        assert sent(talk.release(2, 0)) == [] and talk.holds
        heard(talk, word)
        assert not talk.holds
    talk = asked()
    list(talk.release(2, 0))
    assert heard(talk, server.done("cancelled"))[-1] == Done("cancelled")
    assert [*conversation().release(2, 0)] == []


def test_an_error_is_the_end_where_it_is_about_the_question_or_nothing_has_come_of_that() -> None:
    talk = asked()
    named = server.error("no such thing", event_id="probe_3")
    other = server.error("no such thing", event_id="probe_1")
    assert [(each.fatal) for each in heard(talk, server.CREATED, other) if isinstance(each, Refused)] == [False]
    assert [(each.fatal) for each in heard(talk, named) if isinstance(each, Refused)] == [True]
    assert [(each.fatal) for each in heard(asked(), server.error("no")) if isinstance(each, Refused)] == [True]
    found = heard(asked(), server.CREATED, server.error("no"))
    assert [(each.fatal) for each in found if isinstance(each, Refused)] == [False]


@pytest.mark.parametrize(
    "frame",
    [
        Text(b"{"), Text(b"[]"), Text(b'{"type": 7}'), Text(b"{}"), Binary(b"\0\0"),
        Text(b'{"type": "response.audio.delta"}'), Text(b'{"type": "response.audio.delta", "delta": "?"}'),
    ],
)  # fmt: skip
def test_what_is_not_the_protocol(frame: Text | Binary) -> None:
    (wrong,) = asked().received(frame, 5)
    assert isinstance(wrong, Malformed)


@pytest.mark.parametrize(("begin", "name"), [(b"OggS", "Ogg (Opus or Vorbis)"), (b"RIFF", "WAV"), (b"ID3", "MP3")])
def test_sound_that_is_no_samples_is_refused(begin: bytes, name: str) -> None:
    (refused,) = heard(asked(), server.sound(begin + PCM))
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.message) == ("wrong_format", f"{name} instead of 16-bit mono PCM")


events = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["completed", "x"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ("type", "delta", "response", "session", "error", "id", "response_id", "status", "status_details", "usage",
             "audio", "output", "format", "rate", "code", "message", "event_id", "reason", "transcript")
        ),
        inner,
        max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip
kinds = st.sampled_from(
    ("session.created", "session.updated", "error", "response.created", "response.done", "response.audio.delta",
     "response.output_audio.done", "response.text.delta", "response.output_audio_transcript.done", "other")
)  # fmt: skip


@given(st.lists(st.tuples(kinds, events), max_size=8), st.booleans())
def test_whatever_an_event_says_it_is_none_that_raises(said: list[tuple[str, Any]], ready: bool) -> None:
    talk = asked() if ready else conversation()
    if not ready:
        talk.prepare(question())
        list(talk.open(0))
    for kind, fields in said:
        document = {**(fields if isinstance(fields, dict) else {"delta": fields, "session": fields}), "type": kind}
        for step in talk.received(Text(json.dumps(document).encode()), 5):
            assert not isinstance(step, Refused) or step.reason in REASONS["tts"]
