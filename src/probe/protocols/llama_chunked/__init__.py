"""The chunked LLM server, and the llama.cpp behind it."""

from collections.abc import Sequence

from probe.plan import ServerPlan
from probe.protocols import server_page
from probe.protocols.declaration import ServerProtocol
from probe.protocols.inquiries import Inquiries, Inquiry, Sign
from probe.protocols.llama_chunked import codec, llama_server
from probe.protocols.llama_chunked.conversation import ChunkedConversation
from probe.protocols.llama_chunked.options import ChunkedOptions
from probe.protocols.llama_chunked.unfinished import unfinished
from probe.protocols.llama_slots import slots
from probe.record import ServerIdentity
from probe.server_state import ServerState


def _users(server: ServerPlan) -> Sequence[Inquiries[ServerState | None]]:
    """llama.cpp is asked as well: it has users that this server does not know."""
    own = (Inquiry(codec.health_url(server.url), codec.streams, server.headers),)
    llama_url = server.options.get("llama_url")
    if llama_url is None:
        return (own,)
    metrics = Inquiry(llama_server.metrics_url(llama_url), server_page.state)
    return own, (metrics, Inquiry(llama_server.slots_url(llama_url), slots))


def _identity(server: ServerPlan) -> Inquiries[ServerIdentity]:
    llama_url = server.options.get("llama_url")
    return () if llama_url is None else (Inquiry(llama_server.props_url(llama_url), llama_server.served),)


def _signs(server: ServerPlan) -> Inquiries[Sign | None]:
    return (Inquiry(codec.health_url(server.url), codec.sign, server.headers),)


PROTOCOL = ServerProtocol(
    name="chunked",
    schemes=("ws", "wss"),
    default_url="ws://localhost:8002/ws",
    framing="websocket",
    options=ChunkedOptions,
    converse=ChunkedConversation,
    users=_users,
    identity=_identity,
    signs=_signs,
    unfinished=unfinished,
)
