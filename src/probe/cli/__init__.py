"""The `probe` command. Each subcommand is a module of this package."""

import io
import os
import sys
from typing import Any, NoReturn

import click

from probe.cli.lazy import LazyGroup
from probe.cli.output import say
from probe.cli.typed import as_typed, probe

COMMANDS = {
    "init": ("probe.cli.init:init", "Find the servers that run here, and write a configuration for them."),
    "run": ("probe.cli.run:run", "Measure once: live timeline, summary, chunk table."),
    "daemon": ("probe.cli.daemon:daemon", "Measure on a schedule: the service."),
    "calibrate": ("probe.cli.calibrate:calibrate", "The error bars of this machine, in half a minute."),
    "check-config": ("probe.cli.check_config:check_config", "Report every error in a configuration."),
    "history": ("probe.cli.history:history", "List the runs that the daemon has recorded."),
    "top": ("probe.cli.top:top", "How things stand now, live."),
    "show": ("probe.cli.show:show", "Report a recorded run again."),
    "report": ("probe.cli.report:report", "A run, or the last days, as one HTML file."),
    "compare": ("probe.cli.compare:compare", "Is B slower than A? Two targets, runs or periods."),
    "drift": ("probe.cli.drift:drift", "Has it become slower, which stage, and since when?"),
    "web": ("probe.cli.web:web", "Pages over the recorded runs, for a browser."),
    "backfill": ("probe.cli.backfill:backfill", "Recorded runs as OpenMetrics, for promtool's block builder."),
    "export": (
        "probe.cli.export:export",
        "Write Prometheus rules, dashboards, an example configuration or the manual page.",
    ),
    "completion": ("probe.cli.completion:completion", "Print what makes a shell complete commands and options."),
    "demo": ("probe.cli.demo:demo", "Start the reference servers and let the daemon measure each pair three times."),
    "serve": (
        "probe.cli.serve:serve",
        "Run a reference server (LLM, TTS, STT or agent), in one protocol.",
    ),
}


class OneLineErrors(LazyGroup):
    """Whatever is wrong with the command line is one clear line on stderr, and exit code 2."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        for stream in (sys.stdout, sys.stderr):
            # A terminal that does not know a character shows a question mark for it, instead of a traceback.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        try:
            super().main(*args, **kwargs | {"prog_name": "probe", "standalone_mode": False, "obj": probe()})
        except click.exceptions.NoArgsIsHelpError as error:
            say(error.format_message())
            sys.exit(2)
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx is not None else "probe"
            # Click gives each choice a line of its own.
            message = " ".join(error.format_message().split())
            stop = "" if message.endswith((".", "?")) else "."
            say(f"{command}: {message}{stop} {as_typed(f'Try `{command} --help`.')}", err=True)
            sys.exit(2)
        except click.ClickException as error:
            for line in error.format_message().splitlines():
                say(f"probe: {as_typed(line)}", err=True)
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(130)
        except (BrokenPipeError, ConnectionResetError):
            # Nobody reads our output any more. Python would complain again when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except OSError as error:
            # Such as a full disk behind stdout.
            say(f"probe: {error.strerror or error}", err=True)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        sys.exit(0)


def _version(context: click.Context, _option: click.Parameter, given: bool) -> None:
    if given and not context.resilient_parsing:
        from probe.release import described  # noqa: PLC0415 - nothing else needs it

        say(f"probe, version {described()}")
        context.exit()


@click.group(
    cls=OneLineErrors,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
def main() -> None:
    """How long does a person wait before a local voice agent speaks?

    Asks an LLM server for a response, has a TTS server speak it, and measures every stage.
    """
