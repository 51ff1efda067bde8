"""Plain technical English: forms that must not be used, each with its replacement (CONTRIBUTING.md, "Language").

Everything that people read is searched: documents, help, messages, docstrings and comments, those of the tests as well.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A part that each such form has, in lower case; the form itself; and what to write instead. The part is found a hundred
# times as fast, and few files have one.
BANNED = (
    ("at the most", r"at the most\b(?! \w+ (?:of|in))", "at most"),
    ("at the least", r"at the least\b", "at least"),
    ("anew", r"anew\b", "again, from the start"),
    ("need", r"needs? not\b|needn't\b", "does not have to, or state what is the case"),
    (" to be", r"(?:is|are|was|were) to be\b", "must be, should be, will be"),
    ("what was to", r"what was to \w", "what should"),
    ("whom", r"whom\b", "name the person or the program"),
    (
        "of which",
        r"of which (?:nothing|the|a|one|there|nobody|least|half|some|any|what|either|that)\b",
        "two sentences",
    ),
    ("shall", r"shall\b", "must, will"),
    ("upon", r"upon\b(?! a time)", "on, when"),
    ("ever so", r"ever so\b", "however"),
    ("tells", r"tells\b", "reports, shows, distinguishes"),
    ("telling", r"telling\b", "reporting, showing, distinguishing"),
    ("told", r"(?:is|are|was|were|be|been|has|have|who) told\b|told (?:of|again|apart|that|to)\b", "reported"),
    ("reckon", r"reckon", "compute, count"),
    ("spoilt", r"(?:is|are|was|were|that|one) spoilt\b|spoilt (?:runs?|the)\b", "damaged"),
    ("mend", r"mends?\b|mending\b", "fix"),
    ("hand", r"hand(?:ed|s|ing)? on\b", "pass on"),
    (" back", r"giv(?:es?|en|ing) (?:the |its )?(?:slots? |it |them |something )?back\b", "release"),
    ("in the field", r"in the field\b(?! \w)", "deployed, in use"),
    ("what serve", r"what serve[sd]\b", "the model, voice and settings"),
    ("by turns", r"by turns\b", "alternately"),
    ("taken for", r"taken for (?!nothing)\w", "mistaken for, read as, counted as"),
    (" had", r"(?:be|was|were) had\b", "is available"),
    ("all the same", r"all the same\b(?! \w)", "anyway"),
    ("for good", r"for good\b(?! reason)", "permanently"),
    ("but for", r"but for (?:the|its|a|how|what|that)\b", "except for"),
    ("of late", r"of late\b", "recently"),
    (" of", r"(?:what|events) (?:comes?|came|becomes) of\b|(?:must|nothing more) comes? of\b", "the result"),
    (" have it", r"as (?:\w+ ){1,3}(?:has|have) it\b", "as in, as defined by"),
    (" has it", r"as (?:\w+ ){1,3}has it\b", "as in, as defined by"),
    ("outrank", r"outrank", "has priority over"),
    ("for want of", r"for want of\b", "without"),
    ("midst", r"midst\b", "in the middle of, inside"),
    ("had better", r"had better\b", "should"),
    ("since when it", r"since when it has been\b", "the time of the last change"),
    (" a run", r"(?:line|file|table|row|ms|s|kb|mb|gap) a run\b", "per run"),
    (" a minute", r"(?:one|run|runs|times|mb) a minute\b", "per minute"),
    (" a second", r"(?:one|run|runs|times|mb|frames) a second\b", "per second"),
    (" a chunk", r"(?:line|file|ms|s|gap) a chunk\b", "per chunk"),
    (" a word", r"ms a word\b", "per word"),
    (" a day", r"(?:one|run|runs|times) a day\b", "per day"),
    (" lest ", r"lest\b", "so that ... not"),
    ("hitherto", r"hitherto\b", "until now"),
    ("thereof", r"thereof\b", "of it"),
)
FORMS = [(part, re.compile(rf"\b(?:{form})", re.IGNORECASE), instead) for part, form, instead in BANNED]
WHERE = ("*.md", "docs/**/*.md", "deploy/**/*.*", "bench/*.py", "grafana/**/*.py", "src/**/*.py", "tests/**/*.py")
# Made of other files; this file.
ELSEWHERE = ("docs/faults.md", "src/probe/daemon/runbook.md", "tests/unit/test_language.py", ".")
EXAMPLES = re.compile(r"^\| before \| after \|$.*?\n\n", re.MULTILINE | re.DOTALL)


def found(text: str) -> Iterator[str]:
    """Each form that is banned, with its line and its replacement."""
    lowered = text.lower()
    for part, form, instead in FORMS:
        for match in form.finditer(text) if part in lowered else ():
            line = 1 + text.count("\n", 0, match.start())
            yield f"{line}: {match[0]!r}, write: {instead}"


def files() -> Iterator[Path]:
    for path in sorted({each for pattern in WHERE for each in ROOT.glob(pattern)}):
        if path.is_file() and path.suffix != ".pyc" and not str(path.relative_to(ROOT)).startswith(ELSEWHERE):
            yield path


def test_what_people_read_is_in_plain_english() -> None:
    texts = {path: EXAMPLES.sub("", path.read_text("utf-8")) for path in files()}
    assert len(texts) > 300
    assert [f"{path.relative_to(ROOT)}:{each}" for path, text in texts.items() for each in found(text)] == []


@pytest.mark.parametrize(
    "planted",
    [
        "The version need not be told.",
        "# The history is to be read first.",
        "one server, of which nothing is known",
        "nobody knows to whom it belongs",
        "12 s at the most",
        "It tells whose audio it is.",
        "The daemon logs a line a run.",
        "be the probe ever so late",
        "it begins anew, and since when it has been that is a metric",
    ],
)
def test_a_form_that_is_banned_is_found(planted: str) -> None:
    assert next(found(f"A line before.\n{planted}\n")).startswith("2: ")


def test_plain_english_is_no_finding() -> None:
    plain = "Tell me a joke. Report it once per run, at most 3 times; it is too late to be sure. One time, at least."
    assert list(found(plain)) == []
