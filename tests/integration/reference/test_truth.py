"""The servers that log when they wrote each frame, compared with a run of each pair of protocols."""

import math
from dataclasses import replace

import patience
import pytest

from probe.accuracy import HANDED_ON, REQUEST, STALL, Truth, errors
from probe.cli.calibrate import truth_servers
from probe.clock import AnchoredClock
from probe.config import ScenarioConfig, TargetConfig
from probe.measurement import measure
from probe.plan import new_plan
from probe.record import RunRecord
from probe.reference.truth import CHUNKS, FIRST_CHUNK, TOKENS

# No frame came before it was sent; but the wait that is taken from the wall clock is of another clock's pace.
AT_ONCE_MS = -0.05
OF_A_REQUEST = {"llm_ttft_ms", "llm_ttfat_ms", "llm_gen_time_ms", "combined_ttfb_ms", REQUEST}
# The differences of two arrivals; either may be the later one.
BETWEEN_ARRIVALS = {"tts_wait_ms", "playout_gap_ms", "underrun_ms", STALL}


async def measured(pair: str, clock: AnchoredClock) -> tuple[RunRecord, Truth]:
    with truth_servers() as servers:
        urls = servers.urls[pair]
        of = {"agent": {"url": urls[0]}} if len(urls) == 1 else {"llm_url": urls[0], "tts_url": urls[1]}
        target = TargetConfig.of(**of).record(pair)
        done = await measure(new_plan(target, ScenarioConfig().record("default")), patience.PATIENT, clock=clock)
        truth = servers.end()[done.record.plan.trace_id]
    assert done.record.failure is None
    return done.record, truth


@pytest.mark.parametrize(("pair", "requests"), [("founding", CHUNKS), ("openai", 1), ("riva", CHUNKS)])
async def test_every_measure_of_every_chunk_has_its_truth(pair: str, requests: int) -> None:
    clock = AnchoredClock.anchored_now()
    record, truth = await measured(pair, clock)
    # What a write of a busy machine makes uncertain is compared here anyway: it comes late, and never early.
    certain = Truth(*([replace(frame, took=0) for frame in frames] for frames in (truth.llm, truth.tts)))
    found = errors(record, clock, certain)
    counts = {name: len(each) for name, each in found.items()}
    assert {counts.pop(name) for name in OF_A_REQUEST} == {requests}
    assert counts.pop(STALL, 0) == (pair == "openai")
    assert counts.pop("playout_gap_ms") == CHUNKS - 1
    assert set(counts.values()) == {CHUNKS} and HANDED_ON in counts
    for name, each in found.items():
        assert all(math.isfinite(error) for error in each), name
        assert name in BETWEEN_ARRIVALS or min(each) > AT_ONCE_MS, name
    # This wait begins with an arrival, and ends when we hand the text over.
    assert max(found["tts_wait_ms"]) < -AT_ONCE_MS


async def test_every_measure_of_an_agent_has_its_truth() -> None:
    clock = AnchoredClock.anchored_now()
    record, truth = await measured("realtime", clock)
    certain = Truth(*([replace(frame, took=0) for frame in frames] for frames in (truth.llm, truth.tts)))
    found = errors(record, clock, certain)
    assert {name: len(each) for name, each in found.items()} == dict.fromkeys(
        (*OF_A_REQUEST, "llm_ttfat_ms", "tts_ttfb_ms", "underrun_ms"), 1
    )
    # Of two arrivals either may be the later one.
    assert all(each[0] > AT_ONCE_MS for name, each in found.items() if name not in ("tts_ttfb_ms", "underrun_ms"))


async def test_an_answer_without_pauses_is_cut_where_its_server_has_marked_it() -> None:
    record, truth = await measured("openai", AnchoredClock.anchored_now())
    chunks, true = record.turns[0].chunks, list(truth.chunks())
    assert [chunk.text for chunk in chunks] == ["".join(FIRST_CHUNK), *["".join(TOKENS)] * (CHUNKS - 1)]
    # Its reasoning is a token of the first, and no word of it.
    assert [len(each.tokens) for each in true] == [len(FIRST_CHUNK) + 1, *[len(TOKENS)] * (CHUNKS - 1)]
    assert [chunk.token_count for chunk in chunks] == [len(each.tokens) for each in true]
    # Two of the four are WAV files, whose headers are no audio.
    assert [chunk.audio_bytes for chunk in chunks] == [sum(size for _, size in each.frames) for each in true]
