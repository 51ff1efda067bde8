"""Several requests for speech at once, each on its own connection, with a server whose log holds the truth."""

import asyncio
from typing import Any

import patience
import pytest
from gate import Gate

from probe.clock import AnchoredClock
from probe.config import ScenarioConfig, TargetConfig
from probe.engine import runner
from probe.measures import measure_run, outcome
from probe.plan import new_plan
from probe.protocols.registry import chosen
from probe.record import Chunk, RunRecord
from probe.reference.faults import CHAT, SPEECH, HttpScript, LastChunk, Reply, ScriptedHttp, chat, speech
from probe.reference.faults.connection import Steps
from probe.transport.connector import SocketConnector

# Only bounds a hang.
PATIENT = {"connect_s": 60, "llm_s": 60, "tts_s": 60, "run_s": 120, "release_s": 20}
# Ten tokens, then two sentences.
ANSWER = chat.answer(*[" word"] * 9, " said.", " How", " are", " you?", " I", " am", " fine.", " Bye", " now.")
LENGTHS_MS = (400, 300, 200, 100)


def server(*answers: Steps) -> ScriptedHttp:
    return ScriptedHttp(HttpScript(answers={CHAT: (ANSWER,), SPEECH: answers}))


async def run(http: ScriptedHttp, concurrency: int, **limits: float) -> RunRecord:
    tts = {"url": http.url, "concurrency": concurrency}
    target = TargetConfig.of(llm={"url": http.url}, tts=tts, limits=PATIENT | limits).record("scripted")
    plan = new_plan(target, ScenarioConfig.of(turns=1).record("default"))
    clock = AnchoredClock.anchored_now()
    return await runner.run(
        plan, chosen(plan.target), SocketConnector(clock), clock, max_error_ms=patience.PATIENT.max_error_ms
    )


def most_at_once(chunks: tuple[Chunk, ...]) -> int:
    spans = [(chunk.tts_text_sent or 0, chunk.tts_segment_done or 0) for chunk in chunks]
    return max(sum(sent <= at < done for sent, done in spans) for at, _ in spans)


def requests(http: ScriptedHttp) -> list[Any]:
    return [entry.json["input"] for entry in http.log.received("body") if "input" in entry.json]


@pytest.mark.parametrize("concurrency", [1, 2, 3, 8])
async def test_so_many_requests_are_unanswered_and_no_more(concurrency: int) -> None:
    async with server(*(speech.pcm(ms, first=0.2) for ms in LENGTHS_MS)) as http:
        record = await run(http, concurrency)
    assert (record.failure, record.doubts, outcome(record)) == (None, (), "ok")
    chunks = record.turns[0].chunks
    assert requests(http) == [chunk.text for chunk in chunks]
    assert [chunk.audio_bytes for chunk in chunks] == [48 * ms for ms in LENGTHS_MS]
    assert [chunk.segment_end for chunk in chunks] == ["end"] * 4
    assert most_at_once(chunks) == min(concurrency, 4)
    assert len([each for each in record.connects if each.server == "tts"]) == concurrency
    assert record.turns[0].done == max(chunk.tts_segment_done or 0 for chunk in chunks)


async def test_a_text_that_is_spoken_first_is_still_heard_second() -> None:
    """The first answer begins when all of the second has come: a listener waits for the first, and then for nothing."""
    second_done = Gate()
    first = (*speech.pcm(400)[:1], second_done, *speech.pcm(400)[1:])
    async with server(first, speech.pcm(300), speech.pcm(200), speech.pcm(100)) as http:
        running = run(http, 2)

        async def open_gate() -> None:
            await http.log.until(lambda entry: entry.kind == "body" and b" Bye" in entry.data)
            second_done.opened.set()

        record = await _beside(running, open_gate())
    assert (record.failure, outcome(record)) == (None, "ok")
    chunks = record.turns[0].chunks
    assert [chunk.audio_bytes for chunk in chunks] == [48 * ms for ms in LENGTHS_MS]
    firsts = [chunk.tts_first_audio or 0 for chunk in chunks]
    assert firsts[1] < firsts[0] and firsts[2] < firsts[0]
    assert most_at_once(chunks) == 2
    turn = measure_run(record)[0]
    assert turn.response_ttfb_ms == pytest.approx(turn.chunks[0].combined_ttfb_ms)
    assert [each.playout_gap_ms for each in turn.chunks[:3]] == [None, 0, 0]


async def _beside(running: Any, other: Any) -> RunRecord:
    record, _ = await asyncio.gather(running, other)
    return record  # type: ignore[no-any-return]


async def test_a_server_that_takes_one_at_a_time_says_so() -> None:
    """The refusal may be about our own first request, so that nobody else is the reason."""
    refusal = (Reply(429, chat.problem("one at a time")),)
    async with server(speech.pcm(400, first=0.3), refusal) as http:
        record = await run(http, 2)
    assert record.skipped is None and record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("tts", "server_error")
    assert (record.failure.chunk_num, "one at a time" in " ".join(record.said)) == (2, True)


async def test_a_body_that_stops_is_the_failure_of_its_own_text() -> None:
    stalled = (*speech.pcm(300)[:3], Gate(), LastChunk())
    async with server(speech.pcm(400), stalled, speech.pcm(200), speech.pcm(100)) as http:
        record = await run(http, 2, tts_s=1)
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason, record.failure.chunk_num) == ("tts", "timeout", 2)
    assert f"a text of {len('How are you?')} characters" in record.failure.detail
