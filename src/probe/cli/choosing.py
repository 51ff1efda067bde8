"""Which of the servers that were found are measured, with which model and voice: shown, chosen, or asked for."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import click
from msgspec import Struct

from probe.cli.lookout import Seen
from probe.cli.output import report_width, say
from probe.plan import Role
from probe.report.format import MISSING, TEXT, shortened, table, wrapped

# What makes a target: either an LLM and a TTS server, or one that is both.
_KINDS: tuple[tuple[Role, ...], ...] = (("llm", "tts"), ("agent",))
# In front of the first kind: such a target is asked by voice.
_HEARS: Role = "stt"
_NAMES: Mapping[Role, str] = {"llm": "LLM", "tts": "TTS", "agent": "speech-to-speech", "stt": "STT"}
_STATES = {True: "cold", False: "warm", None: "?"}
_COLUMNS = ("#", "Role", "Server", "At", "State", "Protocol", TEXT)
# Left out, the first ones first, where there is no room for all.
_SPARE = ("Protocol", TEXT, "State")
_OFFERED = "Offers"
_MOST_LISTED = 20
_LONGEST_NAME, _NARROW = 28, 18


class Choice(Struct, frozen=True):
    """A target's name and servers, and the options of each that are written."""

    name: str
    servers: Mapping[Role, Seen]
    options: Mapping[Role, Mapping[str, Any]]


def table_of(seen: Sequence[Seen], width: int) -> list[str]:
    """The servers, numbered from 1."""
    longest = _LONGEST_NAME if width >= 80 else _NARROW  # noqa: PLR2004 - a usual terminal
    rows = [
        (
            f"{number}.", each.role, shortened(each.name, longest), urlsplit(each.url).netloc, _STATES[each.cold],
            each.protocol.name, _offered(each) or MISSING,
        )
        for number, each in enumerate(seen, 1)
    ]  # fmt: skip
    rule, header, *lines = table(_COLUMNS, rows, width, _SPARE)
    return [rule, header.removesuffix(TEXT) + _OFFERED if header.endswith(TEXT) else header, *lines]


def _offered(server: Seen) -> str:
    """Its models, of files without their folders; of a server without models its voices."""
    return ", ".join(
        name.rpartition("/")[2] if name.startswith("/") else name for name in server.sign.models or server.voices
    )


def described(server: Seen) -> str:
    """A server in one line."""
    parts = [server.name]
    for what, names in (("model", server.sign.models), ("voice", server.voices)):
        if names:
            parts.append(f"{len(names)} {what}{'' if len(names) == 1 else 's'}: {', '.join(names)}")
    return "; ".join(parts)


def missing(seen: Sequence[Seen]) -> str:
    """Why there is no target, and what to do."""
    roles = {each.role for each in seen}
    lacking = [_NAMES[role] for role in _KINDS[0] if role not in roles]
    what = "no server was found" if not seen else f"no {' and no '.join(lacking)} server was found"
    return f"{what}: start it, or say where it is (--host HOST:PORT); `probe demo` needs none"


def first(seen: Sequence[Seen]) -> Choice | None:
    """The first of each kind, one whose model is loaded before others; None where no target can be made of them.

    A server that hears comes in front of an LLM and a TTS server.
    """
    ready = sorted(seen, key=lambda each: each.cold is True)
    found = {each.role: each for each in reversed(ready)}
    for roles in _KINDS:
        if all(role in found for role in roles):
            hearing = (_HEARS,) if roles == _KINDS[0] and _HEARS in found else ()
            return _choice({role: found[role] for role in (*hearing, *roles)})
    return None


def asked(seen: Sequence[Seen]) -> Choice:
    """What a person at the terminal chooses. Only for what `first` makes a target of."""
    usual = first(seen)
    assert usual is not None  # noqa: S101 - see above
    roles = tuple(usual.servers)
    agents = [each for each in seen if each.role == "agent"]
    if agents and "agent" not in roles and click.confirm("Measure the speech-to-speech server", default=False):
        roles = ("agent",)
    elif _HEARS in roles and not click.confirm("Ask by voice: the STT server in front of the LLM server", default=True):
        roles = tuple(role for role in roles if role != _HEARS)
    servers = {role: _server(seen, role, usual) for role in roles}
    return _choice(servers, {role: _options(role, each) for role, each in servers.items()})


def _server(seen: Sequence[Seen], role: Role, usual: Choice) -> Seen:
    numbers = {str(number): each for number, each in enumerate(seen, 1) if each.role == role}
    if len(numbers) == 1:
        return next(iter(numbers.values()))
    default = next((number for number, each in numbers.items() if each is usual.servers.get(role)), next(iter(numbers)))
    number = click.prompt(f"{_NAMES[role]} server", type=click.Choice([*numbers]), default=default)
    return numbers[number]


def _options(role: Role, server: Seen) -> dict[str, Any]:
    options = dict(_usual_options(server))
    for name, known in (("model", server.sign.models), ("voice", server.voices)):
        if name in server.protocol.options.__struct_fields__ and len(known) > 1:
            said = _one_of(f"{_NAMES[role]} {name}", known, options.get(name))
            if said:
                options[name] = said
    return options


def _one_of(what: str, known: Sequence[str], default: str | None) -> str | None:
    """One of these by its name; without a default, an empty answer means none."""
    more = f", and {len(known) - _MOST_LISTED} more" if len(known) > _MOST_LISTED else ""
    for line in wrapped(f"{', '.join(known[:_MOST_LISTED])}{more}", report_width(), f"{what}: "):
        say(line)
    asked_for = what if default else f"{what} (none: the server's own)"
    while True:
        said: str = click.prompt(asked_for, default=default or "", show_default=default is not None)
        if said in known or not said:
            return said or None
        say(f"there is none named {said!r}")


def _usual_options(server: Seen) -> Mapping[str, Any]:
    """The first model, as loaded ones are; the protocol's own voice where the server has it, else its first."""
    options: dict[str, Any] = {}
    defaults = server.protocol.options()
    if "model" in defaults.__struct_fields__ and server.sign.models:
        options["model"] = server.sign.models[0]
    usual = getattr(defaults, "voice", None)
    if usual is not None and server.voices:
        options["voice"] = usual if usual in server.voices else server.voices[0]
    if server.sample_rate is not None and server.sample_rate != getattr(defaults, "sample_rate", server.sample_rate):
        options["sample_rate"] = server.sample_rate
    return options


def _choice(servers: Mapping[Role, Seen], options: Mapping[Role, Mapping[str, Any]] | None = None) -> Choice:
    host = urlsplit(next(iter(servers.values())).url).hostname or ""
    label = host.partition(".")[0]
    name = label if label.replace("-", "").isalpha() and label != "localhost" else "local"
    return Choice(name, servers, options or {role: _usual_options(each) for role, each in servers.items()})
