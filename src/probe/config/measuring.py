"""Scenarios: prompts, and how answers are cut."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from msgspec import Meta, field, structs

from probe.config.base import Text
from probe.config.section import Section
from probe.plan import Pause, PromptCache, Scenario
from probe.spoken import PAUSE, checked, has_pauses


class PauseConfig(Section, frozen=True, kw_only=True):
    """Where a chunk ends: `max_tokens`, `sentence_boundary`, or (an empty table) with the response."""

    max_tokens: Annotated[int, Meta(ge=1, le=500)] | None = None
    sentence_boundary: bool = False

    def contradiction(self, given: Collection[str]) -> str | None:  # noqa: ARG002 - of every section
        both = self.sentence_boundary and self.max_tokens is not None
        return "max_tokens and sentence_boundary exclude each other" if both else None

    def record(self) -> Pause:
        return Pause(max_tokens=self.max_tokens, sentence_boundary=self.sentence_boundary)


class ScenarioConfig(Section, frozen=True, kw_only=True):
    """What is said, and how the response is cut into chunks."""

    system_prompt: Annotated[str, Meta(description="the conversation's first message")] = (
        "You are a helpful voice assistant. What you say is spoken aloud, so answer in one or two short sentences."
    )
    user_turns: Annotated[
        list[Annotated[Text, checked]],
        Meta(
            min_length=1,
            description=f"one text per turn; {PAUSE} between two words is a pause in the speech made of it",
        ),
    ] = field(default_factory=lambda: ["Tell me a joke about a unicorn."])
    user_audio: Annotated[
        list[Text],
        Meta(
            description="recordings of the user turns (WAV files), one per text of user_turns, for targets that hear; "
            "without them TTS makes them once"
        ),
    ] = field(default_factory=list)
    snr_db: Annotated[
        Annotated[float, Meta(ge=-10, le=60)] | None,
        Meta(description="white noise is mixed into what is said, so many decibels below it; without it, none is"),
    ] = None
    interrupt_after_ms: Annotated[
        Annotated[float, Meta(ge=0, le=60_000)] | None,
        Meta(
            description="a person speaks into each answer, the turn's words again, once so much of it was heard; for "
            "agents that find the end of the speech themselves. Without it, nobody does"
        ),
    ] = None
    turns: Annotated[
        Annotated[int, Meta(ge=1, le=100)] | None,
        Meta(description="how many, cycling user_turns; without it, each once"),
    ] = None
    first_pause: Annotated[PauseConfig, Meta(description="where the first chunk of a turn ends")] = PauseConfig(
        max_tokens=10
    )
    next_pause: Annotated[PauseConfig, Meta(description="where every further chunk ends")] = PauseConfig(
        sentence_boundary=True
    )
    turn_pause_s: Annotated[
        float, Meta(ge=0, le=60, description="between turns: outlasts a slot's cool-down, as people do")
    ] = 0.5
    temperature: Annotated[float, Meta(ge=0, le=2, description="0 makes a run repeatable")] = 0.7
    prompt_cache: Annotated[PromptCache, Meta(description="fresh: as a new conversation; reused: a cache answers")] = (
        "fresh"
    )
    flow: Annotated[
        Literal["sequential", "overlapped"] | None,
        Meta(
            description="sequential: the LLM continues when the previous chunk's audio is complete; overlapped: at "
            "once; without it, sequential for protocols that pause. Answers that run freely are always overlapped"
        ),
    ] = None

    max_answer_tokens: Annotated[
        Annotated[int, Meta(ge=1, le=5000)],
        Meta(description="the answer ends with the chunk that reaches this many spoken tokens"),
    ] = 120
    max_chunks: Annotated[
        Annotated[int, Meta(ge=1, le=500)] | None,
        Meta(description="the answer ends after this many chunks; without it, at its end"),
    ] = None

    def contradiction(self, given: Collection[str]) -> str | None:
        if self.user_audio and "user_turns" in given and len(self.user_audio) != len(self.user_turns):
            recorded, texts = len(self.user_audio), len(self.user_turns)
            return f"user_audio needs one recording for each text of user_turns: it has {recorded}, not {texts}"
        if self.user_audio and "user_turns" not in given:
            return "user_audio needs user_turns, what is said in each of the recordings"
        if self.user_audio and any(map(has_pauses, self.user_turns)):
            return (
                f"a recording has its own pauses: leave {PAUSE} and others out of user_turns, or leave out user_audio"
            )
        return None

    def differences(self) -> dict[str, Any]:
        """The texts of recordings are always written beside them."""
        return super().differences() | ({"user_turns": self.user_turns} if self.user_audio else {})

    def with_audio_from(self, folder: Path) -> Self:
        """The same; recordings whose paths are relative lie in this folder."""
        return structs.replace(self, user_audio=[str(folder / each) for each in self.user_audio])

    def record(self, name: str) -> Scenario:
        texts, recorded = self.user_turns, self.user_audio
        count = self.turns or len(texts)
        return Scenario(
            name=name,
            system_prompt=self.system_prompt,
            user_turns=tuple(texts[i % len(texts)] for i in range(count)),
            first_pause=self.first_pause.record(),
            next_pause=self.next_pause.record(),
            turn_pause_s=self.turn_pause_s,
            temperature=self.temperature,
            prompt_cache=self.prompt_cache,
            flow=self.flow,
            max_answer_tokens=self.max_answer_tokens,
            max_chunks=self.max_chunks,
            snr_db=self.snr_db,
            interrupt_after_ms=self.interrupt_after_ms,
            user_audio=tuple(recorded[i % len(recorded)] for i in range(count)) if recorded else (),
        )
