"""The page Runs."""

from collections.abc import Mapping
from typing import Any

from probe.web.page import Asked, Page


def _context(asked: Asked) -> Mapping[str, Any]:
    return {"series": asked.reader.series()}


RUNS = Page("/runs", "Runs", "runs.html", _context)
