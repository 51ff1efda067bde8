"""The two versions of TTS stream, without an engine."""

from collections.abc import Callable
from functools import partial

import pytest

from probe.reference.tts_messages import BadRequestError, Init, Text
from probe.reference.tts_stream import NewerStream, OlderStream, Segment, Stream

newer = partial(NewerStream, sample_rate=22000)
older = partial(OlderStream, sample_rate=22000, target_audio_ms=500)
both = pytest.mark.parametrize("make", [newer, older], ids=["newer", "older"])
MakeStream = Callable[[Init], Stream]


def opened(make: MakeStream, init: Init | None = None) -> Stream:
    stream = make(init or Init())
    stream.created()
    return stream


def speak(stream: Stream, audio_bytes: int) -> list[dict[str, object]]:
    assert stream.next_segment() is not None
    stream.sent(audio_bytes)
    return stream.spoken()


@both
def test_a_created_stream_has_an_id_of_its_own(make: MakeStream) -> None:
    first, second = make(Init()).created(), make(Init()).created()
    assert first["type"] == "stream_created"
    assert first["stream_id"] != second["stream_id"]


@both
def test_nothing_is_spoken_before_the_stream_is_created(make: MakeStream) -> None:
    stream = make(Init())
    stream.add(Text("Two words."))
    assert stream.next_segment() is None
    stream.created()
    assert stream.next_segment() == Segment("Two words.", "batch")


@both
def test_done_counts_segments_and_what_was_sent(make: MakeStream) -> None:
    stream = opened(make)
    for text in ("One sentence.", "Another sentence."):
        stream.add(Text(text))
        speak(stream, 44000)
    assert stream.done() is None
    stream.close()
    assert stream.next_segment() is None
    assert stream.done() == {"type": "done", "total_audio_ms": 2000, "segments_generated": 2}


@both
def test_a_stream_without_text_is_done_at_once(make: MakeStream) -> None:
    stream = opened(make)
    stream.close()
    assert stream.next_segment() is None
    assert stream.done() == {"type": "done", "total_audio_ms": 0, "segments_generated": 0}


@both
@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_text_is_no_segment(make: MakeStream, text: str) -> None:
    stream = opened(make)
    stream.add(Text(text))
    assert stream.next_segment() is None
    stream.close()
    assert stream.next_segment() is None


@both
def test_markup_is_a_segment_like_any_other(make: MakeStream) -> None:
    stream = opened(make)
    stream.add(Text("</think>"))
    stream.close()
    assert stream.next_segment() == Segment("</think>", "batch")


@both
def test_a_voice_that_does_not_exist_is_created_and_then_silent(make: MakeStream) -> None:
    stream = make(Init(voice="zoe"))
    assert stream.created()["type"] == "stream_created"
    stream.add(Text("Is anybody there?"))
    stream.close()
    assert stream.next_segment() is None
    assert stream.done() is None


@both
def test_cancel_forgets_what_was_not_spoken(make: MakeStream) -> None:
    stream = opened(make)
    stream.add(Text("Never to be heard."))
    stream.cancel()
    assert stream.next_segment() is None
    stream.add(Text("But this is."))
    assert stream.next_segment() == Segment("But this is.", "batch")


@both
def test_text_after_close_is_ignored(make: MakeStream) -> None:
    stream = opened(make)
    stream.close()
    stream.add(Text("Too late for this."))
    assert stream.next_segment() is None
    assert stream.done() is not None


def test_newer_every_text_is_one_segment_however_short() -> None:
    stream = opened(newer)
    for text in ("One", "two", "three."):
        stream.add(Text(text))
    assert [stream.next_segment() for _ in range(4)] == [
        Segment("One", "batch"),
        Segment("two", "batch"),
        Segment("three.", "batch"),
        None,
    ]


def test_newer_marks_the_end_of_each_segment_with_its_own_audio() -> None:
    stream = opened(newer)
    for text in ("Some.", "More.", "**"):
        stream.add(Text(text))
    markers = [*speak(stream, 44000), *speak(stream, 22000), *speak(stream, 0)]
    assert markers == [
        {"type": "segment_complete", "segment": 1, "audio_ms": 1000},
        {"type": "segment_complete", "segment": 2, "audio_ms": 500},
        {"type": "segment_complete", "segment": 3, "audio_ms": 0},
    ]


@pytest.mark.parametrize(
    ("default", "given", "used"),
    [("batch", None, "batch"), ("stream", None, "stream"), ("stream", "batch", "batch"), ("batch", "stream", "stream")],
)
def test_newer_a_texts_mode_goes_before_the_streams(default: str, given: str | None, used: str) -> None:
    stream = opened(newer, Init(default_mode=default))
    stream.add(Text("Hello.", given))
    assert stream.next_segment() == Segment("Hello.", used)


def test_newer_refuses_a_mode_that_it_does_not_know() -> None:
    with pytest.raises(BadRequestError, match="batch, stream"):
        opened(newer).add(Text("Hello.", "turbo"))


def test_newer_keeps_a_close_that_came_before_the_stream() -> None:
    stream = newer(Init())
    stream.close()
    stream.created()
    assert stream.next_segment() is None
    assert stream.done() is not None


def test_older_keeps_one_word_until_more_text_comes() -> None:
    stream = opened(older)
    stream.add(Text("Hello"))
    assert stream.next_segment() is None
    stream.add(Text(" there"))
    assert stream.next_segment() == Segment("Hello there", "batch")
    assert stream.next_segment() is None


def test_older_speaks_one_word_on_close() -> None:
    stream = opened(older)
    stream.add(Text("Hello"))
    stream.close()
    assert stream.next_segment() == Segment("Hello", "batch")


def test_older_joins_texts_with_nothing_between_them() -> None:
    stream = opened(older)
    for text in ("The end.", "The be", "ginning."):
        stream.add(Text(text))
    assert stream.next_segment() == Segment("The end.The beginning.", "batch")


@pytest.mark.parametrize(("words", "spoken"), [(9, False), (10, True)])
def test_older_takes_400_ms_a_word_for_its_estimate(words: int, *, spoken: bool) -> None:
    stream = opened(partial(older, target_audio_ms=4000))
    stream.add(Text("word " * words))
    assert (stream.next_segment() is not None) is spoken


def test_older_marks_no_end_of_a_segment() -> None:
    stream = opened(older)
    stream.add(Text("Some words."))
    assert speak(stream, 44000) == []


def test_older_does_not_know_modes() -> None:
    stream = opened(older, Init(default_mode="stream"))
    stream.add(Text("Some words.", "stream"))
    assert stream.next_segment() == Segment("Some words.", "batch")


def test_older_loses_a_close_that_came_before_the_stream() -> None:
    stream = older(Init())
    stream.add(Text("Hello"))
    stream.close()
    stream.created()
    assert stream.next_segment() is None
    assert stream.done() is None
    stream.close()
    assert stream.next_segment() == Segment("Hello", "batch")
