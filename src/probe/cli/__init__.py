"""The `probe` command. Each subcommand is a module of this package, imported when it is called."""

from importlib import import_module

import click

# command -> (module:attribute, one line of help). Kept here so that `probe --help` imports no subcommand.
COMMANDS = {
    "run": ("probe.cli.run:run", "Measure once: live timeline, summary, chunk table."),
    "demo": ("probe.cli.demo:demo", "Start both reference servers and measure them three times."),
    "serve": ("probe.cli.serve:serve", "Run a reference server: the chunked LLM or the TTS."),
}


class LazyGroup(click.Group):
    """A group that imports a subcommand only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="voice-probe", prog_name="probe")
def main() -> None:
    """How long does a person wait before a local voice agent speaks?

    Asks a chunked LLM server for a response, has a TTS server speak it, and measures every stage on the way.
    """
