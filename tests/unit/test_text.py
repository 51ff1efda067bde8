"""Whatever comes from outside can be shown in one line, and stored."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.text import cut, escaped, one_line, shown, storable

ANY_TEXT = st.text(st.characters(codec=None))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("  two  words ", "two words"),
        ("line one\r\nline two\tand a tab", "line one line two and a tab"),
        ("\x1b[31mred\x07", "[31mred"),
        ("half a character: \ud83e", "half a character:"),
        ("right-to-left \u202eoverride", "right-to-left override"),
        ("Straße ≠ 道", "Straße ≠ 道"),
    ],
)
def test_one_line_keeps_what_can_be_printed(text: str, line: str) -> None:
    assert one_line(text) == line


@given(ANY_TEXT)
def test_one_line_is_printable_and_stays_as_it_is(text: str) -> None:
    line = one_line(text)
    assert line.isprintable() and line == line.strip() and "  " not in line
    assert one_line(line) == line


@pytest.mark.parametrize(("longest", "shown"), [(6, "unicor…"), (7, "unicorn"), (8, "unicorn"), (0, "…")])
def test_what_is_cut_says_so(longest: int, shown: str) -> None:
    assert cut("unicorn", longest) == shown


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a\ud83e", "a\N{REPLACEMENT CHARACTER}"),
        ("\ud83e\udd84", "🦄"),
        ("a\x00b\n", "a\x00b\n"),
    ],
)
def test_half_a_character_is_replaced(text: str, stored: str) -> None:
    assert storable(text) == stored


@given(ANY_TEXT)
def test_what_is_storable_is_utf_8(text: str) -> None:
    assert storable(text).encode("utf-8").decode("utf-8") == storable(text)


EVERY_CHARACTER = "".join(map(chr, range(sys.maxunicode + 1)))


def test_of_all_of_unicode_only_what_shows_as_itself_reaches_a_terminal() -> None:
    left = shown(EVERY_CHARACTER)
    assert {c for c in set(left) if not c.isprintable()} == {"\n", "\t"}
    assert len(left) == len(EVERY_CHARACTER)
    assert left == "".join(c if c.isprintable() or c in "\n\t" else " " for c in EVERY_CHARACTER)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[1;32mok\x1b[0m", "\x1b[1;32mok\x1b[0m"),
        ("\x1b[mplain", "\x1b[mplain"),
        ("\x9b31mred", " 31mred"),
        ("\x1b]0;title\x07", " ]0;title "),
        ("\x1b[2Jgone", " [2Jgone"),
        ("\x1b[?25lhidden m", " [?25lhidden m"),
        ("\x1b[", " ["),
        ("\x1b", " "),
        ("\x1b[1", " [1"),
        ("\x1b\x1b[31m\x9b", " \x1b[31m "),
        (f"\x1b[{'1' * 100}m", f" [{'1' * 100}m"),
    ],
)
def test_of_escapes_only_colours_are_left(text: str, left: str) -> None:
    assert shown(text) == left


@given(ANY_TEXT)
def test_what_is_shown_is_so_for_good(text: str) -> None:
    assert shown(shown(text)) == shown(text)


def test_a_json_document_stays_what_it_says_and_shows_as_itself() -> None:
    # Not the two halves of one character side by side.
    every = EVERY_CHARACTER.replace("\udc00", " \udc00")
    document = json.dumps({"text": every}, ensure_ascii=False, indent=2)
    left = escaped(document)
    assert {c for c in set(left) if not c.isprintable()} == {"\n"}
    assert json.loads(left)["text"] == every
