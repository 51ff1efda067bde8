"""Audible onset and silences exact to one sample, on known audio; and the check that a user can make."""

import asyncio
import json
import random
import sys
from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise

import patience
import pytest

from probe.clock import AnchoredClock
from probe.config import ScenarioConfig, TargetConfig
from probe.engine import runner
from probe.measures import measure_run
from probe.plan import new_plan
from probe.protocols.registry import chosen
from probe.record import Chunk, RunRecord
from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts, TtsScript, TtsTurn, audio, llm, tts
from probe.transport.connector import SocketConnector

RATE = audio.RATE
SAMPLE_MS = 1000 / RATE
# Nothing before it is audible, nothing after it is silent.
ONSETS = (0, 1, 2047, 2048, 4999)


def speech(silent_samples: int, samples: int = 3000) -> bytes:
    """Dither, and then a square wave at full level from its first sample on."""
    chance = random.Random(silent_samples)
    dither = [chance.randint(-8, 8) for _ in range(silent_samples)]
    return array("h", [*dither, *(6000 if n // 50 % 2 else -6000 for n in range(samples))]).tobytes()


async def measured(segments: list[bytes]) -> RunRecord:
    chunks = [llm.chunk(" Hello.", first=0.05) for _ in segments[1:]]
    turn = TtsTurn(segments=tuple(tts.pcm(segment, first=0.02, gap=0.03) for segment in segments))
    async with (
        ScriptedLlm(LlmScript(turns=((*chunks, llm.last_chunk(" Bye.", first=0.05)),))) as llm_server,
        ScriptedTts(TtsScript(turns=(turn,))) as tts_server,
    ):
        target = TargetConfig.of(llm_url=llm_server.url, tts_url=tts_server.url).record("scripted")
        plan = new_plan(target, ScenarioConfig().record("default"))
        clock = AnchoredClock.anchored_now()
        record = await runner.run(
            plan, chosen(plan.target), SocketConnector(clock), clock, max_error_ms=patience.PATIENT.max_error_ms
        )
    assert record.failure is None
    return record


async def test_the_onset_is_the_first_audible_sample() -> None:
    record = await measured([speech(onset) for onset in ONSETS])
    chunks = record.turns[0].chunks
    found = [-1 if chunk.sound is None else chunk.sound.first_audible or 0 for chunk in chunks]
    assert all(0 <= onset - each < RATE // 1000 for onset, each in zip(ONSETS, found, strict=True))
    (turn,) = measure_run(record)
    for onset, each in zip(ONSETS, turn.chunks, strict=True):
        silence = each.leading_silence_ms
        assert silence is not None and 0 <= onset * SAMPLE_MS - silence < 1
        assert each.combined_ttfa_ms == pytest.approx((each.combined_ttfb_ms or 0) + silence)


async def test_silences_are_those_of_a_loudspeaker_that_takes_a_sample_at_a_time() -> None:
    record = await measured([speech(0, samples) for samples in (1000, 9000, 700, 2500)])
    chunks = record.turns[0].chunks
    arrivals = [[at - ours for at, size in each.frames for _ in range(size // 2)] for each, ours in _without_us(chunks)]
    gaps, dry = _by_sample(arrivals)
    (turn,) = measure_run(record)
    assert [each.playout_gap_ms for each in turn.chunks[1:]] == pytest.approx(gaps, abs=SAMPLE_MS)
    assert [each.underrun_ms for each in turn.chunks] == pytest.approx(dry, abs=SAMPLE_MS)
    assert max(gaps) > 20


def _without_us(chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, int]]:
    """Each chunk, and what the probe had taken by then: to pass on each text, and to ask for more."""
    ours, asked_because = 0, None
    for chunk in chunks:
        assert chunk.inference_start is not None and chunk.llm_done is not None and chunk.tts_text_sent is not None
        ours += chunk.tts_text_sent - chunk.llm_done
        ours += 0 if asked_because is None else chunk.inference_start - asked_because
        asked_because = chunk.tts_segment_done
        yield chunk, ours


def _by_sample(arrivals: list[list[int]]) -> tuple[list[float], list[float]]:
    """When each sample is heard: as it has arrived and the one before it has been played, in milliseconds."""
    period, free = 1e9 / RATE, 0.0
    base = arrivals[0][0]
    heard: list[list[float]] = []
    for segment in arrivals:
        times = []
        for at in segment:
            start = max(free, float(at - base))
            times.append(start)
            free = start + period
        heard.append(times)
    gaps = [(after[0] - before[-1] - period) / 1e6 for before, after in pairwise(heard)]
    dry = [sum(max(0.0, b - a - period) for a, b in pairwise(times)) / 1e6 for times in heard]
    return gaps, dry


async def test_calibrate_tells_the_error_bars_of_this_machine() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "probe", "calibrate", "--runs", "2", "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(150):
        out, err = await process.communicate()
    found = json.loads(out)
    # A busy machine makes runs suspect; none of them may be wrong without saying so.
    assert found["untrue"] == 0
    assert found["valid"] + found["suspect"] == 2
    assert process.returncode == (0 if found["valid"] else 4)
    assert len(err.splitlines()) == 1
    for name, each in found["errors_ms"].items():
        assert each["count"] > 0, name
        if name not in ("playout_gap_ms", "underrun_ms", "tts_wait_ms"):
            assert each["p50"] > 0, name
