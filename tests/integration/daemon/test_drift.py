"""A real daemon whose servers become slow: it is reported everywhere, and still known after a restart."""

import asyncio
import math
import random
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from runs import MS, START, hearing, record
from service import PATIENCE_S, Service, eventually, service, write_config

from probe import audio, config
from probe.daemon.plans import entries
from probe.history.writer import History
from probe.record import RunRecord
from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts, TtsScript, TtsTurn, Wait, llm, tts
from probe.reference.faults.wyoming_hearing import HearingScript, ScriptedHearing, transcript
from probe.waits import WAITS

pytestmark = pytest.mark.timeout(300)

LABELS = 'scenario="default",target="scripted"'
STATE = f"voice_probe_drift_state{{{LABELS}}}"
# What the history knows: 300 ms and a tenth more or less, 200 ms of it TTS.
KNOWN_MS, SCATTER_MS, KNOWN_RUNS = 300, 15, 200
# 50 ms to the first token and 50 ms to the end of the chunk, as in the history; then the speech takes a second.
LLM = LlmScript(turns=((llm.last_chunk("Hello", " there.", first=0.05, gap=0.05),),))
SLOW = TtsScript(turns=(TtsTurn(segments=(tts.speech(300, first=0.7),)),))


def in_text(number: int, started: int, taken_ms: int) -> RunRecord:
    return record(number, started=started, ttfb_ms=taken_ms)


def by_speech(number: int, started: int, taken_ms: int) -> RunRecord:
    """The transcript took so long, and the answer what it always takes."""
    understood = START - 100 * MS
    began = understood - taken_ms * MS
    spoken = hearing(number, speech_end=began, speech_stopped=None, transcript_done=understood)
    return replace(spoken, started=started)


def remember(
    state_dir: Path, path: Path, made: Callable[[int, int, int], RunRecord] = in_text, every_s: int = 1
) -> None:
    """Have a history in which the same servers were quick."""
    (entry,) = entries(config.load(path))
    history = History(state_dir)
    rng = random.Random(1)
    now = time.time_ns()
    for number in range(KNOWN_RUNS):
        taken = round(KNOWN_MS + rng.uniform(-SCATTER_MS, SCATTER_MS))
        run = made(number, now - (KNOWN_RUNS - number) * every_s * 1000 * MS, taken)
        plan = replace(run.plan, target=entry.target, scenario=entry.scenario)
        history.append(replace(run, plan=plan))
    history.close()


async def command(state_dir: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "probe", "drift", "--state-dir", str(state_dir), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE_S):
        stdout, _ = await process.communicate()
    return process.returncode or 0, stdout.decode()


async def state_is(daemon: Service, wanted: float) -> dict[str, float]:
    """Wait until the past is looked at, and return the metrics."""

    async def found() -> dict[str, float]:
        metrics = await daemon.metrics()
        return {} if math.isnan(metrics[STATE]) else metrics

    metrics: dict[str, float] = await eventually(found)
    assert metrics[STATE] == wanted
    return metrics


async def test_a_server_that_becomes_slow_is_reported(tmp_path: Path) -> None:
    async with ScriptedLlm(LLM) as llm_server, ScriptedTts(SLOW) as tts_server:
        path = write_config(tmp_path, llm_server.url, tts_server.url, every_s=1)
        remember(tmp_path / "state", path)
        assert (await command(tmp_path / "state"))[0] == 0
        async with service(path) as daemon:
            await state_is(daemon, 0)
            line = await daemon.until("drift", seconds=200)
            assert (line["direction"], line["stage"]) == ("slower", "tts_ttfb")
            assert line["runs_before"][-1] < line["runs_after"][0]
            await eventually(lambda: daemon.lines[-1]["event"] == "run")
            metrics = await daemon.metrics()
            assert metrics[STATE] == 1
            stage = 'scenario="default",stage="tts_ttfb",target="scripted"'
            assert metrics[f"voice_probe_drift_ratio{{{stage}}}"] > 2
            assert metrics[f'voice_probe_drift_changes_total{{direction="slower",{stage}}}'] == 1
            await daemon.end()
        code, output = await command(tmp_path / "state")
        assert code == 3
        assert output.startswith("scripted, default: combined TTFB +")
        assert "all of it TTS TTFB" in output
        async with service(path) as daemon:
            again = await state_is(daemon, 1)
            since = f"voice_probe_drift_since_timestamp_seconds{{{LABELS}}}"
            assert not math.isnan(again[since])
            assert again[since] == metrics[since]


@pytest.fixture(name="recording")
def _recording(tmp_path: Path) -> Path:
    """A fifth of a second of sound."""
    path = tmp_path / "said.wav"
    audio.write_wav(path, array("h", [6000, -6000] * 1600).tobytes(), 16_000)
    return path


@pytest.mark.long
async def test_of_a_target_that_hears_the_whole_wait_is_judged(tmp_path: Path, recording: Path) -> None:
    """Its STT server takes more than a second longer than before."""
    slow = HearingScript(answers=((Wait(1.4), transcript("Tell me a joke.")),))
    async with ScriptedLlm(LLM) as llm_server, ScriptedTts() as tts_server, ScriptedHearing(slow) as stt_server:
        said = f'[scenarios.default]\nuser_turns = ["Tell me a joke."]\nuser_audio = ["{recording}"]\n'
        stt = f'stt = {{ url = "{stt_server.url}", endpointing = "probe" }}'
        path = write_config(tmp_path, llm_server.url, tts_server.url, every_s=3, more=said, target=stt)
        remember(tmp_path / "state", path, by_speech, every_s=3)
        code, output = await command(tmp_path / "state")
        assert (code, output.startswith("scripted, default: no drift: voice to voice ")) == (0, True)
        async with service(path) as daemon:
            await state_is(daemon, 0)
            line = await daemon.until("drift", seconds=250)
            assert (line["direction"], line["stage"]) == ("slower", "transcription")
            assert line["what"].startswith("voice to voice +")
            assert line["transcription_ratio"] > 3
            await eventually(lambda: daemon.lines[-1]["event"] == "run")
            metrics = await daemon.metrics()
            assert metrics[STATE] == 1
            stages = {name.split('stage="')[1].split('"')[0] for name in metrics if "_drift_ratio{" in name}
            assert stages == {*WAITS["speech"]}
            stage = 'scenario="default",stage="transcription",target="scripted"'
            assert metrics[f"voice_probe_drift_ratio{{{stage}}}"] > 3
            assert metrics[f'voice_probe_drift_changes_total{{direction="slower",{stage}}}'] == 1
            await daemon.end()
        code, output = await command(tmp_path / "state")
        assert code == 3
        assert output.startswith("scripted, default: voice to voice +")
        assert "transcription (+" in output.splitlines()[0] + output.splitlines()[1]


async def test_a_past_that_breaks_the_detector_keeps_nobody_from_measuring(tmp_path: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url)
        async with service(config) as daemon:
            await daemon.until("run")
            await daemon.end()
        broken = "import probe.drift.monitor as m\nm.Monitor.add = lambda *_: 1 // 0"
        async with service(config, prelude=broken) as daemon:
            assert "ZeroDivisionError" in (await daemon.until("sink failed", sink="drift"))["error"]
            await daemon.until("run", outcome="ok")
            assert len(daemon.records()) == 2


async def test_a_past_that_takes_for_ever_keeps_nobody_from_measuring(tmp_path: Path) -> None:
    """A page of it takes the thread for 0.1 s of pure Python, and there is always another."""
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url, every_s=1)
        remember(tmp_path / "state", config)
        endless = (
            "import time\n"
            "from probe.history.reader import HistoryReader as Reader\n"
            "def page(*_):\n"
            "    until = time.monotonic() + 0.1\n"
            "    while time.monotonic() < until: pass\n"
            "    return [(1, None)]\n"
            "Reader.page = page"
        )
        async with service(config, prelude=endless) as daemon:
            await eventually(lambda: len([line for line in daemon.lines if line["event"] == "run"]) > 2)
            assert (await daemon.get("/healthz"))[0] == 200
            metrics = await daemon.metrics()
            assert math.isnan(metrics[STATE])
            assert await daemon.end() == 0
        assert len(daemon.records()) > KNOWN_RUNS + 2
