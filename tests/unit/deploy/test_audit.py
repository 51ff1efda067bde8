"""What `make audit` says of what pip-audit found, or could not find out."""

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parents[3] / "requirements" / "audit.py"
GOOD = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI"}


def judged(output: str, complaints: str = "") -> tuple[int, list[str]]:
    spec = importlib.util.spec_from_file_location("audit", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: tuple[int, list[str]] = module.judged("locked.txt", output, complaints)
    return found


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([GOOD], 0, "nothing is known of 1 packages"),
        ([GOOD, BAD], 1, "b 2: PYSEC-1, mended in 2.1"),
        ([SKIPPED, BAD], 1, "b 2: PYSEC-1, mended in 2.1"),
        ([GOOD, SKIPPED], 3, "the database does not know 1 of 2 packages"),
        ([], 3, "the database does not know 0 of 0 packages"),
    ],
)
def test_only_what_every_package_was_looked_up_for_is_good(
    packages: Sequence[dict[str, Any]], code: int, said: str
) -> None:
    found, lines = judged(json.dumps({"dependencies": packages, "fixes": []}))
    assert found == code and said in lines[0]


@pytest.mark.parametrize("output", ["", "{}", "[]", "Traceback"])
def test_without_a_database_nothing_is_known_and_that_is_said(output: str) -> None:
    found, (line,) = judged(output, "Traceback:\n  ...\nConnectionError: no route to host\n\n")
    assert found == 3
    assert line == "locked.txt: no database of vulnerabilities could be reached: ConnectionError: no route to host"
