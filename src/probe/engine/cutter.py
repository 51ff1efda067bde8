"""Cuts a streamed answer into chunks by the rule of a pausing server: a number of tokens, or a sentence.

Pure: text in, a position out. It is asked after each token, so what has been decided of a text is not looked at again.
docs/measures.md has the table of what ends a sentence and what does not.
"""

import re
from collections.abc import Sequence

from probe.plan import Pause

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
# More of them close nothing, and are not waited for.
_MOST_CLOSING = 16
# So far back an abbreviation or a number before a full stop can begin.
_CONTEXT = 64
_MAY_END = re.compile(rf"[{_ALWAYS}]|[{_BEFORE_SPACE}][{re.escape(_CLOSING)}]*\s")


def cut(tokens: Sequence[str], undecided: str, pause: Pause) -> int | None:
    """How many characters of a text, made of these tokens, are a whole chunk; None where it goes on.

    `undecided` is what was so of the text without its last token.
    """
    if pause.max_tokens is not None:
        return sum(map(len, tokens)) if len(tokens) >= pause.max_tokens else None
    tail = undecided + tokens[-1]
    if not pause.sentence_boundary or not _MAY_END.search(tail):
        return None
    # Most marks are seen to be none by what is near them: the whole text is not looked at for each.
    near = _end_of(tokens, len(tail) + _CONTEXT)
    if sentence_end(near, len(near) - len(tail)) is None:
        return None
    text = "".join(tokens)
    return sentence_end(text, len(text) - len(tail))


def undecided(tail: str) -> str:
    """What at the end of a text may turn out to be the end of a sentence, by what follows: a mark, and what closes."""
    before = tail.rstrip(_CLOSING)
    closing = len(tail) - len(before)
    return tail[len(before) - 1 :] if before[-1:] and before[-1] in _BEFORE_SPACE and closing <= _MOST_CLOSING else ""


def _end_of(tokens: Sequence[str], size: int) -> str:
    """The last tokens of a text, as many as have so many characters."""
    found: list[str] = []
    for token in reversed(tokens):
        found.append(token)
        size -= len(token)
        if size <= 0:
            break
    return "".join(reversed(found))


def sentence_end(text: str, since: int = 0) -> int | None:
    """Where the first sentence of a text ends that may still grow; None where no one can know yet.

    No mark before `since` ends one. White space before the first word does not count: a text that begins with a new
    line is no sentence of its own.
    """
    begun = len(text) - len(text.lstrip())
    for at in range(max(begun, since), len(text)):
        mark = text[at]
        if mark in _ALWAYS:
            return _after_closing(text, at + 1)
        if mark in _BEFORE_SPACE:
            end = _after_closing(text, at + 1)
            if (
                end < len(text)
                and text[end].isspace()
                and not (mark == "." and _goes_on(text[max(begun, at - _CONTEXT) : at]))
            ):
                return end
    return None


def _after_closing(text: str, at: int) -> int:
    while at < len(text) and text[at] in _CLOSING:
        at += 1
    return at


def _goes_on(before: str) -> bool:
    """Whether a full stop behind this is none: of a number ("1."), of an initial ("J."), of an abbreviation ("Dr.")."""
    words = before.rsplit(maxsplit=1)
    word = words[-1].lstrip(_OPENING) if words else ""
    if word.isdigit() or (len(word) == 1 and word.isalpha() and word.isupper() and word != "I"):
        return True
    return word.lower() in _ABBREVIATIONS
