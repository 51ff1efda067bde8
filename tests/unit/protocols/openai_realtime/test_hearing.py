"""What a Realtime agent says of the speech that it is played."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.plan import Pause, ServerPlan
from probe.protocols.base import (
    Answering,
    Audio,
    Done,
    Malformed,
    Question,
    Refused,
    Send,
    SpeechStopped,
    Step,
    Terms,
    Transcript,
    Unknown,
)
from probe.protocols.openai_realtime.conversation import RealtimeConversation
from probe.record import REASONS
from probe.transport.framing.base import Ended, Text

SYSTEM = {"role": "system", "content": "Be brief."}
DEFAULTS = {"sample_rate": 24_000, "input_rate": 24_000, "max_tokens": 0, "extra_session": {}}
CREATED = {"type": "session.created", "session": {"output_modalities": ["audio"], "audio": {}}}
UPDATED = {**CREATED, "type": "session.updated"}
TRANSCRIPTION = "conversation.item.input_audio_transcription"


def conversation(endpointing: str = "server", **options: Any) -> RealtimeConversation:
    """One whose session is set up, and that has begun to be played something."""
    server = ServerPlan("openai_realtime", "ws://spark/v1/realtime", DEFAULTS | {"endpointing": endpointing} | options)
    talk = RealtimeConversation(Terms(server, "run", 10.0))
    set_up(talk)
    asked(talk.begin(0))
    return talk


def set_up(talk: RealtimeConversation, *before: dict[str, str]) -> None:
    talk.prepare(Question(1, (SYSTEM, *before), Pause(10), 0.7))
    asked(talk.open(0))
    said(talk, CREATED)
    said(talk, UPDATED)


def asked(steps: Iterable[Step]) -> list[dict[str, Any]]:
    return [json.loads(each.frame.data) for each in steps if isinstance(each, Send) and isinstance(each.frame, Text)]


def said(talk: RealtimeConversation, event: dict[str, Any]) -> list[Step]:
    return [*talk.received(Text(json.dumps(event).encode()), 0)]


def of_item(kind: str, item: str = "item_1", **fields: Any) -> dict[str, Any]:
    return {"type": kind, "item_id": item, **fields}


def test_speech_is_appended_and_only_who_is_told_the_end_is_told_it() -> None:
    by_itself, told = conversation(), conversation("probe")
    (piece,) = asked(by_itself.hear(b"\x01\x02", 0))
    assert (piece["type"], piece["audio"]) == ("input_audio_buffer.append", "AQI=")
    assert asked(by_itself.end(0)) == []
    assert [each["type"] for each in asked(told.end(0))] == ["input_audio_buffer.commit"]


def test_the_end_and_the_transcript_are_of_the_item_that_was_said_now() -> None:
    talk = conversation()
    assert said(talk, of_item("input_audio_buffer.speech_stopped")) == [SpeechStopped()]
    assert said(talk, of_item("input_audio_buffer.speech_stopped")) == [Unknown()], "once"
    assert said(talk, of_item(f"{TRANSCRIPTION}.delta", delta="Hel")) == [Unknown()]
    assert said(talk, of_item(f"{TRANSCRIPTION}.completed", transcript="Hello")) == [Transcript("Hello")]
    asked(talk.begin(0))
    assert said(talk, of_item(f"{TRANSCRIPTION}.completed", transcript="Hello")) == [Unknown()], "of the turn before"
    assert said(talk, of_item(f"{TRANSCRIPTION}.completed", "item_3", transcript="Yes")) == [Transcript("Yes")]


def test_a_transcript_without_a_text_is_malformed_and_one_that_failed_is_none() -> None:
    (event,) = said(conversation(), of_item(f"{TRANSCRIPTION}.completed"))
    assert isinstance(event, Malformed)
    failed = of_item(f"{TRANSCRIPTION}.failed", error={"message": "no weights", "code": "rate_limit_exceeded"})
    (event,) = said(conversation(), failed)
    assert isinstance(event, Refused) and (event.reason, event.busy, event.fatal) == ("no_transcript", False, True)
    assert "no weights" in event.said and "no weights" not in event.message


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"type": "invalid_request_error", "message": "unknown event"}, "audio_refused"),
        ({"type": "server_error", "message": "oops"}, "server_error"),
        ({"type": "server_error", "code": "input_audio_buffer_commit_empty"}, "audio_refused"),
        ({"type": "server_error", "code": "invalid_api_key"}, "unauthorized"),
    ],
)
def test_an_error_while_it_listens_is_about_the_audio(error: dict[str, str], reason: str) -> None:
    (event,) = said(conversation(), {"type": "error", "error": error})
    assert isinstance(event, Refused) and event.fatal and event.reason == reason
    assert reason in REASONS["stt"]


def test_an_error_about_a_piece_of_audio_is_known_by_its_name() -> None:
    talk = conversation()
    (piece,) = asked(talk.hear(b"\x01\x02", 0))
    said(talk, of_item("input_audio_buffer.speech_stopped"))
    (event,) = said(talk, {"type": "error", "error": {"event_id": piece["event_id"], "message": "too loud"}})
    assert isinstance(event, Refused) and event.reason == "audio_refused"


def test_a_new_connection_is_told_what_was_said_before_the_speech() -> None:
    talk = conversation()
    said(talk, of_item("input_audio_buffer.speech_stopped"))
    assert [*talk.received(Ended("closed", "by the server"), 0)] == []
    set_up(talk, {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."})
    items = asked(talk.begin(0))
    assert [each["item"]["content"][0]["text"] for each in items] == ["Hello", "Hi."]
    # On the same connection, none of it again.
    talk.prepare(Question(2, (SYSTEM, *[{"role": "user", "content": "Hello"}] * 4), Pause(10), 0.7))
    assert asked(talk.begin(0)) == []


@pytest.mark.parametrize("kind", ["speech_started", "speech_stopped", "committed"])
def test_what_is_said_into_the_answer_is_not_what_it_answers_whatever_names_it(kind: str) -> None:
    talk = conversation()
    said(talk, of_item("input_audio_buffer.speech_stopped"))
    said(talk, created("r1"))
    talk.interrupt()
    assert said(talk, of_item(f"input_audio_buffer.{kind}", "item_2")) == [Unknown()]
    assert said(talk, of_item(f"{TRANSCRIPTION}.failed", "item_2", error={})) == [Unknown()]
    assert said(talk, of_item(f"{TRANSCRIPTION}.completed", "item_2", transcript="Stop!")) == [Unknown()]
    assert said(talk, of_item("input_audio_buffer.committed")) == [Unknown()], "late, and of the first"
    assert said(talk, of_item(f"{TRANSCRIPTION}.completed", transcript="Hello")) == [Transcript("Hello")]


def test_the_name_of_what_was_cleared_may_be_used_again_for_the_next_speech() -> None:
    talk = conversation()
    started, stopped = (
        {"type": f"input_audio_buffer.speech_{each}", "item_id": "b"} for each in ("started", "stopped")
    )
    said(talk, {"type": "response.created", "response": {"id": "one"}})
    talk.interrupt()
    said(talk, started)
    asked(talk.interrupted(500))
    asked(talk.begin(0))
    assert said(talk, stopped) == [Unknown()], "of what was said into the answer"
    assert said(talk, started) == [Unknown()]
    assert said(talk, stopped) == [SpeechStopped()]
    transcript = {"type": f"{TRANSCRIPTION}.completed", "item_id": "b", "transcript": "Hello."}
    assert said(talk, transcript) == [Transcript("Hello.")]


def test_a_transcript_names_what_was_said_where_nothing_else_does() -> None:
    talk = conversation("probe")
    assert said(talk, of_item(f"{TRANSCRIPTION}.completed", transcript="Hello")) == [Transcript("Hello")]
    asked(talk.begin(0))
    assert said(talk, of_item(f"{TRANSCRIPTION}.completed", transcript="Hello, you.")) == [Unknown()], "corrected late"


def test_a_new_session_may_use_the_names_of_the_one_before() -> None:
    talk = conversation()
    said(talk, of_item("input_audio_buffer.speech_stopped"))
    said(talk, created("r1"))
    assert [*talk.received(Ended("closed", "by the server"), 0)] == []
    set_up(talk)
    asked(talk.begin(0))
    assert said(talk, of_item("input_audio_buffer.speech_stopped")) == [SpeechStopped()]
    assert said(talk, audio("r1")) == [Audio(b"\0\0\0\0")]


def created(name: str) -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": name}}


def audio(name: str) -> dict[str, Any]:
    return {"type": "response.output_audio.delta", "response_id": name, "delta": "AAAAAA=="}


def done(name: str, status: str = "completed") -> dict[str, Any]:
    return {"type": "response.done", "response": {"id": name, "status": status}}


@pytest.mark.parametrize("endpointing", ["server", "probe"])
def test_what_is_left_of_an_earlier_response_is_no_answer_to_what_is_said_now(endpointing: str) -> None:
    """One that was interrupted, and the one that was begun for that: they end when they like."""
    talk = conversation(endpointing)
    question = Question(1, (SYSTEM,), Pause(10), 0.7)
    asked(() if talk.finds_end else talk.ask(question, 0))
    said(talk, created("r1"))
    said(talk, audio("r1"))
    talk.interrupt()
    assert said(talk, created("r2")) == [Done(reason="cancelled")]
    asked(talk.begin(0))
    asked(() if talk.finds_end else talk.ask(question, 0))
    for late in (audio("r1"), done("r1"), audio("r2"), done("r2", "cancelled")):
        assert said(talk, late) == [Unknown()]
    assert said(talk, created("r3")) == [Answering(None)]
    assert said(talk, audio("r2")) == [Unknown()]
    assert said(talk, audio("r3")) == [Audio(b"\0\0\0\0")]
    assert said(talk, done("r3")) == [Done(reason="completed")]


def test_a_server_that_calls_each_of_its_responses_the_same_is_heard() -> None:
    talk = conversation()
    for _ in range(2):
        assert said(talk, created("r")) == [Answering(None)]
        assert said(talk, audio("r")) == [Audio(b"\0\0\0\0")]
        assert said(talk, done("r")) == [Done(reason="completed")]
        asked(talk.begin(0))


def test_what_it_has_not_heard_to_the_end_needs_no_cancelling() -> None:
    talk = conversation()
    assert [*talk.release(0, 0)] == []
    said(talk, of_item("input_audio_buffer.speech_stopped"))
    assert [each["type"] for each in asked(talk.release(0, 0))] == ["response.cancel"]


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
JSON = st.recursive(VALUES, lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(max_size=4), of, max_size=3))
KINDS = (
    "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
    f"{TRANSCRIPTION}.completed", f"{TRANSCRIPTION}.failed", "error", "response.created", "response.done",
)  # fmt: skip
FIELDS = ("item_id", "transcript", "error", "response", "event_id")


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), JSON)), max_size=6))
def test_whatever_is_in_an_event_it_is_no_exception(events: list[tuple[str, dict[str, Any]]]) -> None:
    talk = conversation()
    talk.interrupt()
    for kind, fields in events:
        for step in said(talk, {"type": kind, **fields}):
            if isinstance(step, Refused):
                assert step.reason in REASONS["stt"] or step.reason in REASONS["llm"]


def test_a_server_that_answers_may_still_say_that_the_speech_is_over_once() -> None:
    talk = conversation()
    said(talk, created("r1"))
    assert said(talk, of_item("input_audio_buffer.speech_stopped")) == [SpeechStopped()]
    assert said(talk, of_item("input_audio_buffer.speech_stopped")) == [Unknown()]
    manual = conversation("probe")
    asked(manual.end(0))
    assert said(manual, of_item("input_audio_buffer.speech_stopped")) == [Unknown()], "the probe has said it"
