"""What is measured: targets and scenarios."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from probe import legacy
from probe.config.base import BaseSection, HttpUrl, Seconds, Text
from probe.protocols.registry import LLM, TTS
from probe.record import Limits, Pause, PromptCache, Scenario, ServerPlan, Target


def websocket_url(text: str) -> str:
    """Check a WebSocket URL. Raises ValueError with what is expected."""
    expected = "expected ws://HOST:PORT/PATH or wss://HOST/PATH"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna")
        good = parts.scheme in ("ws", "wss") and bool(host) and parts.port != 0 and not parts.fragment
    except UnicodeError as error:
        raise ValueError(f"{text!r} has a host that is no DNS name; {expected}") from error
    except ValueError as error:
        raise ValueError(f"{text!r} is not a URL ({error}); {expected}") from error
    if not good or not text.isprintable() or " " in text:
        raise ValueError(f"{text!r} is not a WebSocket URL; {expected}")
    return text


def _one_of(names: Mapping[str, object]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"{name!r} is unknown; one of: {', '.join(sorted(names))}")
        return name

    return AfterValidator(check)


WebSocketUrl = Annotated[str, AfterValidator(websocket_url)]


class PauseConfig(BaseSection):
    """Where a chunk ends: `max_tokens`, `sentence_boundary`, or (an empty table) with the response."""

    max_tokens: int | None = Field(None, ge=1, le=500)
    sentence_boundary: bool = False

    @model_validator(mode="after")
    def _one_strategy(self) -> "PauseConfig":
        if self.sentence_boundary and self.max_tokens is not None:
            raise ValueError("max_tokens and sentence_boundary exclude each other")
        return self


class LimitsConfig(BaseSection):
    """How long each wait may last."""

    connect_s: Seconds = Field(5.0, description="opening one WebSocket")
    llm_s: Seconds = Field(10.0, description="without anything from the LLM server while it owes an answer")
    tts_s: Seconds = Field(10.0, description="without anything from the TTS server while it owes an answer")
    run_s: Seconds = Field(120.0, description="a whole run")
    release_s: Seconds = Field(5.0, description="giving the LLM server's slot back when a run ends early")
    gap_ms: float = Field(150.0, gt=0, le=10_000, description="silence that ends a segment, where no marker does")
    hold_s: Seconds = Field(2.0, description="waiting for a text that the TTS server may be keeping until more comes")
    flush_ms: float = Field(
        4000.0,
        ge=0,
        le=60_000,
        description="TARGET_AUDIO_MS of an older TTS server, which may keep shorter texts back",
    )


class TargetConfig(BaseSection):
    """One pair of servers."""

    llm_url: WebSocketUrl = Field("ws://localhost:8002/ws", description="the chunked LLM server")
    tts_url: WebSocketUrl = Field("ws://localhost:8001/ws/tts/stream", description="the TTS server")
    llm_protocol: Annotated[str, _one_of(LLM)] = Field("chunked", description="wire protocol")
    tts_protocol: Annotated[str, _one_of(TTS)] = Field("magpie", description="wire protocol")
    voice: Text = Field("aria", description="a voice of the TTS server")
    language: Text = Field("en", description="a language of the TTS server")
    sample_rate: int = Field(22000, ge=8000, le=192_000, description="of the TTS server's audio, in Hz")
    tts_mode: Literal["batch", "stream"] = Field(
        "batch", description="stream: audio frame by frame, newer servers only"
    )
    objective_ms: float = Field(1000.0, gt=0, le=3_600_000, description="a response that takes longer to start is slow")
    llama_url: HttpUrl | None = Field(
        None, description="llama.cpp's own address: its slots show users that the chunked server does not know"
    )
    limits: LimitsConfig = LimitsConfig()

    def record(self, name: str) -> Target:
        flat = self.model_dump(exclude={"objective_ms", "limits"})
        limits = self.limits.model_dump()
        servers: dict[str, dict[str, Any]] = {"llm": {}, "tts": {}}
        for table, keys in ((flat, legacy.KEYS), (limits, legacy.LIMITS)):
            for key, (role, option) in keys.items():
                if (value := table.pop(key)) is not None:
                    servers[role][option] = value
        plans = {role: ServerPlan(each.pop("protocol"), each.pop("url"), each) for role, each in servers.items()}
        return Target(name, plans, self.objective_ms, Limits(**limits))  # type: ignore[arg-type]  # roles are ours


class ScenarioConfig(BaseSection):
    """What is said, and how the response is cut into chunks."""

    system_prompt: str = Field(
        "You are a helpful voice assistant. What you say is spoken aloud, so answer in one or two short sentences.",
        description="the conversation's first message",
    )
    user_turns: Annotated[list[Text], Field(min_length=1)] = Field(
        ["Tell me a joke about a unicorn."], description="one text a turn"
    )
    turns: int | None = Field(None, ge=1, le=100, description="how many, cycling user_turns; without it, each once")
    first_pause: PauseConfig = Field(PauseConfig(max_tokens=10), description="where the first chunk of a turn ends")
    next_pause: PauseConfig = Field(PauseConfig(sentence_boundary=True), description="where every further chunk ends")
    turn_pause_s: float = Field(
        0.5, ge=0, le=60, description="between turns: outlasts a slot's cool-down, as people do"
    )
    temperature: float = Field(0.7, ge=0, le=2, description="0 makes a run repeatable")
    prompt_cache: PromptCache = Field("fresh", description="fresh: as a new conversation; reused: a cache answers")

    def record(self, name: str) -> Scenario:
        texts = self.user_turns
        count = self.turns or len(texts)
        return Scenario(
            name=name,
            system_prompt=self.system_prompt,
            user_turns=tuple(texts[i % len(texts)] for i in range(count)),
            first_pause=Pause(**self.first_pause.model_dump()),
            next_pause=Pause(**self.next_pause.model_dump()),
            turn_pause_s=self.turn_pause_s,
            temperature=self.temperature,
            prompt_cache=self.prompt_cache,
        )
