"""ChatML, the prompt format of the models that the chunked LLM server runs."""

from collections.abc import Iterable
from dataclasses import dataclass

STOP = "<|im_end|>"
EMPTY_THINK_BLOCK = "<think>\n\n</think>\n\n"


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    content: str


def chatml(messages: Iterable[Message], *, answer_prefix: str = "") -> str:
    """Return the prompt up to where the model's answer goes on after `answer_prefix`."""
    turns = "".join(f"<|im_start|>{message.role}\n{message.content}{STOP}\n" for message in messages)
    return f"{turns}<|im_start|>assistant\n{answer_prefix}"
