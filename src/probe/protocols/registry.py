"""The list of all wire protocols: a new one is one line here."""

from collections.abc import Mapping
from typing import Literal

from probe.protocols import llama_chunked, magpie, ollama, openai_chat, openai_speech, riva, wyoming
from probe.protocols.base import LlmConversation, ServerProtocol, Terms, TtsConversation
from probe.protocols.choice import Protocols
from probe.protocols.http_answers import refused_handshake
from probe.record import Role, Target

LLM: dict[str, ServerProtocol[LlmConversation]] = {
    each.name: each for each in (llama_chunked.PROTOCOL, openai_chat.PROTOCOL, ollama.PROTOCOL)
}
TTS: dict[str, ServerProtocol[TtsConversation]] = {
    each.name: each
    for each in (magpie.PROTOCOL, openai_speech.PROTOCOL, wyoming.PROTOCOL, riva.PROTOCOL, riva.OVER_HTTP)
}

PROTOCOLS: Mapping[Role, Mapping[str, ServerProtocol[LlmConversation] | ServerProtocol[TtsConversation]]] = {
    "llm": LLM,
    "tts": TTS,
}


def chosen(target: Target) -> Protocols:
    """The protocols of a target's servers."""
    llm, tts = LLM[target.servers["llm"].protocol], TTS[target.servers["tts"].protocol]
    return Protocols(llm, tts, refused_handshake)


def answering(target: Target) -> Literal["pausing", "free_running"]:
    """How a target's LLM server answers. One whose protocol nobody knows any more does so freely."""
    server = target.servers["llm"]
    known = LLM.get(server.protocol)
    pausing = known is not None and known.converse(Terms(server, "", target.limits.llm_s)).pausing
    return "pausing" if pausing else "free_running"
