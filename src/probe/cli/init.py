"""`probe init`: find the servers that run here, and write a first configuration for them."""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from probe import config
from probe.cli import choosing, live_run
from probe.cli.choosing import Choice
from probe.cli.lookout import Asked, Place, Seen, look, to_ask, why_nobody
from probe.cli.output import report_width, say
from probe.cli.typed import probe
from probe.cli.usage import UsageProblem
from probe.config.first import FirstServer, first_configuration
from probe.measures import outcome
from probe.plan import Role
from probe.protocols.registry import PROTOCOLS
from probe.record import RunRecord
from probe.report import document
from probe.text import escaped
from probe.urls import checked_url

HERE = "localhost"
_NOTHING = 1


@click.command(short_help="Find the servers that run here, and write a configuration for them.")
@click.option(
    "--host", "hosts", multiple=True, metavar="HOST[:PORT]",
    help="Look there, too; again for another. With a port, every protocol is tried at it.",
)  # fmt: skip
@click.option(
    "--output", default="probe.toml", show_default=True, type=click.Path(path_type=Path), metavar="FILE",
    help="The configuration that is written; one that exists is never touched.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Ask nothing: take the first server of each kind, and make the test run.")
@click.option("--no-run", is_flag=True, help="Make no test run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout; without --yes, only look.")
def init(*, hosts: tuple[str, ...], output: Path, yes: bool, no_run: bool, as_json: bool) -> None:
    """Find the servers that run on this machine, and write a configuration for those that you choose.

    It looks at the usual ports of LLM, STT, TTS and speech-to-speech servers, and asks each server for its models,
    voices and version. None of these questions makes a server work or load a model. Only the test run does, and you are
    asked first. The exit code is that of `probe run` (0 ok, 1 failed, 3 slow, …), or 1 if no servers were found.
    """
    places = [Place(HERE), *(_place(host) for host in hosts)]
    if (yes or not as_json) and output.exists():
        raise UsageProblem(f"--output: {output} exists, and is left as it is: choose another name, or move it away")
    asked = to_ask(places)
    seen = sorted(asyncio.run(look(asked)), key=_order)
    if not as_json:
        for line in _found(seen, asked, places):
            say(line)
        for place in places[1:]:
            if not _is_at(place, seen):
                say(f"{place.host}: {asyncio.run(why_nobody(place))}", err=True)
    choice = None
    if seen and (yes or not as_json):
        choice = choosing.first(seen) if yes else _chosen_by_a_person(seen)
    if choice is None:
        _end_without(seen, as_json=as_json, only_looked=as_json and not yes)
        return
    _write(output, choice)
    wanted = not no_run and (yes or click.confirm(_announced(choice), default=True))
    record = _run(output, choice, as_json=as_json) if wanted else None
    if as_json:
        _print_json(seen, choice, output, record)
    else:
        _say_what_next(output, choice)
    raise SystemExit(0 if record is None else live_run.conclude(record))


def _order(seen: Seen) -> tuple[int, int]:
    """By role and protocol, as the probe lists them."""
    roles = [*PROTOCOLS]
    return roles.index(seen.role), [*PROTOCOLS[seen.role]].index(seen.protocol.name)


def _place(text: str) -> Place:
    """Raises BadParameter for what is no host."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
        named = f"[{host}]" if host and ":" in host else host
        checked_url(f"tcp://{named}:{port or 1}", ("tcp",))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no HOST or HOST:PORT", param_hint="--host") from error
    if not host or "@" in text or parts.path or parts.query:
        raise click.BadParameter(f"{text!r} is no HOST or HOST:PORT", param_hint="--host")
    return Place(host, port)


def _is_at(place: Place, seen: Sequence[Seen]) -> bool:
    """Whether somebody was found there."""
    urls = [urlsplit(each.url) for each in seen]
    return any(url.hostname == place.host and place.port in (None, url.port) for url in urls)


def _found(seen: Sequence[Seen], asked: Sequence[Asked], places: Sequence[Place]) -> Iterator[str]:
    hosts = ", ".join(dict.fromkeys(place.host for place in places))
    found = f"{len(seen)} server{'' if len(seen) == 1 else 's'}" if seen else "no server that the probe knows"
    yield f"Looked at {len(asked)} ports of {hosts}: {found}"
    if seen:
        yield from choosing.table_of(seen, report_width())
    else:
        ports = ", ".join(str(port) for port in sorted({each.port for each in asked}))
        yield f"Ports: {ports}"


def _chosen_by_a_person(seen: Sequence[Seen]) -> Choice | None:
    choice = choosing.first(seen)
    if choice is None:
        return None
    if not _at_a_terminal():
        raise UsageProblem("nothing was written: there is no terminal to choose on; --yes takes the first of each kind")
    return choosing.asked(seen)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _end_without(seen: Sequence[Seen], *, as_json: bool, only_looked: bool) -> None:
    """Nothing is written. Exit code 0 where that was all that was wanted, and there is something."""
    if as_json:
        click.echo(escaped(json.dumps({"servers": [_shown(each) for each in seen]}, ensure_ascii=False, indent=2)))
    if only_looked and seen:
        return
    if not only_looked:
        say(f"probe init: {choosing.missing(seen)}", err=True)
    raise SystemExit(_NOTHING)


def _announced(choice: Choice) -> str:
    urls = " and ".join(server.url for server in choice.servers.values())
    return f"One test run now? It makes {urls} work, and load a model that is cold"


def _write(output: Path, choice: Choice) -> None:
    """Raises UsageProblem where the file is there by now, or can't be written."""
    text = first_configuration(choice.name, {role: _first(choice, role) for role in choice.servers})
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageProblem(f"--output: {output} can't be written: {error.strerror}") from error
    try:
        config.load(output)
    except config.ConfigError as error:
        raise UsageProblem(f"{output} is written; with the environment it is not right:\n{error}") from error


def _first(choice: Choice, role: Role) -> FirstServer:
    server, options = choice.servers[role], choice.options[role]
    takes = server.protocol.options.__struct_fields__
    unset = {}
    if "voice" in takes and "voice" not in options and server.voices:
        unset["voice"] = f"without it the server's own; it has {', '.join(server.voices)}"
    note = choosing.described(server)
    return FirstServer(server.protocol.name, server.url, options, note, unset)


def _run(output: Path, choice: Choice, *, as_json: bool) -> RunRecord:
    plan, tolerance = live_run.planned(output, None, target=choice.name)
    if as_json:
        return live_run.measured(plan, tolerance)
    return live_run.reported(plan, tolerance, verbose=False)


def _say_what_next(output: Path, choice: Choice) -> None:
    say("")
    say(f"Wrote {output} (target {choice.name!r}). Next:")
    say(f"  {probe()} run --config {output} --runs 20")
    say(f"  {probe()} daemon --config {output}")


def _print_json(seen: Sequence[Seen], choice: Choice, output: Path, record: RunRecord | None) -> None:
    chosen = {role: {"url": server.url, **choice.options[role]} for role, server in choice.servers.items()}
    found: Mapping[str, Any] = {
        "servers": [_shown(each) for each in seen],
        "target": choice.name,
        "chosen": chosen,
        "file": str(output),
        "outcome": None if record is None else outcome(record),
        "run": None if record is None else document.document(record),
    }
    click.echo(escaped(json.dumps(found, ensure_ascii=False, indent=2)).encode("utf-8"))


def _shown(server: Seen) -> dict[str, Any]:
    return {
        "role": server.role,
        "protocol": server.protocol.name,
        "url": server.url,
        "program": server.sign.program,
        "version": server.sign.version,
        "models": server.sign.models,
        "voices": server.voices,
        "cold": server.cold,
    }
