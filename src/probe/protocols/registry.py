"""The list of all wire protocols: a new one is one line here."""

from collections.abc import Mapping
from typing import Any, Literal

from probe.plan import Role, Target
from probe.protocols import (
    llama_chunked,
    magpie,
    nim_realtime,
    ollama,
    openai_chat,
    openai_realtime,
    openai_speech,
    openai_transcriptions,
    riva,
    vllm_speech,
    wyoming,
)
from probe.protocols.agent import AgentConversation
from probe.protocols.base import LlmConversation, Terms, TtsConversation
from probe.protocols.choice import Protocols
from probe.protocols.declaration import ServerProtocol
from probe.protocols.hearing import SttConversation
from probe.protocols.http_answers import refused_handshake

STT: dict[str, ServerProtocol[SttConversation]] = {
    each.name: each for each in (wyoming.HEARING, openai_transcriptions.PROTOCOL, riva.HEARING)
}
LLM: dict[str, ServerProtocol[LlmConversation]] = {
    each.name: each for each in (llama_chunked.PROTOCOL, openai_chat.PROTOCOL, ollama.PROTOCOL)
}
TTS: dict[str, ServerProtocol[TtsConversation]] = {
    each.name: each
    for each in (
        magpie.PROTOCOL,
        openai_speech.PROTOCOL,
        wyoming.PROTOCOL,
        riva.PROTOCOL,
        riva.OVER_HTTP,
        vllm_speech.PROTOCOL,
        nim_realtime.PROTOCOL,
    )
}
AGENT: dict[str, ServerProtocol[AgentConversation]] = {each.name: each for each in (openai_realtime.PROTOCOL,)}

PROTOCOLS: Mapping[Role, Mapping[str, ServerProtocol[Any]]] = {"llm": LLM, "tts": TTS, "agent": AGENT, "stt": STT}


def chosen(target: Target) -> Protocols:
    """The protocols of a target's servers."""
    return Protocols(
        {role: PROTOCOLS[role][server.protocol] for role, server in target.servers.items()}, refused_handshake
    )


def hearing(target: Target) -> Literal["server", "probe"] | None:
    """Who finds the end of the speech that a target is asked with; None where it does not hear."""
    listener = hears_with(target)
    if listener is None:
        return "probe" if "stt" in target.servers else None
    return "server" if listener.finds_end else "probe"


def says_end(target: Target) -> bool:
    """Whether a target says when it found the end of the speech."""
    listener = hears_with(target)
    return listener is not None and listener.says_end


def answers_by_itself(target: Target) -> bool:
    """Whether a target needs no request to answer what it has heard."""
    return "agent" in target.servers and hearing(target) == "server"


def hears_with(target: Target) -> SttConversation | None:
    """The conversation that a target's speech is played in; None where it does not hear, or its protocol is gone."""
    role: Role
    for role, known in (("stt", STT), ("agent", AGENT)):
        server = target.servers.get(role)
        protocol: ServerProtocol[Any] | None = None if server is None else known.get(server.protocol)
        if server is not None and protocol is not None:
            found = protocol.converse(Terms(server, "", target.limits.stt_s))
            return found if role == "stt" or found.hears else None
    return None


def answering(target: Target) -> Literal["pausing", "free_running", "streamed", "agent"]:
    """How a target's LLM server answers, that its TTS server takes the answer as it comes, or that one server does all.

    An LLM server whose protocol nobody knows any more answers freely.
    """
    server, voice = target.servers.get("llm"), target.servers.get("tts")
    if server is None or voice is None:
        return "agent"
    spoken = TTS.get(voice.protocol)
    if spoken is not None and spoken.takes_pieces(voice):
        return "streamed"
    known = LLM.get(server.protocol)
    pausing = known is not None and known.converse(Terms(server, "", target.limits.llm_s)).pausing
    return "pausing" if pausing else "free_running"
