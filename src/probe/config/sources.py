"""Reads the sources of a configuration: the file, the environment, files of secrets."""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from probe.config.errors import ConfigError, Key, Problem, dotted
from probe.config.files import read_small
from probe.config.lines import line_of
from probe.config.written import Variable, merged

ENV_PREFIX = "PROBE_"
ENV_DELIMITER = "__"
# systemd's LoadCredential= puts files there; any other directory of secrets may be named by it as well.
SECRETS_DIRECTORY = "CREDENTIALS_DIRECTORY"


Found = list[tuple[str, Problem]]
Document = dict[str, Any]


class Written(Struct, frozen=True):
    """All that is written, as one document, and what an error calls each variable (in capitals) of it."""

    document: Document
    file: str
    variables: Mapping[str, str]
    text: str

    def where(self, key: Key) -> str:
        """Name the variable that holds the value, or the file, the line and the key in it."""
        variable = ENV_PREFIX + ENV_DELIMITER.join(str(part) for part in key).upper()
        if variable in self.variables:
            return self.variables[variable]
        line = line_of(self.text, key)
        return f"{self.file}: {dotted(key)}" if line is None else f"{self.file}:{line}: {dotted(key)}"


def read_all(
    path: Path | None, sections: Collection[str], as_today: Callable[[Document], Document], found: Found
) -> Written:
    """Read the file, if any, and what overrides it: the environment, then secret files, then the file.

    `as_today` puts what is written in one of them at the keys where it belongs today. Raises ConfigError for a file
    that can't be read; what else is wrong is added to `found`.
    """
    written, text = ({}, "") if path is None else _file(path)
    document = as_today(written)
    secrets = _secrets(found)
    environment = {name: text for name, text in os.environ.items() if name.upper().startswith(ENV_PREFIX)}
    found += ((name, Problem((name,), "unknown variable")) for name in environment if _is_unknown(name, sections))
    for variables in ({file.name: text for file, text in secrets.items()}, environment):
        document = merged(document, as_today(_nested(variables, sections)))
    names = {file.name.upper(): str(file) for file in secrets} | {name.upper(): name.upper() for name in environment}
    return Written(document, str(path or "environment"), names, text)


def _file(path: Path) -> tuple[Document, str]:
    """What the file holds, and its text. Raises ConfigError."""
    import tomllib  # noqa: PLC0415 - 3 ms that a run without a file does not have to spend

    try:
        # Some editors begin a file with a byte order mark.
        text = read_small(path).decode("utf-8-sig").replace("\r\n", "\n")
        return tomllib.loads(text), text
    except FileNotFoundError as error:
        why = "there is no such file; `probe init` writes one for the servers that it finds"
        raise ConfigError([(str(path), Problem((), why))]) from error
    except OSError as error:
        raise ConfigError([(str(path), Problem((), f"can't be read: {error.strerror}"))]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError([(str(path), Problem((), f"not TOML: {error}"))]) from error


def _secrets(found: Found) -> dict[Path, str]:
    """Files named as the environment variable that they stand for; any other file there is somebody else's."""
    directory = os.environ.get(SECRETS_DIRECTORY)
    if not directory or not Path(directory).exists():
        return {}
    try:
        own = [file for file in Path(directory).iterdir() if file.name.upper().startswith(ENV_PREFIX)]
        return {file: read_small(file).decode("utf-8", "replace").strip() for file in own}
    except OSError as error:
        found.append((SECRETS_DIRECTORY, Problem((), str(error))))
        return {}


def _is_unknown(name: str, sections: Collection[str]) -> bool:
    """Whether it looks like a key of ours and names no section, so that nobody would look at it."""
    return ENV_DELIMITER in name and name[len(ENV_PREFIX) :].partition(ENV_DELIMITER)[0].lower() not in sections


def _nested(variables: Mapping[str, str], sections: Collection[str]) -> Document:
    """One table of variables: `PROBE_A__B` is the key b of a. Names have no case."""
    found: Document = {}
    for name, text in sorted(variables.items()):
        section, *below = name[len(ENV_PREFIX) :].lower().split(ENV_DELIMITER)
        if section in sections:
            value: Any = Variable(text)
            for part in reversed(below):
                value = {part: value}
            found = merged(found, {section: value})
    return found
