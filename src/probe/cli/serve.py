"""`probe serve`: the reference servers, each a process of its own."""

from importlib import import_module

import click

SERVERS = {
    "llm": ("probe.reference.llm_command:llm", "The chunked LLM server, on llama.cpp."),
    "tts": ("probe.reference.tts_command:tts", "The TTS server, newer or older generation."),
}


class Servers(click.Group):
    """Imports a server's engine only when that server is started."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(SERVERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in SERVERS:
            return None
        module, attribute = SERVERS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Servers"):
            formatter.write_dl([(name, text) for name, (_, text) in SERVERS.items()])


@click.group(cls=Servers)
def serve() -> None:
    """Run a reference server: real llama.cpp, real speech, the wire protocols of the servers in the field."""
