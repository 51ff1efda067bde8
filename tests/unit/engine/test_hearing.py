"""When a server is said to have cut a person off, by times and texts that are given."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from probe.engine.faults import Fault
from probe.engine.hearing import Hearing, Playback
from probe.heard import Pause, Utterance
from probe.protocols.base import Event, SpeechStopped, Transcript
from probe.timestamps import NS_PER_MS

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


@pytest.mark.parametrize(
    ("said", "understood"),
    [("42", "forty-two"), ("今天, 天气怎么样?", "今天天气怎么样。"), ("今日の天気は?", "明日の天気は")],
)
def test_who_writes_numbers_or_places_spaces_in_another_way_has_understood(said: str, understood: str) -> None:
    hearing = heard((SpeechStopped(), END + 1), (Transcript(understood), END + 2))
    hearing._utterance = Utterance(bytes(640), 16_000, 0, 320, said)
    hearing._require_understood()


def test_one_word_of_a_script_without_spaces_is_no_early_end_either() -> None:
    def understood(text: str) -> Hearing:
        hearing = heard((SpeechStopped(), END + 1), (Transcript(text), END + 2))
        hearing._utterance = Utterance(bytes(640), 16_000, 0, 320, "今天天气怎么样")
        return hearing

    understood("今天天气")._require_understood()
    with pytest.raises(Fault, match="the last 5 are missing"):
        understood("今天")._require_understood()


def test_words_are_cut_off_however_the_server_writes_those_before_them() -> None:
    hearing = heard((SpeechStopped(), END + 1), (Transcript("a table for two"), END + 2))
    hearing._utterance = Utterance(bytes(640), 16_000, 0, 320, "A table for 2, please, at the window.")
    with pytest.raises(Fault, match="the last 4 are missing"):
        hearing._require_understood()


def test_a_server_that_was_told_the_end_cuts_nobody_off() -> None:
    heard((Transcript("I would like a table"), END + 2))._require_understood()


def paused(*events: tuple[Event, int], ended: bool) -> Hearing:
    """The same with a pause of 800 ms behind the first five words, 100 ms after the voice began, which is at 0."""
    rate = 16_000
    pause = Pause(rate // 10, rate * 9 // 10, 5)
    hearing = heard()
    hearing._utterance = Utterance(bytes(2 * rate), rate, 0, rate, SAID, pauses=(pause,))
    hearing._playback = Playback(hearing._utterance)
    hearing._zero = -hearing._playback.first_voiced
    hearing._played_until, hearing._end = 1000 * NS_PER_MS, 1000 * NS_PER_MS if ended else None
    for event, at_ms in events:
        hearing.on_event(event, at_ms * NS_PER_MS)
    return hearing


def test_an_end_in_a_pause_says_how_far_into_it() -> None:
    with pytest.raises(
        Fault, match="before it was over, 600 ms after it began, 500 ms into a pause of 800 ms"
    ) as found:
        paused((SpeechStopped(), 600), ended=False)
    assert found.value.reason == "ended_early"
    with pytest.raises(Fault, match="before it was over, 50 ms after it began"):
        paused((SpeechStopped(), 50), ended=False)


@pytest.mark.parametrize("events", [[], [(SpeechStopped(), 1001)]], ids=["the probe ends it", "it finds the end"])
def test_a_transcript_that_ends_at_a_pause_was_cut_off_there_whoever_finds_the_end(
    events: list[tuple[Event, int]],
) -> None:
    hearing = paused(*events, (Transcript("I would like a table."), 1002), ended=True)
    with pytest.raises(
        Fault, match="the last 4 are missing, from a pause of 800 ms on, 100 ms after it began"
    ) as found:
        hearing._require_understood()
    assert found.value.reason == "ended_early"
    elsewhere = paused((Transcript("I would like a table for"), 1002), ended=True)
    elsewhere._require_understood()


def test_a_pause_that_was_not_played_yet_is_not_in_the_result() -> None:
    hearing = paused(ended=False)
    assert [each.start for each in hearing.heard().pauses] == [100 * NS_PER_MS]
    hearing._played_until = 90 * NS_PER_MS
    assert hearing.heard().pauses == ()


@pytest.mark.parametrize("event", [SpeechStopped(), Transcript("Thank you.")])
def test_an_end_before_the_voice_began_is_noise_that_counted_as_speech(event: Event) -> None:
    with pytest.raises(Fault, match="before it had begun") as found:
        paused((event, -1), ended=False)
    assert found.value.reason == "false_trigger"
