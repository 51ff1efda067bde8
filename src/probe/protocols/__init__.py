"""Wire protocols of the servers: bytes in, events out. No sockets, no waiting."""

from collections.abc import Callable, Mapping

from probe.protocols.base import LlmCodec, TtsCodec
from probe.protocols.llama_chunked.codec import ChunkedLlm
from probe.protocols.magpie.codec import MagpieTts

LLM: Mapping[str, Callable[[], LlmCodec]] = {"chunked": ChunkedLlm}
TTS: Mapping[str, Callable[[], TtsCodec]] = {"magpie": MagpieTts}
