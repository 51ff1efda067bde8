"""A text that comes piece by piece, cut into sentences: one is known to end when the next one begins."""

import re
from collections.abc import Iterator

# A mark, what may close behind it, and white space before something else.
_END = re.compile(r"[.!?…。！？]['\"”’)\]]?\s+(?=\S)")  # noqa: RUF001 - meant
# So much of a sentence without an end is spoken anyway.
LONGEST_SENTENCE = 4096


class Sentences:
    """The sentences of one text."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, piece: str) -> Iterator[str]:
        """Yield each sentence that has ended by now."""
        self._text += piece
        while (end := _END.search(self._text)) is not None:
            yield self._text[: end.end()]
            self._text = self._text[end.end() :]
        if len(self._text) > LONGEST_SENTENCE:
            yield from self.rest()

    def rest(self) -> Iterator[str]:
        """Yield what is left at the end of the text, if anything."""
        rest, self._text = self._text, ""
        if rest.strip():
            yield rest
