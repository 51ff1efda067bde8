"""A target: its servers, each with its protocol and the options of that protocol."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Self

from msgspec import Meta, Struct, field, structs
from msgspec.structs import asdict, fields

from probe import legacy
from probe.config.base import Seconds
from probe.config.errors import Key, Problem, dotted, problem
from probe.config.headers import Headers
from probe.config.leaf import Secret
from probe.config.section import WRONG, Section, as_table, differences, read, read_struct
from probe.config.written import Moved, table
from probe.machine.here import source_of
from probe.machine.state import Exporter, Source
from probe.plan import AUDIBLE_DBFS, Limits, ObjectiveMeasure, Role, ServerPlan, Target
from probe.protocols.declaration import ServerProtocol
from probe.protocols.registry import PROTOCOLS, answers_by_itself, hearing
from probe.urls import HttpUrl, url_of

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


class SpeechConfig(Section, frozen=True, kw_only=True):
    """The TTS server that makes the speech of a person: the keys of a target's `tts`, and its URL has to be there."""

    server: ServerConfig

    @classmethod
    def read(cls, value: Any, key: Key, found: list[Problem]) -> Any:
        given = as_table(value)
        if "url" not in given:
            found.append(problem((*key, "url"), "is missing", None))
            return WRONG
        server = read_server("tts", given, key, found)
        return WRONG if server is WRONG else cls(server=server)

    def differences(self) -> dict[str, Any]:
        return self.server.differences("tts")


class ExportersConfig(Section, frozen=True, kw_only=True):
    """Where the machine of a target's servers is shown, if it is another one."""

    node: Annotated[
        HttpUrl | None, Meta(description="the page of node_exporter: its CPU, memory and pressure, with each run")
    ] = None
    dcgm: Annotated[
        HttpUrl | None, Meta(description="the page of dcgm-exporter: its GPUs' clocks, power and heat, with each run")
    ] = None

    def record(self) -> Mapping[Exporter, str]:
        pages: dict[Exporter, str | None] = {"node": self.node, "dcgm": self.dcgm}
        return {each: url for each, url in pages.items() if url is not None}


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
        Meta(
            description="local: this machine's state is kept with each run; without it, where a server is on it and "
            "there are no exporters"
        ),
    ] = None
    exporters: ExportersConfig = ExportersConfig()
    limits: LimitsConfig = LimitsConfig()
    user_speech: Annotated[
        SpeechConfig | None,
        Meta(description="a TTS server (`url`, `protocol`, …) that makes the speech of a person, instead of its own"),
    ] = None


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
        servers = {role: read_server(role, given.pop(role, {}), (*key, role), found) for role in roles}
        rest = read_struct(_OfEveryTarget, given, key, found, beside=(*PROTOCOLS, *legacy.KEYS))
        if beside or rest is WRONG or any(server is WRONG for server in servers.values()):
            return WRONG
        target = cls(servers=servers, **{each.name: getattr(rest, each.name) for each in fields(_OfEveryTarget)})
        if (wrong := _never_judged(target)) is not None:
            found.append(Problem((*key, "objective_measure"), wrong, target.objective_measure))
            return WRONG
        return target

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
            self.machine or self._source(),
            self.exporters.record(),
            None if self.user_speech is None else self.user_speech.server.record(),
        )

    def with_user_speech(self, speech: SpeechConfig | None) -> Self:
        """The same; a target that may hear, and has no server for this, has this one."""
        wanted = self.user_speech is None and not {_HEARS, _AGENT}.isdisjoint(self.servers)
        return structs.replace(self, user_speech=speech) if wanted else self

    def _source(self) -> Source:
        """A target that names another machine does not mean this one."""
        read_elsewhere = bool(self.exporters.record())
        return "none" if read_elsewhere else source_of(server.url for server in self.servers.values())


def _never_judged(target: TargetConfig) -> str | None:
    """Why no run of this target has the measure that its objective is about; None where it has."""
    record = target.record("")
    if target.objective_measure != "voice_to_voice" and answers_by_itself(record):
        return "must be voice_to_voice: an agent that finds the end of the speech itself answers without a request"
    if target.objective_measure == "voice_to_voice" and hearing(record) is None:
        return "voice_to_voice is for targets that hear: add an stt server, or endpointing to the agent"
    return None


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


def read_server(role: Role, value: Any, key: Key, found: list[Problem]) -> Any:
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
