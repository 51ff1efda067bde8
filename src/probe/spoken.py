"""What a person says in a turn as it is written: words and pauses, such as `a table [pause 800ms] for two`. Pure."""

import re
from dataclasses import dataclass

PAUSE = "[pause 800ms]"
# In milliseconds: a shorter one is no longer than those within words, with a longer one a person has stopped.
SHORTEST_MS, LONGEST_MS = 50, 10_000
MOST_PAUSES = 20
_MARK = re.compile(r"\[pause ([0-9]{1,5})ms\]")
# What may be meant as one.
_LIKE_A_MARK = re.compile(r"\[ {0,3}pause", re.IGNORECASE)
_ALLOWED = f"a pause is written {PAUSE}, with {SHORTEST_MS} to {LONGEST_MS} ms, at most {MOST_PAUSES} in a turn"


@dataclass(frozen=True, slots=True)
class Part:
    """Words, and the length of the pause before them in milliseconds, 0 where there is none."""

    words: str
    after_ms: int = 0


def parts(text: str) -> list[Part]:
    """What is said of a text that has no `problem`, from pause to pause."""
    first, *others = _MARK.split(text)
    following = zip(others[::2], others[1::2], strict=True)
    return [Part(first.strip()), *(Part(words.strip(), int(pause)) for pause, words in following)]


def has_pauses(text: str) -> bool:
    """Whether there is a pause in it."""
    return _MARK.search(text) is not None


def without_pauses(text: str) -> str:
    """The words of a text alone, as an LLM is asked in text; one without pauses as it is."""
    return " ".join(part.words for part in parts(text)) if has_pauses(text) else text


def checked(text: str) -> str:
    """The text. Raises ValueError where a pause in it is not written as it has to be, or not between words."""
    if _LIKE_A_MARK.search(_MARK.sub("", text)):
        raise ValueError(_ALLOWED)
    found = parts(text)
    lengths = [part.after_ms for part in found[1:]]
    if len(lengths) > MOST_PAUSES or any(not SHORTEST_MS <= each <= LONGEST_MS for each in lengths):
        raise ValueError(_ALLOWED)
    if lengths and not all(any(map(str.isalnum, part.words)) for part in found):
        raise ValueError(f"a pause such as {PAUSE} stands between words: some before it and some behind it")
    return text
