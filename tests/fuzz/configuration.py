"""Coverage-guided: any bytes, read as a configuration file, are a configuration or errors of one line each.

make fuzz
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["probe", "tomllib"]):
    from probe import config

FILE = Path(tempfile.mkdtemp()) / "probe.toml"


def one_file(data: bytes) -> None:
    FILE.write_bytes(data)
    try:
        config.load(FILE)
    except config.ConfigError as error:
        if not all(line.isprintable() for line in str(error).split("\n")):
            raise AssertionError(f"not printable: {error!r}") from error


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_file)
    atheris.Fuzz()
