"""Whatever comes from outside can be shown in one line, and stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.text import cut, one_line, storable

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
