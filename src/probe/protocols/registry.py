"""Which wire protocols there are, by what a server does."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct

from probe.protocols.llama_chunked.options import ChunkedOptions
from probe.protocols.magpie.options import MagpieOptions
from probe.record import Role


@dataclass(frozen=True, slots=True)
class ServerProtocol:
    """One wire protocol: its name and URLs in a configuration, and what else it takes there."""

    name: str
    schemes: tuple[str, ...]
    default_url: str
    options: type[Struct]


PROTOCOLS: Mapping[Role, Mapping[str, ServerProtocol]] = {
    "llm": {"chunked": ServerProtocol("chunked", ("ws", "wss"), "ws://localhost:8002/ws", ChunkedOptions)},
    "tts": {"magpie": ServerProtocol("magpie", ("ws", "wss"), "ws://localhost:8001/ws/tts/stream", MagpieOptions)},
}
