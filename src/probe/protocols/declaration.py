"""How a wire protocol declares itself: one `ServerProtocol` for each."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from probe.plan import ServerPlan
from probe.protocols.base import Conversation, Terms
from probe.protocols.inquiries import Exchange, Inquiries, Sign, nothing
from probe.record import ServerIdentity
from probe.server_state import ServerState


def never(_server: ServerPlan) -> bool:
    """Of no server."""
    return False


def leaves_nothing(_server: ServerPlan, _run_id: str, _turns: int) -> tuple[()]:
    """The server notices that its client is gone, and gives up what it did for it."""
    return ()


C_co = TypeVar("C_co", bound=Conversation, covariant=True)


def as_configured(server: ServerPlan) -> ServerPlan:
    """Nothing is added."""
    return server


class ServerProtocol(Struct, Generic[C_co], frozen=True):
    """A wire protocol: how it is configured, framed and spoken, and what its servers can be asked beside it.

    `silent_if_voice_unknown`: a text for a voice that is none of its `voices` is answered with nothing, so that such a
    server is asked for them before a run.

    `options` is a msgspec Struct with a default for everything. The `schemes` are those of its URL; without `protocol`
    in a configuration, the first protocol with a URL's scheme is meant. `users` reads how many hold the server's slots,
    None where an answer does not say, of the server and of each one behind it, with what else it reports of itself;
    `figures` that of a server whose users nobody waits for; `identity` the model and build;
    `voices` which voices there are; `cold` whether the next request has to load a model first; `advice` what is wrong
    with its URL or options; `sample_rate` what it states of its audio before it speaks, in Hz. `takes_pieces` says
    whether a TTS server accepts an answer as the LLM writes it (`add`) and cuts it itself. `dialled` is the server with
    what the protocol itself adds to the URL and to the headers of its connections.

    `probe init` looks at the port of the `default_url` and at `ports`, and asks for `signs`: any answer but None says
    that the server speaks this protocol. Without signs an answer to `identity` or `voices` does. None of these
    questions makes a server work or load a model.

    `unfinished` has the server give up what a run of this id, with at most so many turns, left there when its process
    was killed. Each exchange releases one thing: True where there was such a thing, False where there was none.
    """

    name: str
    schemes: tuple[str, ...]
    default_url: str
    framing: str
    options: type[Any]
    converse: Callable[[Terms], C_co]
    silent_if_voice_unknown: bool = False
    users: Callable[[ServerPlan], Sequence[Inquiries[ServerState | None]]] = nothing
    figures: Callable[[ServerPlan], Inquiries[ServerState | None]] = nothing
    identity: Callable[[ServerPlan], Inquiries[ServerIdentity]] = nothing
    voices: Callable[[ServerPlan], Inquiries[tuple[str, ...] | None]] = nothing
    cold: Callable[[ServerPlan], Inquiries[bool | None]] = nothing
    advice: Callable[[ServerPlan], Inquiries[str | None]] = nothing
    dialled: Callable[[ServerPlan], ServerPlan] = as_configured
    sample_rate: Callable[[ServerPlan], Inquiries[int | None]] = nothing
    takes_pieces: Callable[[ServerPlan], bool] = never
    ports: tuple[int, ...] = ()
    signs: Callable[[ServerPlan], Inquiries[Sign | None]] = nothing
    unfinished: Callable[[ServerPlan, str, int], Sequence[Exchange[bool]]] = leaves_nothing
