"""The dashboards' files, taken apart for tests."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from boards.files import DASHBOARDS, FOLDER

VARIABLES = {
    "target": ".+",
    "scenario": ".+",
    "window": "30m",
    "__interval": "10m",
    "__range": "6h",
    "__rate_interval": "20m",
}
# A number is what `label_replace` puts in.
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")


@dataclass(frozen=True)
class Query:
    """One query of one panel, as it is sent to Prometheus."""

    dashboard: str
    panel: str
    expr: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}: {self.expr}"


def documents() -> dict[str, dict[str, Any]]:
    """What Grafana reads, by the name of the file."""
    return {name: json.loads((FOLDER / f"{name}.json").read_text("utf-8")) for name in DASHBOARDS}


def panels(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def queries() -> Iterator[Query]:
    """Every query of every panel and annotation, with the variables filled in for all there is."""
    for name, document in documents().items():
        for panel in panels(document):
            for target in panel["targets"]:
                yield Query(name, panel["title"], filled_in(target["expr"]), target.get("instant", False))
        for annotation in document["annotations"].get("list", []):
            yield Query(name, annotation["name"], filled_in(annotation["expr"]), instant=False)


def filled_in(expr: str) -> str:
    return _VARIABLE.sub(lambda match: VARIABLES[match[1]], expr)
