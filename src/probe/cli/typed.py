"""How the user calls this program, so that the commands in hints can be typed as they are."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

NAME = "probe"


def probe() -> str:
    """What was typed before the subcommand: `probe`, `.venv/bin/probe`, `python -m probe`."""
    return _called(sys.argv[0], sys.orig_argv)


def _called(program: str, original: Sequence[str]) -> str:
    """The same of `sys.argv[0]` and `sys.orig_argv`. The name alone where that starts us, or nobody typed anything."""
    if Path(program).parts[-2:] == (NAME, "__main__.py") and "-m" in original:
        return shlex.join([_short(original[0]), *original[1 : original.index("-m")], "-m", NAME])
    return shlex.quote(_short(program)) if Path(program).name == NAME else NAME


def _short(program: str) -> str:
    """The name alone of what is found by it, as a shell does: then it is called with its whole path."""
    name = os.path.basename(program)  # noqa: PTH119 - of a Path, `./probe` would lose the dot that a shell needs
    found = shutil.which(name)
    return name if found is not None and os.path.abspath(program) == os.path.abspath(found) else program  # noqa: PTH100


def as_typed(text: str) -> str:
    """A text of ours with the commands in it (`probe history`, in backticks) as this user types them."""
    return text.replace(f"`{NAME} ", f"`{probe()} ")
