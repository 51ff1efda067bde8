"""The manual page is what the help says. After a change of the help: `make man`, or UPDATE_GOLDEN=1."""

import re
from pathlib import Path

import click
import pytest

import golden
from probe.cli import COMMANDS, main, manual
from probe.cli.serve import SERVERS

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docs" / "man" / "probe.1"
MACROS = {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".nf", ".fi", ".RS", ".RE"}


def test_the_page_in_the_tree_is_the_one_of_the_help() -> None:
    golden.check_file(FILE, manual.page())


def test_every_command_is_there_with_every_option() -> None:
    page = manual.page().replace(r"\-", "-")
    sections = dict(re.findall(r'^\.SS "probe (.*?) \[OPTIONS\].*"$\n((?:(?!\.S[SH]).*\n)*)', page, re.MULTILINE))
    assert set(COMMANDS) | {f"serve {name}" for name in SERVERS} == set(sections)
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        options = [option for option in command.params if isinstance(option, click.Option)]
        assert [opt for option in options for opt in option.opts if f"{opt}" not in sections[name]] == []


def test_troff_reads_it_as_it_was_written() -> None:
    """Plain characters, no macro that is none, and no text that troff would read as one."""
    lines = manual.page().splitlines()
    assert manual.page().isascii()
    assert {line.partition(" ")[0] for line in lines[1:] if line.startswith((".", "'"))} <= MACROS


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (".dot and 'quote", r"\&.dot and 'quote"),
        ("'quote", r"\&'quote"),
        ("a\\b -c", r"a\eb \-c"),
        ("✗ ·", r"\[u2717] \[u00B7]"),
        ("", ""),
    ],
)
def test_what_means_something_to_troff_is_escaped(text: str, written: str) -> None:
    assert manual._text(text) == written


def test_a_paragraph_keeps_its_lines_where_the_help_does() -> None:
    found = list(manual._prose("First\nline.\n\n\b\n  a  1\n  b  2\n\nLast."))
    assert found == [
        ".PP", "First line.", ".PP", ".nf", ".RS 4", "  a  1", "  b  2", ".RE", ".fi", ".PP", "Last.",
    ]  # fmt: skip


def test_an_argument_of_a_macro_is_one() -> None:
    assert manual._quoted('say "x"') == r'"say \(dqx\(dq"'
