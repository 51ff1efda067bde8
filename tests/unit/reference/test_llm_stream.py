"""Where a chunk pauses and why it ends, with scripted tokens instead of a model."""

import itertools
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.reference.llm_stream import (
    Chunk,
    End,
    Pause,
    Reason,
    already_done,
    buffered_reply,
    ends_sentence,
    streamed_reply,
    take_chunk,
)

SENTENCE = Pause(200, at_sentence=True)


class Script:
    """A completion that also reports how much of it was taken, and whether it was closed."""

    def __init__(self, *events: str | End) -> None:
        self.events = events
        self.taken = 0
        self.closed = False

    async def __call__(self) -> AsyncGenerator[str | End]:
        try:
            for event in self.events:
                self.taken += 1
                yield event
        finally:
            self.closed = True


async def take(script: Script, pause: Pause) -> tuple[Chunk, list[str]]:
    sent: list[str] = []

    async def keep(content: str) -> None:
        sent.append(content)

    chunk = await take_chunk(script(), pause, keep, clock=itertools.count().__next__)
    return chunk, sent


LATIN = ("Hi.", "Hi!", "Hi?", 'Hi."', "(Hi!)", "Hi?”)", "Hi.’", "1.", "[Hi...]}", "no.»")  # noqa: RUF001 - meant
OTHERS = ("好。", "吗？", "行！", "「好。」", "a．", "है।", "॥", "ما الأمر؟", "ہے۔")  # noqa: RUF001 - meant
NO_ENDS = ("", "Hi", '"', "Hi. ", "Hi.\n", "Hi,", "3.5", 'Hi." she', "Hi:", ")", "好，", "好、", "؛")  # noqa: RUF001 - meant


@pytest.mark.parametrize("text", [*LATIN, *OTHERS])
def test_sentence_ends(text: str) -> None:
    assert ends_sentence(text)


@pytest.mark.parametrize("text", NO_ENDS)
def test_sentence_goes_on(text: str) -> None:
    assert not ends_sentence(text)


async def test_pauses_after_exactly_so_many_tokens() -> None:
    script = Script("a", ".", "c", "d", "e")
    chunk, sent = await take(script, Pause(3))
    assert (chunk.text, chunk.tokens, chunk.reason, chunk.paused) == ("a.c", 3, Reason.MAX_TOKENS, True)
    assert sent == ["a", ".", "c"]
    assert script.taken == 3
    assert script.closed


@settings(max_examples=30)
@given(tokens=st.lists(st.text(max_size=5), max_size=30), most=st.integers(1, 30), at_sentence=st.booleans())
async def test_sent_tokens_are_the_text_and_never_more_than_asked_for(
    tokens: list[str], most: int, at_sentence: bool
) -> None:
    chunk, sent = await take(Script(*tokens, End(Reason.EOS)), Pause(most, at_sentence))
    assert "".join(sent) == chunk.text
    assert len(sent) == chunk.tokens <= most
    assert chunk.paused or sent == tokens


async def test_peeked_token_belongs_to_the_chunk() -> None:
    script = Script("Hi", ".", " I", "'m")
    chunk, sent = await take(script, SENTENCE)
    assert (chunk.text, chunk.tokens, chunk.reason) == ("Hi. I", 3, Reason.SENTENCE_BOUNDARY)
    assert sent == ["Hi", ".", " I"]
    assert script.taken == 3
    assert script.closed


async def test_peeked_closing_quote_does_not_ask_for_another_peek() -> None:
    chunk, _ = await take(Script("Hi", ".", '"', " she"), SENTENCE)
    assert (chunk.text, chunk.reason) == ('Hi."', Reason.SENTENCE_BOUNDARY)


async def test_peek_waits_for_text() -> None:
    chunk, _ = await take(Script("Hi", "!", "", "", "😀", " I"), SENTENCE)
    assert (chunk.text, chunk.tokens, chunk.reason) == ("Hi!😀", 5, Reason.SENTENCE_BOUNDARY)


async def test_list_number_is_a_sentence() -> None:
    chunk, _ = await take(Script("1", ".", " **", "Why"), SENTENCE)
    assert chunk.text == "1. **"


@pytest.mark.parametrize(
    ("end", "reason", "paused"),
    [
        (Reason.EOS, Reason.SENTENCE_BOUNDARY_EOS, False),
        (Reason.STOP_WORD, Reason.SENTENCE_BOUNDARY_EOS, False),
        (Reason.MAX_TOKENS, Reason.SENTENCE_BOUNDARY, True),
        (Reason.CONNECTION_ERROR, Reason.CONNECTION_ERROR, False),
    ],
)
async def test_end_instead_of_the_peeked_token(end: Reason, reason: Reason, paused: bool) -> None:
    chunk, _ = await take(Script("Hi", ".", End(end)), SENTENCE)
    assert (chunk.text, chunk.tokens, chunk.reason, chunk.paused) == ("Hi.", 2, reason, paused)


@pytest.mark.parametrize("end", [Reason.EOS, Reason.STOP_WORD, Reason.CONNECTION_ERROR, Reason.EMPTY_RESPONSE])
@pytest.mark.parametrize("pause", [Pause(10), SENTENCE, Pause()])
async def test_end_before_a_pause(end: Reason, pause: Pause) -> None:
    chunk, _ = await take(Script("Hi", " you", End(end)), pause)
    assert (chunk.text, chunk.reason, chunk.paused) == ("Hi you", end, False)


async def test_limit_at_a_sentence_boundary_leaves_no_token_to_peek() -> None:
    chunk, _ = await take(Script("Hi", ".", " I"), Pause(2, at_sentence=True))
    assert (chunk.text, chunk.reason) == ("Hi.", Reason.SENTENCE_BOUNDARY)


async def test_no_sentence_within_the_limit() -> None:
    chunk, _ = await take(Script(*["so "] * 300), SENTENCE)
    assert (chunk.tokens, chunk.reason) == (200, Reason.MAX_TOKENS)


async def test_no_pause_strategy_ends_at_500_tokens() -> None:
    chunk, _ = await take(Script(*["."] * 600), Pause())
    assert (chunk.tokens, chunk.reason) == (500, Reason.MAX_TOKENS)


async def test_silent_engine_is_an_empty_response() -> None:
    chunk, _ = await take(Script(), Pause())
    assert (chunk.text, chunk.reason, chunk.ttft_ms) == ("", Reason.EMPTY_RESPONSE, None)


async def test_engine_that_breaks_off_is_a_connection_error() -> None:
    chunk, _ = await take(Script("Hi"), Pause())
    assert (chunk.text, chunk.reason) == ("Hi", Reason.CONNECTION_ERROR)


async def test_times_are_milliseconds_from_the_request() -> None:
    chunk, _ = await take(Script("a", "b", "c"), Pause(2))
    assert (chunk.ttft_ms, chunk.elapsed_ms) == (1000.0, 2000.0)


def test_streamed_reply_of_a_pause() -> None:
    assert streamed_reply(Chunk("Hi. I", 3, Reason.SENTENCE_BOUNDARY, 12.5, 40.0)) == {
        "type": "paused",
        "reason": "sentence_boundary",
        "text": "Hi. I",
        "tokens": 3,
        "ttft_ms": 12.5,
        "elapsed_ms": 40.0,
    }


def test_streamed_reply_after_the_end() -> None:
    assert streamed_reply(already_done()) == {
        "type": "done",
        "reason": "already_done",
        "text": "",
        "tokens": 0,
        "ttft_ms": None,
        "elapsed_ms": 0.0,
    }


def test_buffered_reply() -> None:
    assert buffered_reply("s1", Chunk(" you", 1, Reason.EOS, 12.5, 40.0), "Hi you") == {
        "stream_id": "s1",
        "status": "started",
        "text": " you",
        "tokens": 1,
        "paused": False,
        "reason": "eos",
        "done": True,
        "ttft_ms": 12.5,
        "full_text": "Hi you",
    }
