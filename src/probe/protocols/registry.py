"""Every wire protocol that there is: a new one is one line here."""

from collections.abc import Mapping

from probe.protocols import llama_chunked, magpie, openai_speech
from probe.protocols.base import LlmConversation, ServerProtocol, TtsConversation
from probe.protocols.choice import Protocols
from probe.record import Role, Target

LLM: dict[str, ServerProtocol[LlmConversation]] = {each.name: each for each in (llama_chunked.PROTOCOL,)}
TTS: dict[str, ServerProtocol[TtsConversation]] = {
    each.name: each for each in (magpie.PROTOCOL, openai_speech.PROTOCOL)
}

PROTOCOLS: Mapping[Role, Mapping[str, ServerProtocol[LlmConversation] | ServerProtocol[TtsConversation]]] = {
    "llm": LLM,
    "tts": TTS,
}


def chosen(target: Target) -> Protocols:
    """The protocols of a target's servers."""
    return Protocols(LLM[target.servers["llm"].protocol], TTS[target.servers["tts"].protocol])
