"""What a run waits for, from its events alone."""

import pytest
from records import EPOCH as START
from records import chunk, plan

from probe.progress import Event, EventKind
from probe.report.waiting import Waiting

MS = 1_000_000
PLAN = plan()


def event(
    kind: EventKind, ms: float, number: int | None = None, *, turn: int = 1, final: bool = False, text: str = ""
) -> Event:
    of = None if number is None else chunk(number, final=final)
    return Event(START + round(ms * MS), kind, turn, of, text)


CONNECTED = (
    event("connecting", 0, turn=0, text="LLM"), event("connected", 10, turn=0, text="LLM ws://a"),
    event("connecting", 10, turn=0, text="TTS"), event("connected", 20, turn=0, text="TTS ws://b"),
)  # fmt: skip
FIRST = (*CONNECTED, event("llm_start", 30, 1))
WRITTEN = (*FIRST, event("llm_first_token", 1000, 1), event("llm_chunk_end", 2000, 1))
SPOKEN = (*WRITTEN, event("tts_text", 2001, 1), event("tts_first_audio", 3000, 1), event("tts_segment_end", 4000, 1))
LAST = (*SPOKEN, event("llm_start", 4001, 2), event("llm_chunk_end", 4500, 2, final=True), event("tts_text", 4501, 2))
# The LLM goes on while chunk 1 is spoken.
FREE = (*FIRST, event("llm_first_token", 100, 1), event("llm_cut", 200, 1), event("tts_text", 201, 1))


@pytest.mark.parametrize(
    ("events", "after_ms", "said"),
    [
        ((), 700, "what the servers say of themselves: 0.7 s"),
        (CONNECTED[:1], 1200, "the connection to the LLM server: 1.2 s of 5 s"),
        (CONNECTED[:3], 1200, "the connection to the TTS server: 1.2 s of 5 s"),
        (CONNECTED, 3220, "the TTS server to be ready: 3.2 s of 10 s"),
        (FIRST, 1030, "the first token of chunk 1: 1.0 s of 10 s"),
        (FIRST, 400, None),
        (WRITTEN[:-1], 2000, "the end of chunk 1: 1.0 s of 10 s"),
        ((*WRITTEN[:-1], event("llm_token", 1900)), 2000, None),
        (WRITTEN, 5000, None),
        (SPOKEN[:-2], 5201, "the first audio of chunk 1: 3.2 s of 10 s"),
        (SPOKEN[:-1], 4000, "the end of the audio of chunk 1: 1.0 s of 10 s"),
        ((*SPOKEN[:-1], event("tts_audio", 3900)), 4000, None),
        (SPOKEN, 9000, None),
        (LAST, 5501, "the first audio of chunk 2: 1.0 s of 10 s"),
        ((*LAST, event("tts_segment_end", 6000, 2)), 7000,
         "the TTS server to end its stream: 1.0 s of 10 s"),
        ((*LAST, event("turn_done", 6000)), 7000, None),
        (FREE, 1200, "the first token of chunk 2: 1.0 s of 10 s"),
        ((*FREE, event("llm_token", 1100)), 1201, "the first audio of chunk 1: 1.0 s of 10 s"),
        ((*FREE, event("tts_held", 900, 1), event("llm_token", 1000)), 1400, None),
        ((*FREE, event("connecting", 300, text="TTS"), event("connected", 400, text="TTS ws://b")), 1200,
         "the first token of chunk 2: 1.0 s of 10 s"),
    ],
)  # fmt: skip
def test_the_longest_wait_is_said(events: tuple[Event, ...], after_ms: float, said: str | None) -> None:
    waiting = Waiting(PLAN, START)
    for each in events:
        waiting.note(each)
    assert waiting.text(START + round(after_ms * MS)) == (said and f"waiting for {said}")
