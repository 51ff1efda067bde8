"""What panels say of themselves: the sections of docs/dashboards/, so that a page and its dashboard can't disagree."""

import re
from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs" / "dashboards"
_PANEL = re.compile(r"^### (?P<title>.+)\n\n(?P<text>(?:(?!^#).*\n)+)", re.MULTILINE)
# A line break within a paragraph; a list's lines stay lines.
_WRAPPED = re.compile(r"(?<=\S)\n(?!\n|- )\s*")


def descriptions(page: str) -> dict[str, str]:
    """The text of each panel's section on a page, by the panel's title."""
    text = (PAGES / f"{page}.md").read_text("utf-8")
    return {each["title"]: _WRAPPED.sub(" ", each["text"].strip()) for each in _PANEL.finditer(text)}


def heading(title: str) -> str:
    """A panel's section: its title, without the target that it is repeated for."""
    return title.removesuffix(": $target")
