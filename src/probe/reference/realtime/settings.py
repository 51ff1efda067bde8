"""What a session is like, and how a client changes that."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from probe.reference.speech.engine import VOICES

SAMPLE_RATE = 24_000
LONGEST_TEXT = 2**15
# OpenAI's names for its own voices: clients send them to any server, which then has some voice of its own answer.
STAND_INS = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse")


class WrongError(Exception):
    """What a client sent is wrong; `param` is where."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class Settings:
    """`max_tokens` of 0 is no limit."""

    model: str
    voice: str
    instructions: str = ""
    temperature: float = 0.8
    max_tokens: int = 0

    def changed(self, session: Mapping[str, Any]) -> "Settings":
        """As a client's `session` has it, in either dialect; what it leaves out stays. Raises WrongError."""
        audio = session.get("audio")
        output = audio.get("output") if isinstance(audio, dict) else None
        output = output if isinstance(output, dict) else {}
        modalities = session.get("output_modalities", session.get("modalities", ["audio"]))
        if not isinstance(modalities, list) or "audio" not in modalities:
            raise WrongError("this server answers with audio", "session.output_modalities")
        rate = form.get("rate", SAMPLE_RATE) if isinstance(form := output.get("format"), dict) else SAMPLE_RATE
        kind = form.get("type") if isinstance(form, dict) else session.get("output_audio_format")
        if rate != SAMPLE_RATE or kind not in (None, "audio/pcm", "pcm16"):
            raise WrongError(f"this server speaks 16-bit PCM at {SAMPLE_RATE} Hz", "session.audio.output.format")
        return replace(
            self,
            voice=self._voice(output.get("voice", session.get("voice"))),
            instructions=_text(session.get("instructions", self.instructions), "session.instructions"),
            temperature=_number(session.get("temperature", self.temperature)),
            max_tokens=_limit(session.get("max_output_tokens", session.get("max_response_output_tokens")))
            or self.max_tokens,
        )

    def _voice(self, wanted: Any) -> str:
        match wanted:
            case None:
                return self.voice
            case str(name) | {"id": str(name)} if name in VOICES:
                return name
            case str(name) | {"id": str(name)} if name in STAND_INS:
                return self.voice
        raise WrongError(f"the voice must be one of {', '.join((*VOICES, *STAND_INS))}", "session.audio.output.voice")


def message(item: Any) -> dict[str, str]:
    """The message that an item is, as an LLM is given it. Raises WrongError for what is no text."""
    if not isinstance(item, dict) or item.get("type") != "message":
        raise WrongError("only messages can be items here", "item.type")
    role, content = item.get("role"), item.get("content")
    if role not in ("system", "user", "assistant") or not isinstance(content, list):
        raise WrongError("a message has a role and a list of contents", "item")
    texts = [_of_content(each) for each in content]
    return {"role": role, "content": "".join(texts)}


def _of_content(part: Any) -> str:
    if isinstance(part, dict) and part.get("type") in ("input_text", "output_text", "text"):
        return _text(part.get("text"), "item.content.text")
    raise WrongError("this server hears nothing: a content is text", "item.content")


def _text(value: Any, param: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise WrongError(f"must be a text of at most {LONGEST_TEXT} characters", param)
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:  # noqa: PLR2004 - the range of OpenAI
        raise WrongError("must be a number from 0 to 2", "session.temperature")
    return float(value)


def _limit(value: Any) -> int:
    if value in (None, "inf"):
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise WrongError('must be a number of tokens, or "inf"', "session.max_output_tokens")
    return value
