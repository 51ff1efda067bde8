"""Cuts a streamed answer into chunks, by the rule that a pausing server would follow: so many tokens, or a sentence.

Pure: text in, a position out. docs/measures.md has the table of what ends a sentence and what does not.
"""

from probe.record import Pause

# What ends a sentence wherever it stands: scripts that put no space behind it, and a new line.
_ALWAYS = "。！？।؟\n"  # noqa: RUF001 - meant
# What ends one where white space follows.
_BEFORE_SPACE = ".!?…"
# What may stand between the mark and the space.
_CLOSING = "\"'”’»)]}"  # noqa: RUF001 - meant
_OPENING = "\"'“‘«([{"  # noqa: RUF001 - meant
# What is followed by a full stop within a sentence.
_ABBREVIATIONS = frozenset(
    ("mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "e.g", "i.e", "vol", "jr", "sr", "approx")
)


def cut(text: str, tokens: int, pause: Pause) -> int | None:
    """How many characters of `text`, made of so many tokens, are a whole chunk; None where it goes on."""
    if pause.max_tokens is not None:
        return len(text) if tokens >= pause.max_tokens else None
    return sentence_end(text) if pause.sentence_boundary else None


def sentence_end(text: str) -> int | None:
    """Where the first sentence of a text ends that may still grow; None where no one can know yet.

    White space before the first word does not count: a text that begins with a new line is no sentence of its own.
    """
    begun = len(text) - len(text.lstrip())
    for at in range(begun, len(text)):
        mark = text[at]
        if mark in _ALWAYS:
            return _after_closing(text, at + 1)
        if mark in _BEFORE_SPACE:
            end = _after_closing(text, at + 1)
            if end < len(text) and text[end].isspace() and not (mark == "." and _goes_on(text[begun:at])):
                return end
    return None


def _after_closing(text: str, at: int) -> int:
    while at < len(text) and text[at] in _CLOSING:
        at += 1
    return at


def _goes_on(before: str) -> bool:
    """Whether a full stop behind this is none: of a number ("1."), of an initial ("J."), of an abbreviation ("Dr.")."""
    word = before.rsplit(maxsplit=1)[-1].lstrip(_OPENING) if before.split() else ""
    if word.isdigit() or (len(word) == 1 and word.isalpha() and word.isupper() and word != "I"):
        return True
    return word.lower() in _ABBREVIATIONS
