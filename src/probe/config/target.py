"""A target: its servers, each with its protocol and the options of that protocol."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct, field
from msgspec.structs import asdict, fields

from probe import legacy
from probe.config.base import Seconds
from probe.config.errors import Key, Problem, dotted, problem
from probe.config.headers import Headers
from probe.config.leaf import Secret
from probe.config.section import WRONG, Section, as_table, differences, read, read_struct
from probe.config.written import Moved, table
from probe.machine.here import source_of
from probe.machine.state import Source
from probe.protocols.declaration import ServerProtocol
from probe.protocols.registry import PROTOCOLS
from probe.record import AUDIBLE_DBFS, Limits, ObjectiveMeasure, Role, ServerPlan, Target
from probe.urls import url_of

# What every server has, whatever it speaks.
_COMMON = ("protocol", "url", "headers")
# The servers of a target: these, and one that hears where it is there; or one agent, which does the work of all.
_USUAL: tuple[Role, ...] = ("llm", "tts")
_HEARS: Role = "stt"
_AGENT: Role = "agent"
_HEADERS = tuple(f"{role}.headers" for role in _USUAL)


class LimitsConfig(Section, frozen=True, kw_only=True):
    """How long each wait may last."""

    connect_s: Annotated[Seconds, Meta(description="opening one connection")] = 5.0
    stt_s: Annotated[
        Seconds,
        Meta(description="of silence until the STT server finds the end of the speech; then until it has it all"),
    ] = 10.0
    llm_s: Annotated[Seconds, Meta(description="without data from the LLM server while an answer is pending")] = 10.0
    tts_s: Annotated[Seconds, Meta(description="without data from the TTS server while an answer is pending")] = 10.0
    run_s: Annotated[Seconds, Meta(description="a whole run")] = 120.0
    release_s: Annotated[Seconds, Meta(description="releasing the LLM server's slot when a run ends early")] = 5.0


class ServerConfig(Struct, frozen=True, kw_only=True):
    """One server. Where it is written, the options of its protocol stand beside the rest."""

    protocol: ServerProtocol[Any]
    url: str
    options: Struct
    headers: Mapping[str, Secret]

    def record(self) -> ServerPlan:
        options = {name: value for name, value in asdict(self.options).items() if value is not None}
        headers = {name: value.reveal() for name, value in self.headers.items()}
        return ServerPlan(self.protocol.name, self.url, options, headers)

    def differences(self, role: Role) -> dict[str, Any]:
        """What has to be written to get this server; without the protocol where the URL alone decides for it."""
        found = {"url": self.url, "headers": dict(self.headers), **differences(self.options)}
        return found if _speaking(role, self.url) is self.protocol else found | {"protocol": self.protocol.name}


class _OfEveryTarget(Section, frozen=True, kw_only=True):
    objective_ms: Annotated[
        float, Meta(gt=0, le=3_600_000, description="a response that takes longer to start is slow")
    ] = 1000.0
    objective_measure: Annotated[
        ObjectiveMeasure,
        Meta(
            description="what it judges: response_ttfb, the first byte of audio; response_ttfa, the first audible "
            "sound; voice_to_voice, that sound since the end of the speech, of a target that hears"
        ),
    ] = "response_ttfb"
    audible_dbfs: Annotated[
        float, Meta(ge=-90, le=-20, description="sound counts as audible from this level on, in dB of full scale")
    ] = AUDIBLE_DBFS
    machine: Annotated[
        Source | None,
        Meta(description="local: this machine's state is kept with each run; without it, where a server is on it"),
    ] = None
    limits: LimitsConfig = LimitsConfig()


class TargetConfig(_OfEveryTarget, frozen=True, kw_only=True):
    """The servers of one voice agent, each a table named as its role; and what is said of all of them.

    They are an LLM and a TTS server, with an STT server in front of them where the target hears; or one agent.
    The flat keys of version 0.1 (`llm_url`, `voice`, … in `probe.legacy`) are read too.
    """

    servers: dict[Role, ServerConfig] = field(default_factory=lambda: {role: _default(role) for role in _USUAL})

    @classmethod
    def read(cls, value: Any, key: Key, found: list[Problem]) -> Any:
        given = cls.as_today(as_table(value), key, found)
        roles = [role for role in PROTOCOLS if role in given] if _AGENT in given else [*_USUAL, *_hearing(given)]
        if beside := [role for role in roles if _AGENT in roles and role != _AGENT]:
            doubled = f"an agent does all of the work: leave out either it or {' and '.join(beside)}"
            found.append(Problem((*key, _AGENT), doubled))
        servers = {role: _read_server(role, given.pop(role, {}), (*key, role), found) for role in roles}
        rest = read_struct(_OfEveryTarget, given, key, found, beside=(*PROTOCOLS, *legacy.KEYS))
        if beside or rest is WRONG or any(server is WRONG for server in servers.values()):
            return WRONG
        return cls(servers=servers, **{each.name: getattr(rest, each.name) for each in fields(_OfEveryTarget)})

    @classmethod
    def as_today(cls, values: dict[str, Any], key: Key, found: list[Problem]) -> dict[str, Any]:
        today = dict(values)
        for name in ("headers", *(f"{role}_headers" for role in PROTOCOLS)):
            if name in today:
                found.append(Problem((*key, name), f"a server has them: write {' or '.join(_HEADERS)} in this target"))
                del today[name]
        limits = table(today.get("limits"))
        if limits is not None:
            limits = today["limits"] = dict(limits)
        for flat, keys, place in ((today, legacy.KEYS, key), (limits or {}, legacy.LIMITS, (*key, "limits"))):
            for name in [name for name in flat if name in keys]:
                role, option = keys[name]
                written = Moved((*place, name), flat.pop(name))
                server = table(today.get(role, {}))
                if server is not None and option in server:
                    wrong = f"says the same as {dotted((*key, role, option))}: leave one of them out"
                    found.append(problem(written.key, wrong, written.value))
                elif server is not None:
                    today[role] = {**server, option: written}
        return today

    def differences(self) -> dict[str, Any]:
        servers: dict[str, Any] = {role: server.differences(role) for role, server in self.servers.items()}
        rest = _OfEveryTarget(**{each.name: getattr(self, each.name) for each in fields(_OfEveryTarget)})
        return differences(rest) | servers

    def record(self, name: str) -> Target:
        servers = {role: server.record() for role, server in self.servers.items()}
        return Target(
            name,
            servers,
            self.objective_ms,
            Limits(**asdict(self.limits)),
            self.objective_measure,
            self.audible_dbfs,
            self.machine or source_of(server.url for server in self.servers.values()),
        )


def _hearing(given: Mapping[str, Any]) -> tuple[Role, ...]:
    return (_HEARS,) if _HEARS in given else ()


def _default(role: Role) -> ServerConfig:
    first = _first(role)
    return ServerConfig(protocol=first, url=first.default_url, options=first.options(), headers={})


def _first(role: Role) -> ServerProtocol[Any]:
    return next(iter(PROTOCOLS[role].values()))


def _speaking(role: Role, url: Any) -> ServerProtocol[Any] | None:
    """The first protocol with a URL of this scheme."""
    scheme = url.partition("://")[0].lower() if isinstance(url, str) else ""
    return next((each for each in PROTOCOLS[role].values() if scheme in each.schemes), None)


def _read_server(role: Role, value: Any, key: Key, found: list[Problem]) -> Any:
    """The server, or WRONG with the problems added to `found`."""
    given = table(value)
    if given is None:
        found.append(problem(key, "should be a table", value, shown=True))
        return WRONG
    protocol = _protocol(role, given, key, found)
    likely = _first(role) if protocol is None else protocol
    schemes = (
        likely.schemes
        if protocol is not None
        else [scheme for each in PROTOCOLS[role].values() for scheme in each.schemes]
    )
    url = read(Annotated[str, url_of(*schemes)], given.get("url", likely.default_url), (*key, "url"), found)
    headers = read(Headers, given.get("headers", {}), (*key, "headers"), found)
    own = {name: value for name, value in given.items() if name not in _COMMON}
    names = [each.name for each in fields(likely.options)]
    if protocol is None:
        # What may be another protocol's option is not wrong; what the likely one has can be checked.
        read_struct(likely.options, {name: own[name] for name in names if name in own}, key, found)
        return WRONG
    takes = f"unknown key; {protocol.name} takes: {', '.join((*_COMMON, *names))}"
    options = read_struct(protocol.options, own, key, found, takes, _COMMON)
    parts = {"url": url, "headers": headers, "options": options}
    return WRONG if any(part is WRONG for part in parts.values()) else ServerConfig(protocol=protocol, **parts)


def _protocol(role: Role, given: dict[str, Any], key: Key, found: list[Problem]) -> ServerProtocol[Any] | None:
    """The one that is named, else the one that the URL's scheme means; None where there is no such protocol."""
    known = PROTOCOLS[role]
    if "protocol" in given:
        return known.get(read(Annotated[str, _one_of(known)], given["protocol"], (*key, "protocol"), found))
    if "url" in given:
        url = given["url"]
        return _speaking(role, url.value if isinstance(url, Moved) else url)
    return _first(role)


def _one_of(names: Iterable[str]) -> Callable[[str], str]:
    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"{name!r} is unknown; one of: {', '.join(sorted(names))}")
        return name

    return check
