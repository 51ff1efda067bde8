"""Records of made-up runs: how long each stage took decides everything else."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from probe.config import ScenarioConfig, TargetConfig
from probe.heard import Heard
from probe.plan import Plan, Role
from probe.record import AudioAnalysis, Chunk, Connect, Failure, RunRecord, Stage, Turn

SECOND = 1_000_000_000
RATE = 22_000
BYTES_PER_SECOND = 2 * RATE


@dataclass(frozen=True, slots=True)
class Stages:
    """How long each stage took, in seconds; `gap` is the silence before the second chunk."""

    llm_ttft: float
    llm_decode: float
    tts_ttfb: float
    leading_silence: float
    gap: float = 0.0


@dataclass(frozen=True, slots=True)
class Pair:
    """What is measured, and its usual figures.

    `speech`, where it hears: how long the end of the speech and its transcript take, in seconds.
    """

    target: str
    scenario: str
    usual: Stages
    speech: tuple[float, float] | None = None


class Recorder:
    """Writes the records of one pair. What it makes depends on `seed` alone."""

    def __init__(self, pair: Pair, seed: int) -> None:
        self._random = Random(seed)
        self._speech = pair.speech
        hearing = {} if pair.speech is None else {"stt": {"url": "tcp://spark:10300", "endpointing": "server"}}
        self._target = TargetConfig.of(sample_rate=RATE, **hearing).record(pair.target)
        self._scenario = ScenarioConfig().record(pair.scenario)

    def complete(self, at_s: float, stages: Stages, doubts: tuple[str, ...] = ()) -> RunRecord:
        """One turn of two chunks that began at `at_s`, seconds since the epoch."""
        started = round(at_s * SECOND)
        first = _first(started + SECOND // 100, stages)
        second = _second(first, stages)
        heard = self._heard(first.inference_start or started)
        turn = Turn(1, "Hello?", (first, second), done=second.tts_segment_done, heard=heard)
        ended = (second.tts_segment_done or started) + SECOND // 1000
        return RunRecord(self._plan(at_s), started, ended, self._connects(started), (turn,), doubts=doubts)

    def failed(self, at_s: float, server: Role, stage: Stage, reason: str) -> RunRecord:
        """A run that ended before anything was heard."""
        started = round(at_s * SECOND)
        failure = Failure(stage, reason, "made up", started + SECOND, server=server)
        return RunRecord(self._plan(at_s), started, started + SECOND, self._connects(started), failure=failure)

    def skipped(self, at_s: float) -> RunRecord:
        """A run for which the server had no slot free."""
        started = round(at_s * SECOND)
        return RunRecord(self._plan(at_s), started, started + SECOND // 100, skipped="No slots available (max 4)")

    def _heard(self, asked: int) -> Heard | None:
        """The speech that was understood just before the question; one word in ten is not, now and then."""
        if self._speech is None:
            return None
        endpointing, transcription = (round(each * SECOND) for each in self._speech)
        # So the figures of the answers are those that they were without it.
        chance = Random(asked)
        endpointing += round(chance.gauss(0, 0.02) * SECOND)
        said = "Could you please tell me a joke about a unicorn"
        stopped = asked - transcription
        return Heard(
            stopped - endpointing - 3 * SECOND, stopped - endpointing, stopped, asked,
            said.replace("please ", "") if chance.random() < 0.3 else said, said, 0, 0,
        )  # fmt: skip

    def _plan(self, at_s: float) -> Plan:
        ids = uuid.UUID(int=self._random.getrandbits(128)).hex
        run_id = f"{datetime.fromtimestamp(at_s, UTC):%Y%m%dT%H%M%SZ}-{ids[:12]}"
        return Plan(run_id, ids, ids[16:], self._target, self._scenario)

    @staticmethod
    def _connects(started: int) -> tuple[Connect, ...]:
        return (Connect("llm", started, started + SECOND // 500), Connect("tts", started, started + SECOND // 250))


def _first(asked: int, stages: Stages) -> Chunk:
    generated = asked + round((stages.llm_ttft + stages.llm_decode) * SECOND)
    return _spoken(1, asked, asked + round(stages.llm_ttft * SECOND), generated, stages, audio_s=2.2)


def _second(first: Chunk, stages: Stages) -> Chunk:
    """The next chunk is asked for when the first is spoken, and is heard in time unless there is a gap."""
    asked = first.tts_segment_done or 0
    played = (first.tts_first_audio or 0) + round(2.2 * SECOND)
    heard = played + round(stages.gap * SECOND) if stages.gap else asked + round((0.16 + stages.tts_ttfb) * SECOND)
    generated = heard - round(stages.tts_ttfb * SECOND)
    return _spoken(2, asked, asked + round(0.03 * SECOND), generated, stages, audio_s=3.1)


def _spoken(number: int, asked: int, first_token: int, generated: int, stages: Stages, audio_s: float) -> Chunk:
    heard = generated + round(stages.tts_ttfb * SECOND)
    size = round(audio_s * BYTES_PER_SECOND)
    last = heard + SECOND // 10
    return Chunk(
        number, asked, "A joke.", 10, "eos", number == 2,
        llm_first_token=first_token, llm_done=generated, tts_text_sent=generated + SECOND // 5000,
        tts_first_audio=heard, tts_last_audio=last, tts_segment_done=last, segment_end="marker", sample_rate=RATE,
        audio_bytes=size, frames=((heard, size),),
        sound=AudioAnalysis(size // 2, round(stages.leading_silence * RATE), 0.1, 0.5, 0.97),
    )  # fmt: skip
