"""Whose audio is it? The rules one by one, then any order of events."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict
from slices import whole

from probe.engine import doubts
from probe.engine.speech import Heard
from probe.protocols.magpie.attribution import Guessed
from probe.protocols.magpie.behaviour import Behaviour, stated
from probe.protocols.magpie.options import MagpieOptions
from probe.protocols.segments import Segment
from probe.timestamps import NEVER

OPTIONS = asdict(MagpieOptions())
GAP, HOLD = 150.0, 2000.0
EPOCH = 1_700_000_000_123_456_789
WORDS = "Why did the unicorn"


def at(ms: float) -> int:
    return EPOCH + round(ms * 1_000_000)


def ms(when: int | None) -> float | None:
    return None if when is None else NEVER if when == NEVER else (when - EPOCH) / 1_000_000


def guessed(*, markers: bool) -> Guessed:
    """Of a server whose threshold is as the document that the project started from wants it: two words are spoken."""
    return Guessed(OPTIONS, Behaviour(markers=markers, speaks_from_ms=500))


@dataclass
class Stream:
    """Segments driven in milliseconds."""

    markers: bool = False
    segments: Guessed = field(init=False)

    def __post_init__(self) -> None:
        self.segments = guessed(markers=self.markers)

    def speak(self, when: float, text: str = WORDS) -> Segment:
        return self.segments.speak(len(self.segments.all) + 1, text, at(when))

    def audio(self, when: float, size: int = 100) -> int | None:
        owner = self.segments.audio(b"\x01" * size, at(when))
        return None if owner is None else owner.chunk_num

    def marker(self, when: float, stated_ms: float | None = None) -> int | None:
        owner = self.segments.marker(at(when), stated_ms)
        return None if owner is None else owner.chunk_num

    def wakes_at(self) -> float | None:
        return ms(self.segments.wakes_at())

    def wake(self) -> Segment | None:
        wakes_at = self.segments.wakes_at()
        assert wakes_at is not None and wakes_at != NEVER
        assert self.segments.expire(wakes_at - 1) is None, "a moment too early is too early"
        return self.segments.expire(wakes_at)

    def finish(self, when: float, generated: int | None = None) -> None:
        self.segments.finish(at(when), generated)

    @property
    def doubts(self) -> list[str]:
        return whole(doubts.of_audio(Heard([self.segments])))

    @property
    def sizes(self) -> list[int]:
        return [len(segment.pcm) for segment in self.segments.all]

    @property
    def ends(self) -> list[str | None]:
        return [segment.end for segment in self.segments.all]


def test_without_markers_a_gap_ends_a_segment() -> None:
    stream = Stream()
    first = stream.speak(0)
    assert stream.wakes_at() == NEVER, "four words are spoken at once: the server's time is its own"
    assert stream.audio(500) == stream.audio(600) == 1
    assert stream.wakes_at() == 600 + GAP
    assert stream.wake() is first
    assert (first.end, ms(first.done), stream.wakes_at()) == ("gap", 750, None)


def test_a_gap_that_was_noticed_late_is_known_late() -> None:
    stream = Stream()
    first = stream.speak(0)
    stream.audio(500)
    stream.segments.expire(at(900))
    assert ms(first.done) == 900


def test_with_markers_the_server_decides_and_a_pause_is_no_end() -> None:
    stream = Stream(markers=True)
    first = stream.speak(0)
    stream.audio(500)
    assert stream.wakes_at() == NEVER
    assert stream.segments.expire(at(9000)) is None
    stream.audio(5000)
    assert stream.marker(5001) == 1
    assert (first.end, ms(first.done), stream.sizes, stream.wakes_at()) == ("marker", 5001, [200], None)


def test_the_first_marker_tells_that_the_server_marks() -> None:
    stream = Stream()
    stream.speak(0)
    stream.audio(500)
    assert stream.wakes_at() == 500 + GAP
    assert stream.marker(501) == 1
    stream.speak(600, "Sure")
    assert stream.wakes_at() == NEVER, "and such a server keeps no text back"


def test_markers_go_to_the_texts_in_their_order() -> None:
    stream = Stream(markers=True)
    stream.speak(0)
    stream.speak(1)
    stream.audio(500, 30)
    assert stream.marker(510) == 1
    stream.audio(520, 50)
    assert stream.marker(530) == 2
    assert (stream.sizes, stream.ends) == ([30, 50], ["marker", "marker"])
    assert stream.marker(540) is None


def lost(*told_ms: float | None) -> Stream:
    """Texts of 100, 200, 300... ms, and what their markers state; None where a marker never comes."""
    stream = Stream(markers=True)
    for number, told in enumerate(told_ms):
        stream.speak(10_000 * number)
        stream.audio(10_000 * number + 500, 4400 * (number + 1))
        if told is None:
            assert stream.segments.give_up(at(10_000 * number + 9000)) is stream.segments.all[number]
        else:
            stream.marker(10_000 * number + 600, told or None)
    return stream


@pytest.mark.parametrize("unit_ms", [100.0, 0.0], ids=["with durations", "without"])
@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_marker_that_never_comes_leaves_the_other_segments_theirs(missing: int, unit_ms: float) -> None:
    stream = lost(*(None if n == missing else (n + 1) * unit_ms for n in range(3)))
    assert stream.sizes == [4400, 8800, 13_200]
    assert stream.ends == ["gap" if n == missing else "marker" for n in range(3)]
    given_up = stream.segments.all[missing]
    assert (ms(given_up.done), given_up.late_bytes) == (10_000 * missing + 9000, 0)
    assert stream.doubts == [f"chunk {missing + 1}: the server never marked the end of its audio"]


def test_the_first_marker_of_all_may_be_the_one_that_never_comes() -> None:
    """Until then a gap had ended the first segment; what the second marker states is the second's audio alone."""
    stream = Stream()
    stream.speak(0)
    stream.audio(500, 4400)
    stream.wake()
    stream.speak(1000)
    stream.audio(1500, 8800)
    assert stream.marker(1501, 200) == 2
    assert (stream.sizes, stream.ends) == ([4400, 8800], ["gap", "marker"])
    assert len(stream.doubts) == 1


def test_a_marker_that_comes_after_it_was_given_up_is_still_its_own() -> None:
    stream = lost(None)
    stream.speak(10_000)
    assert stream.marker(10_100) == 1
    assert (stream.sizes, stream.ends, stream.doubts) == ([4400, 0], ["marker", None], [])


def test_a_text_without_audio_is_not_given_up() -> None:
    stream = Stream(markers=True)
    stream.speak(0)
    assert stream.segments.give_up(at(10_000)) is None
    assert stream.wakes_at() == NEVER


def test_a_marker_without_audio_ends_a_silent_segment() -> None:
    stream = Stream(markers=True)
    stream.speak(0)
    assert stream.marker(100) == 1
    assert (stream.ends, stream.sizes, stream.wakes_at()) == (["marker"], [0], None)


def test_a_marker_that_came_before_its_text_was_sent_is_nobodys() -> None:
    stream = Stream()
    stream.speak(100)
    assert stream.marker(99) is None
    assert stream.ends == [None]


def test_audio_before_the_next_text_was_sent_belongs_to_the_text_before() -> None:
    """Even if it is read afterwards: what counts is when it arrived."""
    stream = Stream()
    stream.speak(0)
    stream.audio(500)
    stream.wake()
    stream.speak(700)
    assert stream.audio(699) == 1
    assert stream.audio(700) == 2
    assert (stream.sizes, stream.segments.all[0].late_bytes) == ([200, 100], 100)


def test_a_stream_that_ended_between_two_texts_is_followed_by_another() -> None:
    """Nothing of the second has to do with the first: what is kept, whose audio it is, how many segments there were."""
    stream = Stream()
    stream.speak(0)
    stream.audio(500, 10)
    stream.finish(600, 1)
    stream.segments.reopen()
    assert (stream.segments.done, stream.wakes_at()) == (None, None)
    stream.speak(1000, "Sure")
    assert stream.wakes_at() == 1000 + HOLD
    stream.wake()
    stream.speak(3100)
    assert stream.audio(3500, 40) == 3
    stream.finish(3600, 1)
    assert (stream.sizes, stream.ends, stream.doubts) == ([10, 0, 40], ["done", "merged", "done"], [])


def test_a_text_that_the_first_stream_kept_is_not_spoken_by_the_second() -> None:
    stream = Stream()
    stream.speak(0, "Sure")
    stream.wake()
    stream.finish(3000, 0)
    stream.segments.reopen()
    stream.speak(3100)
    stream.audio(3500, 40)
    stream.finish(3600, 1)
    assert (stream.sizes, stream.ends) == ([0, 40], [None, "done"])


def test_audio_before_the_first_text_and_after_the_end_is_stray() -> None:
    stream = Stream()
    assert stream.audio(0, 7) is None
    stream.speak(100)
    assert stream.audio(99, 5) is None
    stream.audio(500)
    stream.finish(600)
    assert stream.audio(601, 3) is None
    assert (stream.segments.stray_bytes, stream.sizes) == (15, [100])


def test_late_audio_holds_up_the_next_text_until_it_has_ended() -> None:
    stream = Stream()
    first = stream.speak(0)
    stream.audio(500)
    stream.wake()
    stream.audio(900, 40)
    assert (first.late_bytes, ms(first.done)) == (40, 650), "the end stays where it was assumed"
    assert stream.wakes_at() == 900 + GAP
    assert stream.wake() is None
    assert stream.wakes_at() is None


@pytest.mark.parametrize("text", ["Sure", " Sure\n", "你好。再见。"])
def test_a_text_that_the_server_may_keep_is_waited_for_two_seconds(text: str) -> None:
    stream = Stream()
    first = stream.speak(100, text)
    assert stream.wakes_at() == 100 + HOLD
    assert stream.wake() is first
    assert (first.held, first.end, stream.wakes_at()) == (True, None, None)


def keeping(flush_ms: float) -> Guessed:
    """Of a server whose threshold is known."""
    return Guessed(OPTIONS, stated({"generation": "older", "flush_ms": flush_ms}))


def test_below_a_known_threshold_nobody_waits() -> None:
    segments = keeping(4000)
    assert segments.speak(1, "Why did the unicorn cross the wide road", at(0)).held
    assert segments.wakes_at() is None
    assert not segments.speak(2, ", my dear?", at(300)).held, "ten words in all"
    assert segments.wakes_at() == NEVER
    owner = segments.audio(bytes(80_000), at(600))
    assert owner is segments.all[1]
    assert segments.expire(at(600 + GAP)) is owner
    assert [each.end for each in segments.all] == ["merged", "gap"]


def test_what_was_kept_once_is_not_waited_for_again() -> None:
    """Eight words came only with the next ones; the eight words of the next turn go on at once, nine do not."""
    behaviour = Behaviour()
    segments = Guessed(OPTIONS, behaviour)
    eight, more = "Why did the unicorn cross the wide road", ", my dear friend of old?"
    segments.speak(1, eight, at(0))
    assert segments.wakes_at() == at(HOLD)
    segments.expire(at(HOLD))
    segments.speak(2, more, at(2100))
    segments.audio(bytes(44 * 5200), at(2200))
    segments.expire(at(2200 + GAP))
    segments.finish(at(3000), 1)
    assert [each.end for each in segments.all] == ["merged", "gap"]
    following = Guessed(OPTIONS, behaviour)
    assert following.speak(1, eight, at(5000)).held
    assert following.wakes_at() is None
    other = Guessed(OPTIONS, behaviour)
    assert not other.speak(1, f"{eight} today", at(5000)).held
    assert other.wakes_at() == at(5000 + HOLD)


def test_the_count_of_segments_shows_what_was_kept_to_the_end() -> None:
    behaviour = Behaviour()
    segments = Guessed(OPTIONS, behaviour)
    segments.speak(1, "Yes, I do.", at(0))
    segments.expire(at(HOLD))
    segments.speak(2, "You?", at(2100))
    segments.close()
    segments.audio(bytes(44_000), at(2200))
    segments.finish(at(2300), 1)
    assert [each.end for each in segments.all] == ["merged", "done"]
    assert behaviour.keeps("Yes, I do.") and not behaviour.keeps("Yes, I do so.")


def test_what_was_spoken_at_once_is_waited_for_the_next_time() -> None:
    behaviour = Behaviour()
    segments = Guessed(OPTIONS, behaviour)
    segments.speak(1, WORDS, at(0))
    assert segments.wakes_at() == at(HOLD), "four words of ten"
    segments.audio(bytes(44_000), at(500))
    segments.expire(at(500 + GAP))
    segments.speak(2, WORDS, at(700))
    assert segments.wakes_at() == NEVER
    assert behaviour.may_keep("Why did the"), "three words may still be kept"


def test_a_close_makes_any_server_speak_so_that_it_shows_nothing() -> None:
    behaviour = Behaviour()
    segments = Guessed(OPTIONS, behaviour)
    segments.speak(1, WORDS, at(0))
    segments.close()
    segments.audio(bytes(44_000), at(500))
    segments.expire(at(500 + GAP))
    assert behaviour.may_keep(WORDS)


def test_two_words_are_worth_speaking_and_one_is_not() -> None:
    """Estimated at 400 ms per word, against the server's threshold of 500 ms."""
    stream = Stream()
    stream.speak(0, "Sure thing")
    assert stream.wakes_at() == NEVER


def test_the_estimate_joins_what_the_server_keeps_with_nothing_between() -> None:
    one_word = Stream()
    one_word.speak(0, "Sun")
    one_word.wake()
    assert one_word.speak(3000, "flower").held, "one word after two seconds of silence is no more than one before them"
    assert one_word.wakes_at() is None
    two_words = Stream()
    two_words.speak(0, "Sun")
    two_words.wake()
    two_words.speak(3000, " flower")
    assert two_words.wakes_at() == NEVER


def test_what_has_been_spoken_is_no_longer_kept() -> None:
    stream = Stream()
    stream.speak(0)
    stream.audio(500)
    stream.wake()
    stream.speak(700, "Sure")
    assert stream.wakes_at() == 700 + HOLD


def test_a_text_kept_back_is_merged_into_the_next_segment() -> None:
    stream = Stream()
    stream.speak(0, "Sure")
    stream.wake()
    stream.speak(2100)
    assert stream.audio(2500) == 2
    stream.wake()
    assert (stream.ends, stream.sizes) == (["merged", "gap"], [0, 100])


def test_a_text_kept_back_is_spoken_after_all_when_no_other_comes() -> None:
    stream = Stream()
    first = stream.speak(0, "Sure")
    stream.wake()
    assert stream.audio(2500) == 1
    assert not first.held
    assert stream.wakes_at() == 2500 + GAP
    stream.finish(2600)
    assert (stream.ends, ms(first.done)) == (["done"], 2600)


def test_a_marker_gives_a_slow_segment_its_audio_back() -> None:
    """One word of a slow newer server: assumed kept, its audio attributed to the next text, until the marker comes."""
    stream = Stream()
    first = stream.speak(0, "Sure")
    stream.wake()
    second = stream.speak(2100)
    assert stream.audio(3000, 40) == 2
    assert stream.marker(3010) == 1
    assert (stream.sizes, stream.ends, ms(first.done)) == ([40, 0], ["marker", None], 3010)
    assert stream.audio(5000, 60) == 2
    assert stream.marker(5010) == 2
    assert (stream.sizes, stream.ends, second.late_bytes) == ([40, 60], ["marker", "marker"], 0)
    assert stream.doubts == []


def test_a_marker_undoes_a_gap_that_was_none() -> None:
    """The first segment pauses for longer than the gap, its rest is mistaken for the second's: the marker shows it."""
    stream = Stream()
    first = stream.speak(0)
    stream.audio(500, 10)
    stream.wake()
    second = stream.speak(700)
    assert stream.audio(900, 20) == 2
    assert stream.wake() is second
    assert stream.marker(1100) == 1
    assert (stream.sizes, first.late_bytes, first.end, ms(first.done)) == ([30, 0], 0, "marker", 1100)
    assert (second.frames, second.end, second.done) == ([], None, None)
    assert [frame for frame, _ in first.frames] == [at(500), at(900)]


def test_audio_after_every_marker_is_doubted_once_however_many_frames_it_has() -> None:
    stream = Stream(markers=True)
    first = stream.speak(0)
    stream.audio(500)
    stream.marker(501)
    for frame in range(20):
        assert stream.audio(600 + frame) == 1
    assert first.late_bytes == 2000
    assert stream.doubts == ["chunk 1: audio after the end of the last segment"]


def pace(first: int, second: int, late: int) -> list[str]:
    """Two texts of equal length; `first` bytes, then `second` after the second text was sent, `late` after a gap."""
    stream = Stream()
    stream.speak(0)
    stream.audio(500, first)
    stream.wake()
    stream.speak(700)
    stream.audio(900, second)
    stream.wake()
    stream.audio(1500, late)
    stream.finish(2000)
    assert stream.sizes == [first, second + late]
    return stream.doubts


def test_late_audio_of_the_last_text_is_doubted_where_its_pace_does_not_tell() -> None:
    assert pace(1000, 500, 500) == [], "1000 and 1000 bytes for equal texts: the second paused"
    assert len(pace(500, 500, 1000)) == 1, "the first paused: 500 + 500, then 1000"
    assert "chunk 2" in pace(500, 500, 1000)[0] and "gap_ms" in pace(500, 500, 1000)[0]


def told(*segments_ms: float | None) -> list[str]:
    """Segments of a second each, and how long the server says that each lasts."""
    stream = Stream(markers=True)
    for number, stated_ms in enumerate(segments_ms):
        stream.speak(2000 * number)
        stream.audio(2000 * number + 500, 44_000)
        stream.marker(2000 * number + 600, stated_ms)
    stream.finish(10_000)
    return stream.doubts


def test_a_duration_that_contradicts_the_bytes_is_doubted() -> None:
    assert told(1000, 1000) == told(None, 1040) == []
    assert told(1000, 2000) == [], "the stream so far"
    assert told(1000, 500) == [
        "chunk 2: the server says that its audio lasts 500 ms, and its bytes last 1000 ms at the target's sample_rate"
    ]


def slow_or_kept(generated: int | None, second_burst: float = 5100) -> Stream:
    """Two one-word texts given up after two seconds each, a longer one; then three bursts of audio."""
    stream = Stream()
    stream.speak(0, "Sure")
    stream.wake()
    stream.speak(2000, "Yes")
    stream.speak(4500)
    for when, size in ((5000, 10), (second_burst, 20), (5900, 40)):
        stream.audio(when, size)
    stream.finish(6000, generated)
    return stream


def test_as_many_bursts_as_texts_were_a_slow_servers() -> None:
    for generated in (None, 3):
        stream = slow_or_kept(generated, second_burst=5300)
        assert (stream.sizes, stream.ends, stream.doubts) == ([10, 20, 40], ["gap", "gap", "done"], [])
        assert [ms(each.done) for each in stream.segments.all] == [5150, 5450, 6000]


def test_one_segment_for_all_texts_was_kept_and_merged() -> None:
    stream = slow_or_kept(generated=1)
    assert (stream.sizes, stream.ends, stream.doubts) == ([0, 0, 70], ["merged", "merged", "done"], [])


def test_fewer_bursts_than_texts_and_more_than_one_tell_nothing() -> None:
    for generated in (None, 2, 3):
        stream = slow_or_kept(generated)
        assert stream.sizes == [0, 0, 70]
        assert len(stream.doubts) == 1


def test_a_burst_from_before_its_text_was_sent_is_not_that_texts() -> None:
    stream = Stream()
    stream.speak(0, "Sure")
    stream.wake()
    stream.speak(2000)
    stream.audio(2500, 10)
    stream.wake()
    stream.audio(2750, 20)
    stream.audio(2950, 30)
    stream.wake()
    stream.speak(3200)
    stream.finish(4000)
    assert stream.sizes == [0, 60, 0]
    assert len(stream.doubts) == 1


def test_a_text_kept_back_that_is_never_spoken_is_no_segment() -> None:
    stream = Stream()
    stream.speak(0, "Sure")
    stream.wake()
    stream.finish(3000)
    assert (stream.ends, stream.sizes, stream.doubts) == ([None], [0], [])


def test_done_ends_what_sounded_and_leaves_what_did_not() -> None:
    stream = Stream()
    stream.speak(0)
    stream.audio(500)
    stream.wake()
    stream.speak(700)
    stream.audio(900)
    stream.speak(1000)
    stream.finish(1100)
    assert stream.ends == ["gap", "done", None]
    assert ms(stream.segments.done) == 1100


# Any order of events, at any distance. Each is (what, how many milliseconds after the one before, how much).

texts = st.sampled_from([WORDS, "Sure", "你好。", "Yes, I do.", "It was a long, long way to go for it."])
events = st.lists(
    st.tuples(
        st.sampled_from(["speak", "audio", "audio", "marker", "expire", "belated audio", "give up", "reopen"]),
        st.one_of(st.floats(0, 400), st.floats(0, 5000)),
        st.integers(1, 5000),
        texts,
    ),
    max_size=25,
)


def settle(segments: Guessed) -> None:
    """Wait as the engine waits; every step must lead somewhere."""
    for _ in range(2 * len(segments.all) + 2):
        wakes_at = segments.wakes_at()
        if wakes_at is None or wakes_at == NEVER:
            return
        assert isinstance(wakes_at, int), "as floats, nanoseconds since the epoch are 256 apart"
        segments.expire(wakes_at)
    pytest.fail("waits without end")


@settings(max_examples=4 * settings().max_examples)
@given(events, st.booleans(), st.one_of(st.none(), st.integers(0, 5)), st.booleans())
def test_every_byte_is_somebodys_whatever_happens(
    script: list[tuple[str, float, int, str]], markers: bool, generated: int | None, finished: bool
) -> None:
    segments = guessed(markers=markers)
    now, total = 0.0, 0
    arrived = 0.0
    for what, later, size, text in script:
        now += later
        match what:
            case "speak":
                segments.speak(len(segments.all) + 1, text, at(now))
            case "marker":
                segments.marker(at(now))
                arrived = now
            case "expire":
                settle(segments)
            case "give up":
                segments.give_up(at(now))
            case "reopen":
                segments.finish(at(now), generated)
                segments.reopen()
            case _:
                # Frames are read in the order of their arrival, perhaps after a text that was sent meanwhile.
                arrived = now if what == "audio" else arrived + (now - arrived) / 2
                segments.audio(bytes(size), at(arrived))
                total += size
        check(segments, total)
    settle(segments)
    if finished:
        segments.finish(at(now), generated)
    check(segments, total)


def check(segments: Guessed, total: int) -> None:
    assert sum(len(each.pcm) for each in segments.all) + segments.stray_bytes == total
    assert len(whole(doubts.of_audio(Heard([segments])))) <= 2 * len(segments.all)
    for each in segments.all:
        assert sum(size for _, size in each.frames) == len(each.pcm)
        assert each.frames == sorted(each.frames, key=lambda frame: frame[0])
        assert 0 <= each.late_bytes <= len(each.pcm)
        assert (each.done is None) == (each.end in (None, "merged"))
        assert each.end != "merged" or not each.frames
        assert each.end not in ("gap", "done") or each.frames
        assert all(arrival >= each.sent for arrival, _ in each.frames)


def test_a_text_that_was_taken_for_kept_is_heard_after_all() -> None:
    """A gap passed it over before the first marker showed that this server marks its segments."""
    segments = guessed(markers=False)
    for chunk_num, text in enumerate(("Why did the unicorn", "Sure", "Why did the unicorn"), 1):
        segments.speak(chunk_num, text, at(0))
        if chunk_num != 2:
            segments.audio(bytes(1), at(0))
    for chunk_num in range(4, 9):
        segments.speak(chunk_num, "Why did the unicorn", at(0))
    settle(segments)
    segments.marker(at(0))
    segments.audio(bytes(1), at(0))
    check(segments, 3)


def test_a_text_that_was_taken_for_merged_has_a_marker_of_its_own() -> None:
    """It was thought to be heard with the next one, until the first marker showed that this server marks each text."""
    segments = guessed(markers=False)
    segments.speak(1, "Sure", at(0))
    segments.speak(2, WORDS, at(0))
    segments.audio(bytes(1), at(0))
    for chunk_num in range(3, 7):
        segments.speak(chunk_num, WORDS, at(0))
    settle(segments)
    segments.marker(at(0))
    check(segments, 1)
    assert (segments.all[0].end, segments.all[0].done) == ("marker", at(0))


def test_a_marker_of_one_that_was_given_up_leaves_settled_audio_where_it_is() -> None:
    """Those after it have markers of their own; only what is still guessed may turn out to be an earlier text's."""
    segments = guessed(markers=True)
    for chunk_num in (1, 2):
        segments.speak(chunk_num, WORDS, at(0))
    segments.audio(bytes(1), at(0))
    segments.give_up(at(1))
    segments.audio(bytes(1), at(2))
    segments.marker(at(2))
    assert [each.marked for each in segments.all] == [False, True]
    segments.audio(bytes(1), at(3))
    segments.marker(at(3))
    assert [each.frames for each in segments.all] == [[(at(0), 1), (at(3), 1)], [(at(2), 1)]]
    check(segments, 3)
