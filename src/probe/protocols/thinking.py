"""Which text of an answer is spoken: servers without a reasoning parser send `<think>…</think>` inside of it."""

import re
from collections.abc import Iterator

from probe.protocols.base import Reasoned, Token

_OPEN, _CLOSE = "<think>", "</think>"
_TAG = re.compile(f"{_OPEN}|{_CLOSE}")
_CLOSING = re.compile(_CLOSE)


class Thinking:
    """Parts one answer's text into what is spoken and what is reasoning. A tag may be cut anywhere over tokens.

    Whatever text comes in, at least one token comes out, so that its arrival counts: of a start that may be a tag's,
    that is an empty one of reasoning, and the text follows when it turns out to be none. White space that parts
    reasoning from the answer is not spoken.

    Chat templates may open the reasoning themselves, at the end of the prompt: its end alone is in the answer then.
    `opened` says so from the start; without, what came before that end is called `Reasoned` when it comes.
    """

    def __init__(self, *, opened: bool = False) -> None:
        # Whether text to be spoken has come.
        self.spoken = False
        self._reasoned = self._inside = opened
        self._held = ""

    def reasoning(self, text: str) -> Iterator[Token]:
        """Take text that the server itself calls reasoning."""
        self._reasoned = True
        yield Token(text, "reasoning")

    def content(self, text: str) -> Iterator[Token | Reasoned]:
        """Take text of the answer."""
        tokens = list(self._parted(self._held + text))
        yield from tokens or [Token("", "reasoning")]

    def rest(self) -> Iterator[Token]:
        """The answer is over: what looked like the start of a tag is none."""
        held, self._held = self._held, ""
        if held:
            yield self._token(held)

    def _parted(self, text: str) -> Iterator[Token | Reasoned]:
        at = 0
        # An opening tag inside the reasoning is part of it.
        while (tag := (_CLOSING if self._inside else _TAG).search(text, at)) is not None:
            closes_unopened = tag[0] == _CLOSE and not self._inside and not self._reasoned
            if tag.start() > at:
                before = text[at : tag.start()]
                yield Token(before, "reasoning") if closes_unopened else self._token(before)
            if closes_unopened and self.spoken:
                self.spoken = False
                yield Reasoned()
            self._inside, self._reasoned = tag[0] == _OPEN, True
            yield Token(tag[0], "reasoning")
            at = tag.end()
        held = max(_start_of(_OPEN, text[at:]), _start_of(_CLOSE, text[at:]))
        whole, self._held = text[at : len(text) - held], text[len(text) - held :]
        if whole:
            yield self._token(whole)

    def _token(self, text: str) -> Token:
        if self._inside or (self._reasoned and not self.spoken and not text.strip()):
            return Token(text, "reasoning")
        self.spoken = self.spoken or bool(text.strip())
        return Token(text)


def _start_of(tag: str, text: str) -> int:
    """How many characters at the end of the text may be the start of the tag."""
    return next((size for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])), 0)
