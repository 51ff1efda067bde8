"""Streams that a killed run left on the chunked LLM server: each keeps its slot until it is ended."""

from collections.abc import Callable, Sequence
from functools import partial

from probe.plan import ServerPlan
from probe.protocols.base import Refused
from probe.protocols.inquiries import Exchange
from probe.protocols.llama_chunked.codec import LlamaChunked, StreamEnded, stream_id
from probe.transport.framing.base import Incoming, Text


def unfinished(server: ServerPlan, run_id: str, turns: int) -> Sequence[Exchange[bool]]:
    """End the stream of each turn: which of them the run had come to is unknown. The last one is the likeliest."""
    names = (stream_id(run_id, turn_num) for turn_num in range(turns, 0, -1))
    return [_ended(server, name) for name in names]


def _ended(server: ServerPlan, name: str) -> Exchange[bool]:
    request = Text(LlamaChunked().end(name).encode())
    return Exchange(server.url, "websocket", request, lambda: _hearer(name), server.headers)


def _hearer(name: str) -> Callable[[Incoming], bool | None]:
    return partial(_heard, name)


def _heard(name: str, frame: Incoming) -> bool | None:
    if not isinstance(frame, Text):
        return None
    reply = LlamaChunked().decode(frame.data, binary=False, stream_id=name)
    # The refusal of an end_stream says that there is no such stream.
    return True if isinstance(reply, StreamEnded) else False if isinstance(reply, Refused) else None
