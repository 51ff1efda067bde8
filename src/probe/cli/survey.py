"""What every configured server says when it is asked, for `probe check-config --probe`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from probe.cli import findings
from probe.cli.findings import Answers, Finding
from probe.cli.lookout import Seen, others_at, sign_of
from probe.clock import AnchoredClock
from probe.config import Config
from probe.credentials import secrets_of, without
from probe.daemon import questions
from probe.plan import Role, ServerPlan, Target
from probe.protocols.declaration import ServerProtocol
from probe.protocols.http_answers import refused_handshake
from probe.protocols.inquiries import Inquiries
from probe.server_state import ServerState
from probe.timestamps import milliseconds
from probe.transport.connection import ConnectError, Endpoint
from probe.transport.connector import SocketConnector
from probe.transport.framing.base import Incoming
from probe.urls import without_secrets

# What is said of a question that a server does not answer, and of one that its protocol does not have.
UNKNOWN, NOT_ASKED = "unknown", "not asked"


@dataclass(frozen=True, slots=True)
class Found:
    """One server. `connected_ms` is None where there is no connection; `error` then says why, and nothing was asked."""

    target: str
    server: Role
    protocol: str
    url: str
    connected_ms: float | None = None
    error: str | None = None
    model: str | None = None
    build: str | None = None
    users: int | str = NOT_ASKED
    cold: bool | str = NOT_ASKED
    voices: tuple[str, ...] | str = NOT_ASKED
    advice: str | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def wrong(self) -> bool:
        return any(each.state == "wrong" for each in self.findings)

    def lines(self, width: int) -> Iterator[str]:
        """All that is known of it, and below it each finding that this does not say."""
        yield self.line()
        for each in self.findings:
            if each.about != "reachable":
                yield from each.lines(width)

    def line(self) -> str:
        """All that is known of it, for a person."""
        what = f"{self.target} {self.server} ({self.protocol}, {self.url})"
        if self.connected_ms is None:
            return f"{what}: {self.error}"
        voices = self.voices if isinstance(self.voices, str) else ", ".join(self.voices)
        asked = {"users": self.users, "cold": _yes_or_no(self.cold), "voices": voices}
        said = {"model": self.model, "build": self.build, **asked, "advice": self.advice}
        parts = (f"{name}: {value}" for name, value in said.items() if value not in (None, NOT_ASKED))
        return "; ".join((f"{what}: connected in {self.connected_ms:.1f} ms", *parts))


def _yes_or_no(answer: bool | str) -> str:
    return answer if isinstance(answer, str) else "yes" if answer else "no"


async def survey(settings: Config) -> Sequence[Found]:
    """Connect to each server of each target, and ask it everything that its protocol can ask."""
    targets = [*(target.record(name) for name, target in settings.targets.items()), *_beside(settings)]
    return [await _found(target, *server) for target in targets for server in questions.servers(target)]


def _beside(settings: Config) -> Iterator[Target]:
    """The servers that make the speech of a person, and the one that transcribes answers: no target's own."""
    limits = next(iter(settings.targets.values())).record("").limits
    speaking = {f"{name} user_speech": each.user_speech for name, each in settings.targets.items()}
    own = {name: each for name, each in speaking.items() if each != settings.user_speech}
    for name, speech in {"user_speech": settings.user_speech, **own}.items():
        if speech is not None:
            yield Target(name, {"tts": speech.server.record()}, 0.0, limits)
    if settings.intelligibility.stt is not None:
        yield Target("intelligibility", {"stt": settings.intelligibility.stt.record()}, 0.0, limits)


async def _found(target: Target, role: Role, server: ServerPlan, protocol: ServerProtocol[Any]) -> Found:
    found = Found(target.name, role, protocol.name, without_secrets(server.url))
    try:
        connected_ms = await _connect(server, protocol, target.limits.connect_s)
    except ConnectError as error:
        why, said = _why(error, server)
        said = without(said, secrets_of(server.url, server.headers))
        shown = without_secrets(f"{why}; {said}" if said else why)
        wrong = findings.unreachable(shown, _named(await _instead(server)))
        return replace(found, error=shown, findings=tuple(wrong))
    serving = await questions.identity(protocol.identity(server))
    found = replace(
        found,
        connected_ms=connected_ms,
        model=serving.model,
        build=serving.build,
        users=await _users(protocol.users(server)),
        cold=await _answer(protocol.cold(server)),
        voices=await _answer(protocol.voices(server)),
        # An empty one is the answer that nothing is wrong.
        advice=await questions.first(protocol.advice(server)) or None,
    )
    return replace(found, findings=tuple(findings.of(server, await _answers(server, protocol, found))))


async def _answers(server: ServerPlan, protocol: ServerProtocol[Any], found: Found) -> Answers:
    sign = await sign_of(protocol, server)
    instead = () if sign is not None else await _instead(server)
    return Answers(
        sign=sign,
        signs=bool(protocol.signs(server)),
        instead=_named(instead),
        does_the_same=any(each.role == found.server for each in instead),
        voices=None if isinstance(found.voices, str) else found.voices,
        asks_voices=found.voices != NOT_ASKED,
        users=None if found.users == NOT_ASKED else found.users,
        advice=found.advice,
        audio_rate=await questions.first(protocol.sample_rate(server)),
        hears=found.server == "stt",
    )


async def _instead(server: ServerPlan) -> Sequence[Seen]:
    """Who else answers at its host and port."""
    return [each for each in await others_at(server.url) if each.protocol.name != server.protocol]


def _named(seen: Sequence[Seen]) -> Sequence[str]:
    return [f"{each.protocol.name} ({each.url})" for each in seen]


async def _users(services: Sequence[Inquiries[ServerState | None]]) -> int | str:
    states = [await questions.first(inquiries) for inquiries in services]
    answers = [UNKNOWN if state is None or state.users is None else state.users for state in states]
    known = [answer for answer in answers if isinstance(answer, int)]
    # One that does not say may have users; one that has them settles it.
    return UNKNOWN if UNKNOWN in answers and not any(known) else max(known, default=NOT_ASKED)


async def _answer(inquiries: Inquiries[Any]) -> Any:
    if not inquiries:
        return NOT_ASKED
    answer = await questions.first(inquiries)
    return UNKNOWN if answer is None else answer


async def _connect(server: ServerPlan, protocol: ServerProtocol[Any], timeout_s: float) -> float:
    """How long a connection took to open, in milliseconds. Raises ConnectError."""
    clock = AnchoredClock.anchored_now()
    dialled = protocol.dialled(server)
    endpoint = Endpoint(dialled.url, protocol.framing, dialled.headers)
    start = clock.now()
    link = await SocketConnector(clock).open(endpoint, _ignored, timeout_s)
    took = milliseconds(clock.now() - start)
    await link.close()
    return took


def _why(error: ConnectError, server: ServerPlan) -> tuple[str, str]:
    """Why there is no connection, and the server's own words about it."""
    if error.refusal is None:
        return str(error), error.said
    refused = refused_handshake(error.refusal, server)
    return f"{without_secrets(server.url)}: {refused.message}", refused.said


def _ignored(_at: int, _frame: Incoming) -> None:
    """Only the connection matters."""
