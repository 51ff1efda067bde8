"""The text of one answer of a chat server, however its pieces come: what is spoken, what is reasoning, its end."""

from collections.abc import Iterator
from typing import Any

from probe.protocols.base import Answering, Done, Event, Malformed, Reasoned, Refused, Token
from probe.protocols.fields import one_line
from probe.protocols.thinking import Thinking
from probe.text import storable

# Of one answer, in characters: nobody listens to so much.
MAX_TEXT = 2**18
# With these a server says that it did not finish.
_GIVEN_UP = ("abort", "error")


class AnswerText:
    """One answer. `opened`: it begins inside the reasoning. `over`: its end has been received."""

    def __init__(self, *, opened: bool = False) -> None:
        self.over = False
        self._thinking = Thinking(opened=opened)
        self._model: str | None = None
        self._size = 0
        self._tools = False

    def answering(self, model: Any) -> Iterator[Event]:
        """Take the name of the model, which every document of an answer repeats."""
        if self._model is None and isinstance(model, str) and (name := one_line(model)):
            self._model = name
            yield Answering(name)

    def piece(self, reasoning: Any, content: Any, tools: Any) -> Iterator[Event]:
        """Take what one message adds; anything may be in it. None and an empty text add nothing."""
        self._tools = self._tools or bool(tools)
        for text, take in ((reasoning, self._thinking.reasoning), (content, self._thinking.content)):
            if isinstance(text, str):
                if text and not self.over:
                    yield from self._sized(take(storable(text)))
            elif text is not None:
                yield Malformed(f"text that is {type(text).__name__}")

    def finish(self, reason: str | None) -> Iterator[Event]:
        """The answer is complete, or so the server says: `reason` is one of `fields.finish_reason`."""
        if self.over:
            return
        yield from self._thinking.rest()
        self.over = True
        if reason in _GIVEN_UP:
            yield Refused(f"it gave up the answer (finish_reason {reason})")
        elif self._tools and not self._thinking.spoken:
            yield Refused("the model called a tool (tool_calls) instead of answering", reason="no_answer")
        else:
            yield Done(reason)

    def _sized(self, tokens: Iterator[Token] | Iterator[Token | Reasoned]) -> Iterator[Event]:
        for token in tokens:
            self._size += len(token.text) if isinstance(token, Token) else 0
            yield token
        if self._size > MAX_TEXT:
            yield Refused(f"the answer is longer than {MAX_TEXT} characters", reason="flood")
