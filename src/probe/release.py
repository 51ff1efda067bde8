"""Which version this is: its number, and the commit that it was built from."""

import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

# `make dist` and deploy/install.sh write it; in a checkout git is asked.
_FILE = Path(__file__).parent / "commit.txt"
_ROOT = Path(__file__).parents[2]
_GIT_S = 5.0


def described() -> str:
    """The version with its commit: `0.1.0 (commit 671f670a2b1c)`; `-dirty` is a checkout with changes."""
    number, built_from = version("voice-probe"), commit()
    return f"{number} (commit {built_from})" if built_from else number


def commit() -> str | None:
    """The first 12 digits of the commit; None where nobody knows."""
    if _FILE.is_file():
        return _FILE.read_text("ascii").strip() or None
    git = shutil.which("git")
    # Not that of a repository in which an environment happens to be.
    if git is None or not (_ROOT / ".git").exists() or not (_ROOT / "src" / "probe").is_dir():
        return None
    command = [git, "-C", str(_ROOT), "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_S, check=True)  # noqa: S603 - ours
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
