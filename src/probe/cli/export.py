"""`probe export`: this version's files for Prometheus and Grafana, its example of a configuration, its manual page."""

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import click

from probe.cli.output import say
from probe.cli.usage import UsageProblem

# What there is -> where it is in a checkout. An installed package has it in `share/voice-probe`.
KINDS = {
    "rules": "deploy/prometheus/voice_probe_*.yml",
    "dashboards": "grafana/dashboards/*.json",
    "example": "deploy/probe.example.toml",
    "man": "docs/man/*.1",
}
_SHARED = "share/voice-probe"


@click.command(short_help="Write Prometheus rules, dashboards, an example configuration or the manual page.")
@click.argument("kind", type=click.Choice([*KINDS]))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--force", is_flag=True, help="Replace existing files that differ.")
def export(kind: str, folder: Path, *, force: bool) -> None:
    """Write files of this version into FOLDER.

    They are the Prometheus rules, the Grafana dashboards, a configuration that shows every setting with its default, or
    the manual page, which `man -l FOLDER/probe.1` shows. A file that is there already and differs is left alone, and
    nothing is written, unless --force is given.
    """
    found = sorted(files(kind))
    if not found:
        raise click.ClickException(f"this installation has no {kind}: install the wheel, or look into a checkout")
    changed = [each for each in found if _differs(each, folder / each.name)]
    if changed and not force:
        names = ", ".join(str(folder / each.name) for each in changed)
        raise UsageProblem(f"{names}: exists and differs; --force replaces it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in found:
            shutil.copyfile(each, folder / each.name)
            say(str(folder / each.name))
    except OSError as error:
        raise UsageProblem(f"{folder} can't be written: {error.strerror}") from error


def files(kind: str) -> list[Path]:
    """Those of a kind: of the installed package, else of the checkout that this is run from."""
    return list(_installed(kind)) or list(Path(__file__).parents[3].glob(KINDS[kind]))


def _installed(kind: str) -> Iterator[Path]:
    try:
        recorded = distribution("voice-probe").files or ()
    except PackageNotFoundError:
        return
    for each in recorded:
        if f"{_SHARED}/{kind}/" in each.as_posix():
            yield Path(str(each.locate()))


def _differs(source: Path, there: Path) -> bool:
    try:
        return there.read_bytes() != source.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageProblem(f"{there} can't be read: {error.strerror}") from error
