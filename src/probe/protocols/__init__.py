"""Wire protocols of the servers: bytes in, events out. No sockets, no waiting."""

from collections.abc import Callable, Mapping

from probe.protocols.base import LlmCodec, TtsCodec
from probe.protocols.chunked import ChunkedLlm
from probe.protocols.magpie import MagpieTts

LLM: Mapping[str, Callable[[], LlmCodec]] = {"chunked": ChunkedLlm}
TTS: Mapping[str, Callable[[], TtsCodec]] = {"magpie": MagpieTts}
