"""How pages are made: Jinja2 with escaping always on, and what foreign text may hold decided in one place."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from probe.report.html.figures import FILTERS
from probe.text import on_page

FOLDER = Path(__file__).parent
TEMPLATES = FOLDER / "templates"
STYLE = FOLDER / "style.css"


def environment(*folders: Path) -> Environment:
    """Templates of these folders, and ours. A name that a template does not get is an error, not an empty text."""
    made = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(FILTERS)
    return made


@cache
def ours() -> Environment:
    """The environment of this folder's own pages."""
    return environment()


def rendered(template: str, values: Mapping[str, Any]) -> Markup:
    """One of our templates, as a part that others may hold."""
    # What a template wrote is escaped already.
    return Markup(ours().get_template(template).render(values))  # noqa: S704


@cache
def style() -> Markup:
    """The stylesheet of all pages."""
    return Markup(STYLE.read_text("utf-8"))  # noqa: S704 - our own file


def style_hash() -> str:
    """What a Content-Security-Policy allows this stylesheet by, where it is inside of a page."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()


def standalone(title: str, body: Markup, made: str) -> str:
    """A page in one file: nothing in it is loaded from anywhere, and nothing in it runs. `made` is when it was made."""
    values = {"title": title, "body": body, "made": made, "style": style(), "style_hash": style_hash()}
    return ours().get_template("standalone.html").render(values)


def _harmless(value: Any) -> Any:
    """Every value that a template shows: text in it neither hides, reorders nor breaks what stands around it."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return on_page(value)
