"""What a person waits for, and the stages that this consists of, by how a target is asked. Pure.

An agent that is spoken to thinks while it transcribes, and speaks while it writes: neither the transcript nor the rest
of the text is a part of its wait.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from probe.measures import STAGES, TurnMeasures
from probe.plan import Target

# In text; by speech, with an STT server in front of the LLM's; or by speech, of an agent.
Asked = Literal["text", "speech", "agent_speech"]
ASKED: tuple[Asked, ...] = get_args(Asked)
# What a target that hears has beside STAGES.
HEARING = ("voice_to_voice", "endpointing", "transcription")
# The whole first, then its stages in the order of time.
WAITS: Mapping[Asked, tuple[str, ...]] = {
    "text": STAGES,
    "speech": (*HEARING, *STAGES[1:]),
    "agent_speech": ("voice_to_voice", "endpointing", "llm_ttft", "tts_ttfb"),
}
WHOLES = frozenset(stages[0] for stages in WAITS.values())
EVERY_STAGE = (*STAGES, *HEARING)


def asked(target: Target) -> Asked:
    """How a target is asked."""
    if "stt" in target.servers:
        return "speech"
    return "agent_speech" if target.option("agent", "endpointing") is not None else "text"


def hearing_ms(turn: TurnMeasures) -> tuple[float | None, ...]:
    """How long each of HEARING took in a turn."""
    return turn.voice_to_voice_ms, turn.endpointing_ms, turn.transcription_ms
