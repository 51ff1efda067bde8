"""The manual page probe(1), made from the help of every command: `make man` writes docs/man/probe.1."""

import inspect
from collections.abc import Iterator
from importlib.metadata import version

import click

from probe.cli import main

# How click's help marks a paragraph that keeps its line breaks.
_AS_IT_IS = "\b\n"
_INDENT = 4
_ESCAPES = {"\\": r"\e", "-": r"\-"}


def page() -> str:
    """The page, in the macros of man(7)."""
    root = click.Context(main, info_name="probe", **main.context_settings)
    title, *rest = _paragraphs(main.help or "")
    lines = [
        r".\" Made by `make man` from the help of the commands.",
        f'.TH PROBE 1 "" "voice-probe {version("voice-probe")}" "User Commands"',
        ".SH NAME",
        rf"probe \- {_text(title.rstrip('?').lower())}",
        ".SH SYNOPSIS",
        r".B probe",
        r"\fICOMMAND\fR [\fIOPTIONS\fR]",
        ".SH DESCRIPTION",
        *_prose("\n\n".join(rest)),
        ".SH OPTIONS",
        *_options(root),
        ".SH COMMANDS",
        *_commands(root),
        ".SH SEE ALSO",
        _text("probe COMMAND --help; docs/ of the repository"),
    ]
    return "\n".join([*lines, ""])


def _commands(parent: click.Context) -> Iterator[str]:
    group = parent.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        if command is None:
            continue
        ctx = click.Context(command, info_name=name, parent=parent)
        yield f".SS {_quoted(' '.join([ctx.command_path, *command.collect_usage_pieces(ctx)]))}"
        yield from _prose(command.help or "")
        yield from _options(ctx)
        if command.epilog:
            yield from _prose(command.epilog)
        yield from _commands(ctx)


def _options(ctx: click.Context) -> Iterator[str]:
    records = [parameter.get_help_record(ctx) for parameter in ctx.command.params]
    # Click remembers this one with the names of its first caller.
    records.append((", ".join(ctx.help_option_names), "Show this message and exit."))
    for names, text in (record for record in records if record is not None):
        yield ".TP"
        yield f".B {_quoted(names)}"
        yield _text(" ".join(text.split())) or r"\&"


def _prose(help_text: str) -> Iterator[str]:
    for paragraph in _paragraphs(help_text):
        yield ".PP"
        if paragraph.startswith(_AS_IT_IS):
            yield from (".nf", f".RS {_INDENT}")
            yield from map(_text, paragraph.removeprefix(_AS_IT_IS).splitlines())
            yield from (".RE", ".fi")
        else:
            yield _text(" ".join(paragraph.split()))


def _paragraphs(help_text: str) -> list[str]:
    return [each for each in inspect.cleandoc(help_text).split("\n\n") if each.strip()]


def _text(line: str) -> str:
    """A line that troff shows as it is."""
    shown = "".join(_ESCAPES.get(c, c if c.isascii() else rf"\[u{ord(c):04X}]") for c in line)
    return rf"\&{shown}" if shown.startswith((".", "'")) else shown


def _quoted(text: str) -> str:
    """One argument of a macro."""
    return '"' + _text(text).replace('"', r"\(dq") + '"'
