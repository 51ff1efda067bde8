"""A turn with vLLM-Omni's speech WebSocket: requests, and events of its answers."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.plan import ServerPlan
from probe.protocols.base import (
    Audio,
    AudioFormat,
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
from probe.protocols.vllm_speech import VllmSpeech
from probe.record import REASONS
from probe.reference.faults import Binary as Sound
from probe.reference.faults import Json
from probe.reference.faults import vllm_speech as server
from probe.transport.framing.base import Binary, Ended, Incoming, Text

PCM = bytes(range(200))
TEXT = "Grüß dich."
CLOSED = Ended("closed", "by the server")
CONFIG = {"type": "session.config", "response_format": "pcm", "stream_audio": True}


def conversation(**options: Any) -> VllmSpeech:
    return VllmSpeech(Terms(ServerPlan("vllm_speech", "ws://h", {"sample_rate": 24_000, **options}), "run", 10.0))


def sent(steps: Iterable[Step]) -> list[Any]:
    """Each step, and an event of ours as its document."""
    return [
        json.loads(each.frame.data) if isinstance(each, Send) and isinstance(each.frame, Text) else each
        for each in steps
    ]


def asked(**options: Any) -> VllmSpeech:
    talk = conversation(**options)
    list(talk.open(0))
    list(talk.speak(TEXT, 1))
    return talk


def heard(talk: VllmSpeech, *events: Any) -> list[Step]:
    found: list[Step] = []
    for event in events:
        frame: Incoming = event
        if isinstance(event, Sound):
            frame = Binary(event.data)
        elif isinstance(event, Json):
            frame = Text(json.dumps(event.payload).encode())
        found += [step for step in talk.received(frame, 2) if not isinstance(step, Unknown)]
    return found


def test_who_speaks_is_said_once_and_each_text_is_an_utterance() -> None:
    talk = conversation(voice="vivian", model="m", extra_config={"speed": 1.2})
    config = {**CONFIG, "voice": "vivian", "model": "m", "speed": 1.2}
    assert sent(talk.open(0)) == [Connect(), config, Ready()]
    text = [{"type": "input.text", "text": TEXT}, {"type": "input.done"}]
    assert sent(talk.speak(TEXT, 1)) == [Connect(), *text]
    list(talk.received(CLOSED, 2))
    assert sent(talk.speak(TEXT, 3)) == [Connect(), config, *text]


def test_a_text_and_the_end_of_a_turn() -> None:
    talk = asked()
    events = (server.start(), Sound(PCM[:3]), Sound(PCM[3:]), server.end(), server.DONE)
    found = heard(talk, *events)
    assert found == [AudioFormat(24_000), Audio(PCM[:2]), Audio(PCM[2:]), SegmentEnd()]
    assert [*talk.close(3)] == [Done()]
    list(talk.speak(TEXT, 4))
    assert [*talk.close(5)] == []
    assert heard(talk, *events)[-2:] == [SegmentEnd(), Done()]


def test_a_server_that_ends_an_idle_connection_has_done_nothing_wrong() -> None:
    talk = conversation()
    list(talk.open(0))
    assert [*talk.received(CLOSED, 1)] == [Drop()]
    assert [*asked().received(CLOSED, 1)] == []


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([server.start(channels=2)], "wrong_format"),
        ([server.start(rate=1)], "wrong_format"),
        ([server.start(form="wav")], "wrong_format"),
        ([server.error("CUDA")], "server_error"),
        ([server.error("Voice nobody")], "unknown_voice"),
        ([server.end(error=True)], "server_error"),
        ([server.start(), server.end(), server.DONE], "no_audio"),
    ],
)
def test_what_ends_a_run(events: list[Json], reason: str) -> None:
    refused = heard(asked(), *events)[-1]
    assert isinstance(refused, Refused) and refused.fatal
    assert refused.reason == reason and reason in REASONS["tts"]


@pytest.mark.parametrize("data", [b"{", b"[]", b"{}", b'{"type": 7}'])
def test_what_is_not_the_protocol(data: bytes) -> None:
    (wrong,) = asked().received(Text(data), 2)
    assert isinstance(wrong, Malformed)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(("type", "error", "message", "format", "sample_rate", "channels")),
            st.none() | st.booleans() | st.integers() | st.text(max_size=5)
            | st.sampled_from(("audio.start", "audio.done", "session.done", "error")),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_whatever_comes_nothing_raises(said: list[dict[str, Any]]) -> None:
    talk = asked()
    for each in said:
        list(talk.received(Text(json.dumps(each).encode()), 2))
        list(talk.received(Binary(PCM), 2))
