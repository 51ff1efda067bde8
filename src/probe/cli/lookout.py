"""What runs at the usual ports of some hosts, as the servers themselves say, for `probe init`.

Only questions of the protocols are sent, and only where a port is open: none makes a server work or load a model.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct, structs

from probe.clock import AnchoredClock
from probe.daemon import questions
from probe.plan import Role, ServerPlan
from probe.protocols.declaration import ServerProtocol
from probe.protocols.inquiries import Sign
from probe.protocols.registry import PROTOCOLS
from probe.record import ServerIdentity
from probe.transport.connection import ConnectError, Endpoint
from probe.transport.connector import SocketConnector
from probe.transport.framing.base import Incoming

# A port of a machine on the same network opens in a few milliseconds, or is filtered.
OPEN_TIMEOUT_S = 1.0
# No voice has this name: protocols that do not ask for voices where theirs is a usual one ask for this one's.
_ANY_VOICE = "-"
_NOBODY = "no server that the probe knows"
_OVER_HTTP = frozenset(("http", "https", "ws", "wss"))


class Place(Struct, frozen=True):
    """Where to look: one port of a host, or all that are usual (None)."""

    host: str
    port: int | None = None


class Seen(Struct, frozen=True):
    """A server that speaks a protocol. `cold`: whether the next request loads a model first, None where nobody knows.

    `voices` is empty where it lists none; `sample_rate` is what it states of its audio before it speaks.
    """

    role: Role
    protocol: ServerProtocol[Any]
    url: str
    sign: Sign = Sign()
    voices: tuple[str, ...] = ()
    cold: bool | None = None
    sample_rate: int | None = None

    @property
    def name(self) -> str:
        """Program and version, as far as it says them; else what it speaks."""
        return " ".join(filter(None, (self.sign.program, self.sign.version))) or self.protocol.name


class Asked(Struct, frozen=True):
    """A host and a port, and who may be there."""

    host: str
    port: int
    candidates: tuple[tuple[Role, ServerProtocol[Any]], ...]


def usual_ports(protocol: ServerProtocol[Any]) -> tuple[int, ...]:
    """Where its servers listen by default, the port of its own URL first."""
    own = urlsplit(protocol.default_url).port
    return tuple(dict.fromkeys((*(() if own is None else (own,)), *protocol.ports)))


def to_ask(places: Sequence[Place]) -> list[Asked]:
    """Each port once, with the protocols that it is usual for; where it was named, with all that there are."""
    known = [(role, each) for role, protocols in PROTOCOLS.items() for each in protocols.values()]
    asked: dict[tuple[str, int], tuple[tuple[Role, ServerProtocol[Any]], ...]] = {}
    for place in places:
        if place.port is not None:
            asked[place.host, place.port] = tuple(known)
            continue
        for port in dict.fromkeys(port for _, each in known for port in usual_ports(each)):
            found = tuple((role, each) for role, each in known if port in usual_ports(each))
            asked.setdefault((place.host, port), found)
    return [Asked(host, port, candidates) for (host, port), candidates in asked.items()]


async def look(asked: Iterable[Asked]) -> list[Seen]:
    """Every server that is there, in the order in which it was asked for."""
    found = await asyncio.gather(*(_at(each) for each in asked))
    return [server for servers in found for server in servers]


async def why_nobody(place: Place) -> str:
    """What there is to say of a place where nobody was found, for a person."""
    port = place.port or to_ask([place])[0].port
    try:
        await _connected(place.host, port)
    except ConnectError as error:
        # Of all usual ports, that one is closed is nothing to say.
        return str(error) if place.port is not None or error.reason == "dns" else _NOBODY
    return _NOBODY


async def _at(asked: Asked) -> list[Seen]:
    if not await _open(asked.host, asked.port):
        return []
    answers = await asyncio.gather(
        *(_seen(role, each, _url(each, asked.host, asked.port)) for role, each in asked.candidates)
    )
    return [each for each in answers if each is not None]


async def _open(host: str, port: int) -> bool:
    with suppress(ConnectError):
        await _connected(host, port)
        return True
    return False


async def _connected(host: str, port: int) -> None:
    """Open a connection, and end it. Raises ConnectError."""
    connector = SocketConnector(AnchoredClock.anchored_now())
    link = await connector.open(Endpoint(f"tcp://{_in_url(host)}:{port}", "raw"), _ignored, OPEN_TIMEOUT_S)
    link.abort()


async def _seen(role: Role, protocol: ServerProtocol[Any], url: str) -> Seen | None:
    """The server there, if it speaks this protocol: first whether it does, then what there is to know."""
    server = ServerPlan(protocol.name, url, dict(_defaults(protocol)))
    sign = await sign_of(protocol, server)
    if sign is None:
        return None
    if sign.models and "model" in protocol.options.__struct_fields__:
        server = ServerPlan(protocol.name, url, {**server.options, "model": sign.models[0]})
    identity, voices, cold, rate = await asyncio.gather(
        questions.identity(protocol.identity(server)),
        questions.first(protocol.voices(server)),
        questions.first(protocol.cold(server)),
        questions.first(protocol.sample_rate(server)),
    )
    models = (identity.model,) if identity.model and not sign.models else ()
    known = sign | Sign(None, None if sign.version else identity.build, models)
    return Seen(role, protocol, url, known, voices or (), cold, rate)


async def others_at(url: str) -> list[Seen]:
    """Who is at a URL's host and port, whatever it speaks. No credentials of anyone are sent."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        return []
    asked = to_ask([Place(parts.hostname, parts.port)])
    if parts.scheme in _OVER_HTTP:
        # It has answered over HTTP: those that wait for something else would only wait.
        asked = [structs.replace(each, candidates=tuple(filter(_is_over_http, each.candidates))) for each in asked]
    return await look(asked)


def _is_over_http(candidate: tuple[Role, ServerProtocol[Any]]) -> bool:
    return not _OVER_HTTP.isdisjoint(candidate[1].schemes)


async def sign_of(protocol: ServerProtocol[Any], server: ServerPlan) -> Sign | None:
    """What shows that a server speaks this protocol; None where nothing does."""
    signs = protocol.signs(server)
    if not signs:
        identity = await questions.identity(protocol.identity(server))
        known = identity != ServerIdentity() or await questions.first(protocol.voices(server)) is not None
        return Sign() if known else None
    found = None
    for each in await asyncio.gather(*(questions.first((sign,)) for sign in signs)):
        if each is not None:
            found = each if found is None else found | each
    return found


def _defaults(protocol: ServerProtocol[Any]) -> Iterator[tuple[str, Any]]:
    for name, value in structs.asdict(protocol.options()).items():
        if name == "voice":
            yield name, _ANY_VOICE
        elif value is not None:
            yield name, value


def _url(protocol: ServerProtocol[Any], host: str, port: int) -> str:
    parts = urlsplit(protocol.default_url)
    return urlunsplit((parts.scheme, f"{_in_url(host)}:{port}", parts.path, "", ""))


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _ignored(_at: int, _frame: Incoming) -> None:
    """Whether the port is open is all that is asked."""
