"""`probe serve`: the reference servers, each a process of its own."""

import click

from probe.cli.lazy import LazyGroup

SERVERS = {
    "llm": ("probe.reference.llm_command:llm", "The chunked LLM server, on llama.cpp."),
    "tts": ("probe.reference.tts_command:tts", "The TTS server, in its newer or older version."),
    "realtime": ("probe.reference.realtime.command:realtime", "An agent behind OpenAI Realtime, asked in text."),
    "openai": ("probe.reference.openai.command:openai", "Chat and speech as OpenAI's API has them, on one port."),
    "riva": ("probe.reference.riva.command:riva", "Speech both ways as NVIDIA's Riva has it, over gRPC; and HTTP."),
    "wyoming": ("probe.reference.wyoming.command:wyoming", "Speech both ways, in Home Assistant's protocol."),
}


@click.group(cls=LazyGroup, lazy=SERVERS)
def serve() -> None:
    """Run a reference server: real llama.cpp, real speech, the wire protocols of deployed servers."""
