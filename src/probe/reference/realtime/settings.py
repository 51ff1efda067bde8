"""What a session is like, and how a client changes that."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from probe.reference.speech.engine import VOICES

SAMPLE_RATE = 24_000
LONGEST_TEXT = 2**15
LONGEST_SILENCE_MS = 10_000
# OpenAI's names for its own voices: clients send them to any server, which then has some voice of its own answer.
STAND_INS = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse")


class WrongError(Exception):
    """What a client sent is wrong; `param` is where."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """How the end of a speech is found, and what then happens by itself."""

    silence_ms: int = 500
    answers: bool = True
    is_interrupted: bool = True

    def described(self) -> dict[str, Any]:
        return {
            "type": "server_vad",
            "silence_duration_ms": self.silence_ms,
            "create_response": self.answers,
            "interrupt_response": self.is_interrupted,
        }


@dataclass(frozen=True, slots=True)
class Settings:
    """`max_tokens` of 0 is no limit. Without `detection` a client says where its speech ends."""

    model: str
    voice: str
    instructions: str = ""
    temperature: float = 0.8
    max_tokens: int = 0
    detection: TurnDetection | None = TurnDetection()
    transcribes: bool = False

    def changed(self, session: Mapping[str, Any]) -> "Settings":
        """As a client's `session` has it, in either dialect; what it leaves out stays. Raises WrongError."""
        given = session.get("audio")
        audio = given if isinstance(given, dict) else {}
        output, heard = _table(audio.get("output")), _table(audio.get("input"))
        modalities = session.get("output_modalities", session.get("modalities", ["audio"]))
        if not isinstance(modalities, list) or "audio" not in modalities:
            raise WrongError("this server answers with audio", "session.output_modalities")
        _require_pcm(output.get("format", session.get("output_audio_format")), "session.audio.output.format")
        _require_pcm(heard.get("format", session.get("input_audio_format")), "session.audio.input.format")
        # Those of the older dialect stand in the session itself.
        hearing = {**session, **heard}
        return replace(
            self,
            voice=self._voice(output.get("voice", session.get("voice"))),
            instructions=_text(session.get("instructions", self.instructions), "session.instructions"),
            temperature=_number(session.get("temperature", self.temperature)),
            max_tokens=_limit(session.get("max_output_tokens", session.get("max_response_output_tokens")))
            or self.max_tokens,
            detection=_detection(hearing["turn_detection"]) if "turn_detection" in hearing else self.detection,
            transcribes=self._transcribes(hearing),
        )

    def _transcribes(self, hearing: Mapping[str, Any]) -> bool:
        wanted = hearing.get("transcription", hearing.get("input_audio_transcription", self.transcribes))
        return bool(wanted)

    def _voice(self, wanted: Any) -> str:
        match wanted:
            case None:
                return self.voice
            case str(name) | {"id": str(name)} if name in VOICES:
                return name
            case str(name) | {"id": str(name)} if name in STAND_INS:
                return self.voice
        raise WrongError(f"the voice must be one of {', '.join((*VOICES, *STAND_INS))}", "session.audio.output.voice")


def decoded(audio: Any) -> bytes:
    """The samples of an event. Raises WrongError."""
    try:
        return base64.b64decode(audio, validate=True)
    except (TypeError, ValueError) as error:
        raise WrongError("must be base64", "audio") from error


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
    raise WrongError("a content is text here: speech comes by input_audio_buffer.append", "item.content")


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _require_pcm(form: Any, param: str) -> None:
    rate, kind = (form.get("rate", SAMPLE_RATE), form.get("type")) if isinstance(form, dict) else (SAMPLE_RATE, form)
    if rate != SAMPLE_RATE or kind not in (None, "audio/pcm", "pcm16"):
        raise WrongError(f"this server hears and speaks 16-bit PCM at {SAMPLE_RATE} Hz", param)


def _detection(wanted: Any) -> TurnDetection | None:
    if wanted is None:
        return None
    if not isinstance(wanted, dict) or wanted.get("type", "server_vad") != "server_vad":
        raise WrongError("must be null, or of the type server_vad", "session.audio.input.turn_detection")
    silence_ms = wanted.get("silence_duration_ms", TurnDetection().silence_ms)
    if isinstance(silence_ms, bool) or not isinstance(silence_ms, int) or not 0 < silence_ms <= LONGEST_SILENCE_MS:
        param = "session.audio.input.turn_detection.silence_duration_ms"
        raise WrongError(f"must be milliseconds, up to {LONGEST_SILENCE_MS}", param)
    answers, interrupted = (wanted.get(name, True) is not False for name in ("create_response", "interrupt_response"))
    return TurnDetection(silence_ms, answers, interrupted)


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
