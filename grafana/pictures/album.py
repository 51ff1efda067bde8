"""Which pictures there are, and how one is known to be older than its dashboard."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "docs" / "images"
# Beside the pictures: what each was drawn from.
ALBUM = FOLDER / "pictures.json"


@dataclass(frozen=True, slots=True)
class Picture:
    """A dashboard with the last `hours` of a case of made-up days."""

    board: str
    case: str
    hours: float
    theme: str = "dark"


PICTURES = {
    "voice-latency-good": Picture("voice-latency", "good", 6),
    "voice-latency-incident": Picture("voice-latency", "incident", 6),
    "voice-latency-outage": Picture("voice-latency", "outage", 2, "light"),
    "drift-small": Picture("drift", "drift", 9 * 24),
    "machine-drift": Picture("machine", "drift", 3 * 24),
    "probe-good": Picture("probe", "good", 24),
    "fleet": Picture("fleet", "fleet", 24),
}


def digest_of_board(document: Any) -> str:
    """Of all in a dashboard's JSON that a picture shows: descriptions are read in Grafana alone."""
    text = json.dumps(_without_descriptions(document), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _without_descriptions(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_descriptions(each) for key, each in value.items() if key != "description"}
    return [_without_descriptions(each) for each in value] if isinstance(value, list) else value
