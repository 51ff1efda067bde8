"""Golden files: what others rely on, kept as text.

To change one on purpose: `UPDATE_GOLDEN=1 make test-unit`, then look at the diff.
"""

import os
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden"


def check(name: str, text: str) -> None:
    """Compare a text with a golden file."""
    check_file(GOLDEN / name, text)


def check_file(path: Path, text: str) -> None:
    """Compare a text with a file that is kept elsewhere."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8"), f"{path.name} differs; if that is meant: UPDATE_GOLDEN=1"
