"""The `probe` command. Each subcommand is a module of this package."""

import click

from probe.cli.lazy import LazyGroup

COMMANDS = {
    "run": ("probe.cli.run:run", "Measure once: live timeline, summary, chunk table."),
    "demo": ("probe.cli.demo:demo", "Start both reference servers and measure them three times."),
    "serve": ("probe.cli.serve:serve", "Run a reference server: the chunked LLM or the TTS."),
}


@click.group(
    cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="voice-probe", prog_name="probe")
def main() -> None:
    """How long does a person wait before a local voice agent speaks?

    Asks a chunked LLM server for a response, has a TTS server speak it, and measures every stage on the way.
    """
