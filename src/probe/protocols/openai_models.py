"""The list of models that servers with OpenAI's API have (`GET /v1/models`), read for who is looked for.

It does not say what a model is for: servers of speech list theirs like servers of chat. Some name a task; of the others
the name alone says it, as far as it does.
"""

from collections.abc import Iterator
from typing import Any

from probe.protocols.base import Malformed
from probe.protocols.fields import one_line, parse_object
from probe.protocols.inquiries import Sign

# No server has more; a list that goes on is none.
MAX_MODELS = 2000
# What is in the names of models that speak.
_SPEAKING = (
    "tts", "kokoro", "piper", "orpheus", "chatterbox", "magpie", "bark", "speecht5", "voxcpm", "dia-", "csm", "phonon",
)  # fmt: skip
# What is in those of models that hear, and of models that do none of these.
_HEARING = ("whisper", "parakeet", "canary", "moonshine", "transcribe")
_OTHER = ("embed", "bge-", "rerank", "diffusion", "flux", "vad")
_TASKS = {"text-to-speech": "speech", "automatic-speech-recognition": "hearing"}
# How servers call themselves in the list, and what they are.
_PROGRAMS = {
    "llamacpp": "llama.cpp",
    "vllm": "vLLM",
    "vllm-omni": "vLLM-Omni",
    "sglang": "SGLang",
    "organization_owner": "LM Studio",
    "library": "Ollama",
    "kokoro": "Kokoro-FastAPI",
}


def chatting(document: bytes) -> Sign | None:
    """Who has models to chat with, as far as the list says; None where it lists none."""
    return _of_kind(document, "chat")


def speaking(document: bytes) -> Sign | None:
    """Who has models that speak; None where it lists none that is known to."""
    return _of_kind(document, "speech")


def hearing(document: bytes) -> Sign | None:
    """Who has models that hear; None where it lists none that is known to."""
    return _of_kind(document, "hearing")


def _of_kind(document: bytes, wanted: str) -> Sign | None:
    entries = [each for each in _entries(document) if _kind(each) == wanted]
    owners = (each["owned_by"] for each in entries if isinstance(each.get("owned_by"), str))
    program = next((known for owner in owners if (known := _PROGRAMS.get(owner.lower())) is not None), None)
    return Sign(program, None, tuple(dict.fromkeys(one_line(each["id"]) for each in entries))) if entries else None


def _entries(document: bytes) -> Iterator[dict[str, Any]]:
    found = parse_object(document)
    listed = None if isinstance(found, Malformed) else found.get("data")
    for each in listed[:MAX_MODELS] if isinstance(listed, list) else ():
        if isinstance(each, dict) and isinstance(each.get("id"), str) and each["id"]:
            yield each


def _kind(entry: dict[str, Any]) -> str:
    task = entry.get("task")
    if isinstance(task, str) and task in _TASKS:
        return _TASKS[task]
    name = entry["id"].lower()
    for kind, words in (("hearing", _HEARING), ("other", _OTHER)):
        if any(word in name for word in words):
            return kind
    return "speech" if any(word in name for word in _SPEAKING) else "chat"
