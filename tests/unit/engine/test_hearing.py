"""When a server is said to have cut a person off, by times and texts that are given."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from probe.engine.faults import Fault
from probe.engine.hearing import Hearing
from probe.heard import Utterance
from probe.protocols.base import Event, SpeechStopped, Transcript

if TYPE_CHECKING:
    from probe.engine.session import Session
    from probe.protocols.hearing import SttConversation

SAID = "I would like a table for two people please"
END = 1000


class _Silent:
    """Takes reports of events."""

    def report(self, *_event: Any, **_more: Any) -> None:
        """Nobody watches."""


def heard(*events: tuple[Event, int]) -> Hearing:
    """A hearing whose speech ended at END, and that read these events when they came."""
    utterance = Utterance(bytes(640), 16_000, 0, 320, SAID)
    hearing = Hearing(cast("Session", _Silent()), cast("SttConversation", None), utterance)
    hearing._began, hearing._end = True, END
    for event, at in events:
        hearing.on_event(event, at)
    return hearing


@pytest.mark.parametrize("event", [SpeechStopped(), Transcript(SAID)])
def test_what_came_before_the_last_frame_was_written_is_too_early_though_read_after_it(event: Event) -> None:
    with pytest.raises(Fault) as found:
        heard((event, END - 1))
    assert found.value.reason == "ended_early"
    assert heard((event, END)).heard().speech_end == END


def test_two_missing_words_at_the_end_are_an_early_end() -> None:
    hearing = heard((SpeechStopped(), END + 1), (Transcript("I would like a table for two"), END + 2))
    with pytest.raises(Fault, match="the last 2 are missing") as found:
        hearing._require_understood()
    assert found.value.reason == "ended_early"


@pytest.mark.parametrize(
    "text", ["I would like a table for two people", "I would like a table for to people peas", SAID]
)
def test_one_missing_word_or_wrong_ones_are_errors_of_words(text: str) -> None:
    heard((SpeechStopped(), END + 1), (Transcript(text), END + 2))._require_understood()


def test_a_server_that_was_told_the_end_cuts_nobody_off() -> None:
    heard((Transcript("I would like a table"), END + 2))._require_understood()
