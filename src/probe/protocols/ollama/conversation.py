"""A run's conversation with an Ollama server: its request, and how the answer is read."""

from typing import Any

from probe.protocols.base import Question
from probe.protocols.http_chat import HttpChat, Reader
from probe.protocols.ollama.answer import Lines

_PARTS = ("model", "keep_alive", "think")


class OllamaConversation(HttpChat):
    """`POST /api/chat`."""

    path = "/api/chat"
    accepted = "application/x-ndjson"

    def reader(self, kind: str) -> Reader | None:
        """A server that does not stream sends what would be the only line."""
        return Lines() if kind in (self.accepted, "application/json", "") else None

    def body(self, question: Question) -> dict[str, Any]:
        given = {name: self.options.get(name) for name in _PARTS}
        of_model = {
            "temperature": question.temperature,
            "num_ctx": self.options.get("num_ctx"),
            "num_predict": self.options.get("max_tokens") or None,
        } | dict(self.options.get("extra_options") or {})
        return {
            **_stated(given),
            "messages": [dict(message) for message in question.messages],
            "stream": True,
            "options": _stated(of_model),
        }


def _stated(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
