"""The page Compare."""

from collections.abc import Mapping
from typing import Any

from probe.web.page import Asked, Page


def _context(asked: Asked) -> Mapping[str, Any]:
    return {"series": asked.reader.series()}


COMPARE = Page("/compare", "Compare", "compare.html", _context)
