"""Which text of an answer is spoken: servers without a reasoning parser send `<think>…</think>` inside of it."""

from collections.abc import Iterator

from probe.protocols.base import Token

_OPEN, _CLOSE = "<think>", "</think>"


class Thinking:
    """Parts one answer's text into what is spoken and what is reasoning. A tag may be cut anywhere over tokens.

    Whatever text comes in, at least one token comes out, so that its arrival counts: of a start that may be a tag's,
    that is an empty one of reasoning, and the text follows when it turns out to be none. White space that parts
    reasoning from the answer is not spoken.
    """

    def __init__(self) -> None:
        # Whether text to be spoken has come.
        self.spoken = False
        # Whether that was reasoning after all: it ended with a tag that nothing had opened.
        self.unopened = False
        self._reasoned = False
        self._inside = False
        self._held = ""

    def reasoning(self, text: str) -> Iterator[Token]:
        """Take text that the server itself calls reasoning."""
        self._reasoned = True
        yield Token(text, "reasoning")

    def content(self, text: str) -> Iterator[Token]:
        """Take text of the answer."""
        tokens = list(self._parted(self._held + text))
        yield from tokens or [Token("", "reasoning")]

    def rest(self) -> Iterator[Token]:
        """The answer is over: what looked like the start of a tag is none."""
        held, self._held = self._held, ""
        if held:
            yield self._token(held)

    def _parted(self, text: str) -> Iterator[Token]:
        while (found := self._first_tag(text)) is not None:
            at, tag = found
            if at:
                yield self._token(text[:at])
            self.unopened = self.unopened or (tag == _CLOSE and not self._inside and self.spoken)
            self._inside, self._reasoned = tag == _OPEN, True
            yield Token(tag, "reasoning")
            text = text[at + len(tag) :]
        held = max(_start_of(_OPEN, text), _start_of(_CLOSE, text))
        whole, self._held = text[: len(text) - held], text[len(text) - held :]
        if whole:
            yield self._token(whole)

    def _first_tag(self, text: str) -> tuple[int, str] | None:
        # An opening tag in the midst of reasoning is a word of it.
        tags = (_CLOSE,) if self._inside else (_OPEN, _CLOSE)
        return min(((at, tag) for tag in tags if (at := text.find(tag)) >= 0), default=None)

    def _token(self, text: str) -> Token:
        if self._inside or (self._reasoned and not self.spoken and not text.strip()):
            return Token(text, "reasoning")
        self.spoken = self.spoken or bool(text.strip())
        return Token(text)


def _start_of(tag: str, text: str) -> int:
    """How many characters at the end of the text may be the start of the tag."""
    return next((size for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])), 0)
