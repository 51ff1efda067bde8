"""A run's talk with a Magpie server, with bytes alone: what is asked for over several streams, and what is learnt."""

import json
from collections.abc import Iterable

import pytest
from msgspec.structs import asdict

from probe.plan import ServerPlan
from probe.protocols.base import Connect, Done, Ready, SegmentEnd, Send, Step, Terms
from probe.protocols.magpie.conversation import MagpieConversation
from probe.protocols.magpie.options import MagpieOptions
from probe.timestamps import NEVER, NS_PER_S
from probe.transport.framing.base import Binary, Text

SHORT = "Why did the unicorn"
CREATED = {"type": "stream_created", "stream_id": "s"}
MARKER = {"type": "segment_complete", "segment": 1, "audio_ms": 100}
DONE = {"type": "done", "total_audio_ms": 100, "segments_generated": 1}


def talk(**options: str | float) -> MagpieConversation:
    plan = ServerPlan("magpie", "ws://localhost:8001/ws/tts/stream", asdict(MagpieOptions(**options)))  # type: ignore[arg-type]
    return MagpieConversation(Terms(plan, "r1", 10.0))


def asked(steps: Iterable[Step]) -> list[object]:
    """What a server gets, and what is done beside it."""
    return [_request(step) if isinstance(step, Send) else step for step in steps]


def _request(step: Send) -> object:
    assert isinstance(step.frame, Text)
    return json.loads(step.frame.data)["type"]


def says(conversation: MagpieConversation, message: object, at: int) -> list[Step]:
    return list(conversation.received(Text(json.dumps(message).encode()), at))


def opened(conversation: MagpieConversation, at: int = 0) -> None:
    assert asked(conversation.open(at)) == [Connect(), "init"]
    assert says(conversation, CREATED, at + 1) == [Ready()]


def test_a_stream_that_ended_by_itself_is_opened_again_on_the_connection_that_there_is() -> None:
    conversation = talk()
    attribution = conversation.attribution()
    opened(conversation)
    attribution.speak(1, SHORT, 2)
    assert asked(conversation.speak(SHORT, 2)) == ["text"]
    list(conversation.received(Binary(bytes(4400)), 3))
    assert says(conversation, MARKER, 4) == [SegmentEnd(100)]
    assert says(conversation, DONE, 5) == [Done(segments=1)]
    attribution.audio(bytes(4400), 3)
    attribution.marker(4, 100)
    attribution.finish(5, 1)
    assert conversation.wakes_at() is None, "nothing is kept alive that has ended"
    attribution.reopen()
    opened(conversation, 40 * NS_PER_S)
    assert asked(conversation.speak(SHORT, 41 * NS_PER_S)) == ["text"]
    assert asked(conversation.close(42 * NS_PER_S)) == ["close"]


@pytest.mark.parametrize(
    ("generation", "waits_s", "held"), [("older", None, True), ("newer", NEVER, False), (None, 2, False)]
)
def test_what_is_configured_of_the_server_says_how_long_a_short_text_is_waited_for(
    generation: str | None, waits_s: int | None, held: bool
) -> None:
    conversation = talk(**({"generation": generation} if generation else {}))
    attribution = conversation.attribution()
    assert attribution.speak(1, SHORT, 0).held == held
    assert attribution.wakes_at() == (waits_s if waits_s in (None, NEVER) else waits_s * NS_PER_S)


def test_a_marker_in_one_turn_counts_for_the_next() -> None:
    conversation = talk()
    first = conversation.attribution()
    first.speak(1, SHORT, 0)
    first.audio(bytes(4400), 1)
    first.marker(2)
    following = conversation.attribution()
    following.speak(1, SHORT, 10)
    assert following.wakes_at() == NEVER


def test_a_text_that_was_kept_in_one_turn_is_not_waited_for_in_the_next() -> None:
    conversation = talk()
    first = conversation.attribution()
    first.speak(1, SHORT, 0)
    first.expire(2 * NS_PER_S)
    first.speak(2, " cross the road?", 2 * NS_PER_S)
    first.close()
    first.audio(bytes(4400), 3 * NS_PER_S)
    first.finish(4 * NS_PER_S, 1)
    assert conversation.attribution().speak(1, SHORT, 5 * NS_PER_S).held
