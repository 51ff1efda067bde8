"""A run's conversation with an OpenAI-compatible chat server: its request, and how the answer is read."""

from typing import Any

from probe.protocols.base import Question
from probe.protocols.http_chat import HttpChat, Reader
from probe.protocols.openai_chat.answer import Streamed, Whole


class ChatConversation(HttpChat):
    """`POST /chat/completions`."""

    path = "/chat/completions"
    accepted = "text/event-stream"

    def reader(self, kind: str) -> Reader | None:
        opened = bool(self.options.get("opens_reasoning"))
        if kind in (self.accepted, ""):
            return Streamed(opened=opened)
        return Whole(opened=opened) if kind == "application/json" else None

    def body(self, question: Question) -> dict[str, Any]:
        body: dict[str, Any] = {
            "messages": [dict(message) for message in question.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": question.temperature,
        }
        given = {name: self.options.get(name) for name in ("model", "max_tokens", "seed", "stop")}
        # A seed of 0 is one; no limit, and no text that ends the answer, are not sent.
        body |= {name: value for name, value in given.items() if value or (name == "seed" and value is not None)}
        return body | dict(self.options.get("extra_body") or {})
