"""Numbers and texts as a person sees them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.report.format import (
    annotated,
    counted,
    ms,
    number,
    shortened,
    table,
    without_empty,
    wrapped,
    wrapped_as_it_is,
)


def test_what_is_missing_is_a_dash_and_zero_is_a_zero() -> None:
    assert (ms(None), number(None), number(None, 1)) == ("-", "-", "-")
    assert (ms(0), number(0), number(0.0, 1)) == ("0ms", "0", "0.0")
    assert (ms(883.6), number(883.6), number(-14.75, 1)) == ("884ms", "884", "-14.8")
    assert (number(-0.04, 1), number(-0.4)) == ("0.0", "0"), "rounding leaves no minus behind"


def test_one_is_singular() -> None:
    assert [counted(n, "token") for n in (0, 1, 2)] == ["0 tokens", "1 token", "2 tokens"]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("short", 5, "short"),
        ("too long", 7, "too..."),
        ("too  long", 8, "too long"),
        (" line\nbreak\t", 20, "line break"),
        ("\x1b[31mred", 20, "[31mred"),
        ("anything", 2, ".."),
        ("", 5, ""),
    ],
)
def test_shortened(text: str, width: int, expected: str) -> None:
    assert shortened(text, width) == expected


def test_wrapped_lines_are_indented_under_the_first() -> None:
    assert list(wrapped("one two three four", 15, "User: ")) == ["User: one two", "      three", "      four"]
    assert list(wrapped("ws://a-very-long-host/ws refused", 10)) == ["ws://a-very-long-host/ws", "refused"]
    assert list(wrapped("", 10, "User: ")) == ["User:"]


def test_a_table_has_figures_to_the_right_and_words_to_the_left() -> None:
    rows = [["1", "884ms", "marker", "Why did the unicorn cross the road?"], ["12", "-", "-", "No."]]
    assert list(table(("#", "Combined", "End", "Text"), rows, 45)) == [
        "--------------------------------------------",
        " #  Combined  End     Text",
        "--------------------------------------------",
        " 1     884ms  marker  Why did the unicorn...",
        "12         -  -       No.",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert list(table(("#", "Text"), [], 20)) == ["-------", "#  Text", "-------"]


@given(st.text(), st.integers(0, 50))
def test_shortened_is_one_printable_line_that_fits(text: str, width: int) -> None:
    line = shortened(text, width)
    assert len(line) <= width and line.isprintable()


@given(st.lists(st.tuples(st.text(max_size=3), st.text()), min_size=1, max_size=4), st.integers(20, 80))
def test_a_tables_text_starts_in_one_column_and_ends_with_the_width(rows: list[tuple[str, str]], width: int) -> None:
    rule, header, _, *lines = table(("Word", "Text"), rows, width)
    assert header == "Word  Text"
    assert len(lines) == len(rows) and max(map(len, lines)) <= max(width, 4 + 2 + 12)
    assert len(rule) == max(map(len, [header, *lines])) and set(rule) == {"-"}


def test_a_table_leaves_out_what_there_is_no_room_for() -> None:
    rows = [["1", "884ms", "marker", "Why did the unicorn cross the road?"]]
    columns = ("#", "Combined", "End", "Text")
    assert list(table(columns, rows, 21, ("End", "Combined")))[1] == "#  Combined  Text"
    assert list(table(columns, rows, 20, ("End", "Combined")))[1] == "#  Text"
    assert list(table(columns[:3], [rows[0][:3]], 19, ("End",)))[1] == "#  Combined  End"
    assert list(table(columns[:3], [rows[0][:3]], 18, ("End",)))[1] == "#  Combined"


def test_a_note_is_whole_beside_its_row_or_below_it() -> None:
    rows, notes = [["1", "a text"], ["2", "hidden"], ["3", "too"]], ["", "short", "one that is rather long"]
    shown = list(annotated(("#", "Text"), rows, notes, 20, ("Text",)))
    assert shown[1:] == [("1  a text",), ("2  short",), ("3", "    one that is", "    rather long")]
    assert list(annotated(("#", "Text"), rows, notes, 10, ("Text",)))[2] == ("2", "    short")


def test_columns_with_nothing_in_them_are_left_out() -> None:
    assert without_empty(("#", "A", "B"), [["1", "-", "x"], ["2", "-", "-"]]) == (["#", "B"], [["1", "x"], ["2", "-"]])
    assert without_empty(("A",), []) == ([], [])


def test_a_line_that_fits_stays_as_it_is() -> None:
    assert list(wrapped_as_it_is("  a   b", 7, "    ")) == ["  a   b"]
    assert list(wrapped_as_it_is("  a   b", 6, "    ")) == ["  a", "    b"]
