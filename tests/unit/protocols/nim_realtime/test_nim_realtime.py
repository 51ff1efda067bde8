"""A turn with the realtime WebSocket of NVIDIA's speech NIM: requests, and events of its answers."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.plan import ServerPlan
from probe.protocols.base import (
    Audio,
    Close,
    Connect,
    Done,
    Malformed,
    Ready,
    Refused,
    SegmentEnd,
    Send,
    Step,
    Terms,
    Unknown,
)
from probe.protocols.nim_realtime import PROTOCOL, NimRealtime
from probe.record import REASONS
from probe.reference.faults import Json
from probe.reference.faults import nim_realtime as server
from probe.transport.framing.base import Binary, Ended, Text

URL = "ws://spark:9000/v1/realtime"
PCM = bytes(range(200))
TEXT = "Grüß dich."
CLOSED = Ended("closed", "by the server")


def plan(url: str = URL, **options: Any) -> ServerPlan:
    return ServerPlan("nim_realtime", url, {"sample_rate": 22_050, "language": "en-US", **options})


def sent(steps: Iterable[Step]) -> list[Any]:
    """Each step, and an event of ours as its document."""
    return [
        json.loads(each.frame.data) if isinstance(each, Send) and isinstance(each.frame, Text) else each
        for each in steps
    ]


def heard(talk: NimRealtime, *events: Json) -> list[Any]:
    frames = [Text(json.dumps(event.payload).encode()) for event in events]
    return sent(step for frame in frames for step in talk.received(frame, 2) if not isinstance(step, Unknown))


def opened(**options: Any) -> NimRealtime:
    talk = NimRealtime(Terms(plan(**options), "run", 10.0))
    list(talk.open(0))
    heard(talk, server.CREATED, server.UPDATED)
    return talk


def asked() -> NimRealtime:
    talk = opened()
    list(talk.speak(TEXT, 1))
    return talk


def test_it_is_told_who_speaks_once_it_has_greeted() -> None:
    talk = NimRealtime(Terms(plan(voice="Aria"), "run", 10.0))
    assert [*talk.open(0)] == [Connect()]
    session = {
        "input_text_synthesis": {"language_code": "en-US", "voice_name": "Aria"},
        "output_audio_params": {"sample_rate_hz": 22_050, "num_channels": 1, "audio_format": "LINEAR_PCM"},
    }
    assert heard(talk, server.CREATED) == [{"type": "synthesize_session.update", "session": session}]
    assert heard(talk, server.UPDATED) == [Ready()]


def test_each_text_is_committed_and_the_last_one_is_said_to_be_that() -> None:
    talk = opened()
    commit = [{"type": "input_text.append", "text": TEXT}, {"type": "input_text.commit"}]
    assert sent(talk.speak(TEXT, 1)) == commit
    assert heard(talk, server.sound(PCM[:3]), server.sound(PCM[3:]), server.COMPLETED) == [
        Audio(PCM[:2]), Audio(PCM[2:]), SegmentEnd(),
    ]  # fmt: skip
    assert sent(talk.speak(TEXT, 3)) == commit
    assert sent(talk.close(4)) == [{"type": "input_text.done"}]
    assert heard(talk, server.sound(PCM), server.COMPLETED) == [Audio(PCM), SegmentEnd(), Done()]
    assert [*talk.open(5)] == [Close(), Connect()]


def test_a_turn_in_which_nothing_is_going_on_is_over_at_once() -> None:
    assert [*opened().close(1)] == [Done()]


def test_what_the_endpoint_is_to_do_is_in_the_url() -> None:
    assert PROTOCOL.dialled(plan()).url == f"{URL}?intent=synthesize"
    assert PROTOCOL.dialled(plan(f"{URL}?intent=other&a=b")).url == f"{URL}?intent=other&a=b"


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([server.error("CUDA")], "server_error"),
        ([server.error("unknown voice")], "unknown_voice"),
        ([Json({"type": "error", "message": "CUDA"})], "server_error"),
        ([server.COMPLETED], "no_audio"),
        ([server.sound(b"OggS" + PCM)], "wrong_format"),
    ],
)
def test_what_ends_a_run(events: list[Json], reason: str) -> None:
    refused = heard(asked(), *events)[-1]
    assert isinstance(refused, Refused) and refused.fatal
    assert refused.reason == reason and reason in REASONS["tts"]


@pytest.mark.parametrize(
    "frame",
    [Text(b"{"), Text(b"{}"), Binary(PCM), Text(b'{"type": "conversation.item.speech.data"}')],
)
def test_what_is_not_the_protocol(frame: Text | Binary) -> None:
    (wrong,) = asked().received(frame, 2)
    assert isinstance(wrong, Malformed)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(("type", "error", "message", "audio")),
            st.none() | st.booleans() | st.integers() | st.text(max_size=5)
            | st.sampled_from(("conversation.created", "conversation.item.speech.data", "error", "AAAA")),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_whatever_comes_nothing_raises(said: list[dict[str, Any]]) -> None:
    for talk in (asked(), NimRealtime(Terms(plan(), "run", 10.0))):
        for each in said:
            list(talk.received(Text(json.dumps(each).encode()), 2))
        list(talk.received(CLOSED, 3))
