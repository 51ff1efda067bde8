"""What pipecat reports of the whole wait and what the probe reports, each beside the silence in its own recording.

Both use the same three servers of others (`make servers`): wyoming-faster-whisper, llama.cpp's own server and
wyoming-piper; both are asked the same recording at the pace at which it was spoken. pipecat (`make pipecat`) finds the
end of the speech itself, as it does by default; the probe ends it. Each answer is recorded: the person on the left,
the agent on the right. The silence between the two is the wait, and is found without any code of the probe.

    make servers pipecat
    make bench-pipecat_beside ARGS='--turns 5 --keep FOLDER'

The first turn of each is not shown: the servers load what they need.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from os import environ, getloadavg
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soxr  # type: ignore[import-untyped]  # ships no types

from probe import delays, garbage, whole_wait
from probe.config import ScenarioConfig, TargetConfig
from probe.measurement import measure
from probe.measures import measure_run
from probe.plan import new_plan
from probe.record import RunRecord
from probe.timestamps import NS_PER_MS
from probe.tolerance import Tolerance

ROOT = Path(__file__).parents[1]
SUPPORT = ROOT / "tests" / "support"
if str(SUPPORT) not in sys.path:
    sys.path.append(str(SUPPORT))

import pytest  # noqa: E402
from between import between, passed  # noqa: E402
from other_hearing import whisper  # noqa: E402
from other_speech import VOICE, piper  # noqa: E402
from others import ENVIRONMENT, llama_server, llama_url  # noqa: E402
from two_tracks import Piece, silence, write  # noqa: E402

PYTHON = ROOT / ".venv-pipecat" / "bin" / "python"
RATE = 16_000
SAID = "What is the capital of France?"
SYSTEM_PROMPT = "You are a helpful assistant. Your answers are spoken aloud: one short sentence, in plain words."
MAX_TOKENS = 20
PATIENT = {"connect_s": 60, "stt_s": 60, "llm_s": 60, "tts_s": 60, "run_s": 200}
TOLERANCE = Tolerance(60_000, 60_000, 60_000)
# pipecat's names for its services, and for the parts of its latency.
SERVICES = {"STT": "WyomingStt#0", "LLM": "OpenAILLMService#0", "TTS": "WyomingTts#0"}

Figures = Mapping[str, float | None]


@dataclass(frozen=True)
class Servers:
    stt: str
    llm: str
    tts: str


@dataclass(frozen=True)
class Logs:
    """What came by on the way to the STT server, and from the TTS server."""

    heard: Path
    spoken: Path


@contextmanager
def servers(folder: Path) -> Iterator[tuple[Servers, Logs]]:
    names = ("whisper", "llama", "piper")
    for name in names:
        (folder / name).mkdir()
    logs = Logs(folder / "heard.log", folder / "spoken.log")
    whisper_in, llama_in, piper_in = (folder / name for name in names)
    with whisper(whisper_in) as stt, llama_server(llama_in) as llm, piper(piper_in) as tts:
        url = llama_url(llm)
        with between(stt, logs.heard) as noted_stt, between(tts, logs.spoken) as noted_tts:
            yield Servers(noted_stt, f"{url}/v1", noted_tts), logs


def question(folder: Path) -> Path:
    """Speak it, at the rate at which speech is heard."""
    spoken, path = folder / "spoken.wav", folder / "question.wav"
    voice = folder / "piper" / "voices" / f"{VOICE}.onnx"
    subprocess.run([ENVIRONMENT / "bin" / "piper", "-m", voice, "-f", spoken, "--", SAID], check=True)
    with wave.open(str(spoken), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        heard = soxr.resample(samples, file.getframerate(), RATE)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(heard.astype("<i2").tobytes())
    return path


# pipecat


def by_pipecat(chain: Servers, asked: Path, turns: int, folder: Path) -> list[Figures]:
    wanted = {
        **asdict(chain), "recording": str(asked), "system_prompt": SYSTEM_PROMPT, "max_tokens": MAX_TOKENS,
        "turns": turns, "folder": str(folder),
    }  # fmt: skip
    command: list[str | Path] = [PYTHON, Path(__file__).with_name("pipecat_agent.py"), json.dumps(wanted)]
    quiet = {"PYTHONPATH": str(SUPPORT), "PYTHONWARNINGS": "ignore", "LOGURU_LEVEL": "ERROR"}
    found = subprocess.run(command, env={**environ, **quiet}, stdout=subprocess.PIPE, text=True, check=True)
    return [of_pipecat(json.loads(line)) for line in found.stdout.splitlines()]


def of_pipecat(reported: Mapping[str, Any]) -> Figures:
    """The figures of a turn, in the order in which they are shown."""
    if "latency" not in reported:
        sys.exit(f"pipecat reported no latency of a turn in which it understood {reported['understood']!r}")
    ttfb = {name: reported["ttfb"].get(service) for name, service in SERVICES.items()}
    heard, latency, since = silence(Path(reported["recording"])), reported["latency"], reported["since"]
    late = None if since is None else (since - reported["begin"] - heard.start) * 1000
    return {
        **{f"{name}, TTFB": each for name, each in ttfb.items()},
        "the three added up": added(*ttfb.values()),
        "TTS, TTFA": reported.get("ttfa"),
        **{f"  {name}": each for name, each in reported["parts"].items()},
        "user-to-bot latency": latency,
        "silence in the recording": heard.ms,
        "latency - silence": latency - heard.ms,
        "  it begins too late by": late,
        "  it ends too early by": None if late is None else heard.ms - latency - late,
    }


# The probe


def by_probe(chain: Servers, logs: Logs, asked: Path, turns: int, folder: Path) -> list[Figures]:
    target = TargetConfig.of(
        llm={"url": chain.llm, "max_tokens": MAX_TOKENS}, tts={"url": chain.tts}, stt={"url": chain.stt},
        limits=PATIENT, objective_ms=100_000, machine="none",
    ).record("chain")  # fmt: skip
    scenario = ScenarioConfig.of(
        user_turns=[SAID], user_audio=[str(asked)], system_prompt=SYSTEM_PROMPT, temperature=0
    ).record("question")
    found = []
    garbage.freeze()
    for number in range(turns):
        record = asyncio.run(measure(new_plan(target, scenario), TOLERANCE)).record
        if record.failure is not None:
            sys.exit(f"the run failed: {record.failure.detail}")
        path = folder / f"probe-{number}.wav"
        record_both(logs, path)
        found.append(of_probe(record, silence(path).ms))
    return found


def record_both(logs: Logs, path: Path) -> None:
    """Write what came by in the last run."""
    heard = [*passed(logs.heard)]
    transcript = next(event for event in reversed(heard) if event.type == "transcript")
    said = [event for event in heard if event.connection == transcript.connection]
    answered = [event for event in passed(logs.spoken) if event.at > transcript.at]
    pieces = (
        [Piece(event.at, event.data["rate"], event.payload) for event in events if event.type == "audio-chunk"]
        for events in (said, answered)
    )
    write(path, *pieces)


def of_probe(record: RunRecord, recorded_ms: float) -> Figures:
    (turn,), (measured,) = record.turns, measure_run(record)
    first, whole = measured.chunks[0], measured.voice_to_voice_ms
    own = (whole_wait.question_delay(turn) + delays.before_audio(turn.chunks[:1])) / NS_PER_MS
    return {
        "transcription_ms": measured.transcription_ms,
        "llm_ttft_ms": first.llm_ttft_ms,
        "tts_ttfb_ms": first.tts_ttfb_ms,
        "the three added up": added(measured.transcription_ms, first.llm_ttft_ms, first.tts_ttfb_ms),
        "llm_gen_time_ms": first.llm_gen_time_ms,
        "leading_silence_ms": first.leading_silence_ms,
        "voice_to_voice_ms": whole,
        "the probe's own delay": own,
        "silence in the recording": recorded_ms,
        "voice_to_voice - silence": added(whole, -recorded_ms),
        "  with its own delay": added(whole, own, -recorded_ms),
    }


# The table


def added(*figures: float | None) -> float | None:
    known = [each for each in figures if each is not None]
    return sum(known) if len(known) == len(figures) else None


def table(title: str, turns: Sequence[Figures]) -> Iterator[str]:
    """One column for each turn, then the median."""
    yield f"{title + ', ms':<28}" + "".join(f"{number:>9}" for number in range(1, len(turns) + 1)) + f"{'median':>9}"
    for name in rows(turns):
        figures = [turn.get(name) for turn in turns]
        known = [each for each in figures if each is not None]
        cells = [*figures, median(known) if known else None]
        yield f"{name:<28}" + "".join(f"{'-' if each is None else round(each):>9}" for each in cells)


def rows(turns: Iterable[Figures]) -> list[str]:
    """Each row that any of the turns has, behind the one that it follows there."""
    names: list[str] = []
    for turn in turns:
        place = 0
        for name in turn:
            if name not in names:
                names.insert(place, name)
            place = names.index(name) + 1
    return names


def compare(turns: int, folder: Path) -> None:
    load = getloadavg()
    with tempfile.TemporaryDirectory() as name, servers(Path(name)) as (chain, logs):
        asked = question(Path(name))
        pipecat = by_pipecat(chain, asked, turns + 1, folder)[1:]
        probe = by_probe(chain, logs, asked, turns + 1, folder)[1:]
    print(f"{turns} turns of each; load averages at the start {', '.join(f'{each:.1f}' for each in load)}")
    print(*table("pipecat", pipecat), "", *table("probe", probe), sep="\n")


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the recordings are kept")
    chosen = parser.parse_args(arguments)
    if not PYTHON.exists():
        sys.exit("pipecat is not installed: make pipecat")
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            compare(chosen.turns, folder)
        except pytest.skip.Exception as missing:
            sys.exit(str(missing))


if __name__ == "__main__":
    main()
