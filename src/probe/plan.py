"""What a run should do: the target, the scenario, and the ids of the run. Frozen values, settled before it starts."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from probe.heard import Utterance
from probe.machine.state import Exporter, Source
from probe.urls import without_secrets

# What a server does: hear, think, speak, or all of it (speech to speech).
Role = Literal["stt", "llm", "tts", "agent"]
PromptCache = Literal["fresh", "reused"]
# What of a turn the objective judges: its first byte of audio, its first audible sample, or that since the end of the
# speech that it answers.
ObjectiveMeasure = Literal["response_ttfb", "response_ttfa", "voice_to_voice"]
# When the LLM goes on: after the audio of the chunk before is complete, as protocols that pause do by default, or while
# it is still being made, as real agents do and free-running answers always. `streamed`: its text goes to the TTS server
# as it comes, and that cuts it; nobody chooses this but the TTS server's protocol.
Flow = Literal["sequential", "overlapped", "streamed"]

# Hiss, hum and dither below this level are silence, where the configuration does not say otherwise.
AUDIBLE_DBFS = -50.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pause:
    """Where the LLM server stops a chunk: after `max_tokens`, at a sentence's end, or (neither) at the response's."""

    max_tokens: int | None = None
    sentence_boundary: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each wait may last; `config` holds the defaults and says what each one is for."""

    connect_s: float
    llm_s: float
    tts_s: float
    run_s: float
    release_s: float
    stt_s: float = 10.0


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """One network service: where it is, and the protocol that it speaks with what that protocol takes.

    `options` hold JSON values, the protocol's defaults included, and none that is None. `headers` are secrets, and
    not part of the record; of `url` that is what may be shown of it: a user, a password and a query may be secrets.
    """

    protocol: str
    url: str = field(metadata={"json": without_secrets})
    options: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, metadata={"json": False})


@dataclass(frozen=True, slots=True)
class Target:
    """The servers of one voice agent, by what they do."""

    name: str
    servers: Mapping[Role, ServerPlan]
    objective_ms: float
    limits: Limits
    objective_measure: ObjectiveMeasure = "response_ttfb"
    # From which level on sound is heard, in dB of full scale.
    audible_dbfs: float = AUDIBLE_DBFS
    # Whether this machine's figures are kept with its runs; and whose exporters are asked for another's, by their URLs.
    machine: Source = "none"
    exporters: Mapping[Exporter, str] = field(
        default_factory=dict,
        repr=False,
        metadata={"json": lambda found: {each: without_secrets(url) for each, url in found.items()}},
    )
    # The TTS server that makes the speech of a person; None: the target's own.
    user_speech: ServerPlan | None = None

    @property
    def user_voice(self) -> ServerPlan | None:
        """Who makes the speech of a person where there are no recordings; None where nobody can."""
        return self.user_speech or self.servers.get("tts")

    def doing(self, role: Role) -> ServerPlan | None:
        """The server that does this work: its own, or the agent, which does that of all; None where nobody does."""
        return self.servers.get(role, self.servers.get("agent"))

    def option(self, role: Role, name: str) -> Any:
        """What was given, under this name, to the protocol of the server that does this work, such as its `voice`.

        None where it has no such thing.
        """
        server = self.doing(role)
        return None if server is None else server.options.get(name)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is said: a system prompt, one user text a turn, and how the response is cut into chunks.

    A text may have pauses in it, as `spoken` reads them.
    """

    name: str
    system_prompt: str
    user_turns: tuple[str, ...]
    first_pause: Pause
    next_pause: Pause
    turn_pause_s: float
    temperature: float
    prompt_cache: PromptCache
    # None: the protocol's default, see `Flow`.
    flow: Flow | None = None
    # An answer ends with the chunk in which it has so many spoken tokens, or after so many chunks; None: never.
    max_answer_tokens: int | None = None
    max_chunks: int | None = None
    # Recordings of the user turns, by their paths, for targets that hear. Without them the target's TTS makes them.
    user_audio: tuple[str, ...] = ()
    # How far the noise that is mixed into them is below the speech, in decibels; None: nothing is.
    snr_db: float | None = None
    # After how much of an answer that is heard a person speaks into it; None: nobody does.
    interrupt_after_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run needs to know, settled before it starts. Ids are lower-case hexadecimal, as W3C traces want.

    `speech` has what is played to a target that hears, one for each user turn, and `speech_dir` is where what a TTS
    server made of it is kept: without it, in the usual state directory. Neither is part of the record.
    """

    run_id: str
    trace_id: str
    span_id: str
    target: Target
    scenario: Scenario
    speech: tuple[Utterance, ...] = field(default=(), repr=False, compare=False, metadata={"json": False})
    speech_dir: Path | None = field(default=None, repr=False, compare=False, metadata={"json": False})


def new_plan(
    target: Target, scenario: Scenario, started: datetime | None = None, *, speech_dir: Path | None = None
) -> Plan:
    """Plan one run. Run ids sort by time; trace and span ids are random, as W3C traces want them.

    A run id has 48 random bits for what begins within one second; those of earlier versions have 24.
    """
    moment = (started or datetime.now(UTC)).astimezone(UTC)
    return Plan(
        run_id=f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(6)}",
        trace_id=secrets.token_hex(16),
        span_id=secrets.token_hex(8),
        target=target,
        scenario=scenario,
        speech_dir=speech_dir,
    )


def choose(kind: str, known: Mapping[str, T], name: str | None) -> tuple[str, T]:
    """Pick a configured target or scenario by name, the first one where no name is given. Raises ValueError."""
    if name is None:
        return next(iter(known.items()))
    if name not in known:
        raise ValueError(f"no {kind} {name!r} is configured; there is: {', '.join(known)}")
    return name, known[name]
