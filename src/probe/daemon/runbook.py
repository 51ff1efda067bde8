"""The runbook as a page, at whose headings the alerts' links lead, and the pages that it refers to.

They are files of docs/, installed with the daemon. Of their markdown, headings are anchors and links are links; what
leads to a page that the daemon does not serve is followed by its name instead.
"""

import html
import re
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from pathlib import Path

from probe.daemon.http_server import Answer, Page, plain

FOLDER = Path(__file__).parent
# Each is served at its name.
SERVED = ("runbook", "failures", "drift")
_HEADINGS = ("# ", "## ")
_LINK = re.compile(r"\[([^\[\]]+)\]\(([^()\s]+)\)")
_STYLE = "body{max-width:60em;margin:2em auto;padding:0 1em;font:16px sans-serif}pre{white-space:pre-wrap}"


def pages() -> dict[str, Page]:
    """Each page by its path."""
    return {f"/{name}": partial(_served, name) for name in SERVED}


def _served(name: str, _accept: str) -> Answer:
    """The page; 404 where the file was not installed."""
    try:
        text = (FOLDER / f"{name}.md").read_text("utf-8")
    except OSError:
        where = f"this page is docs/{name}.md of the repository; it was not installed here"
        return plain(HTTPStatus.NOT_FOUND, where)
    return Answer(HTTPStatus.OK, as_page(text).encode(), "text/html; charset=utf-8")


def as_page(markdown: str) -> str:
    """The text as it is written, with an anchor for each heading, and links."""
    title = next((line.lstrip("# ") for line in markdown.splitlines() if line.startswith(_HEADINGS)), "")
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
    return "\n".join([f"{head}<style>{_STYLE}</style><body>", *_sections(markdown), ""])


def _sections(markdown: str) -> Iterator[str]:
    """Headings, and what stands between them. A link may go over two lines."""
    text: list[str] = []
    for line in markdown.splitlines():
        if line.startswith(_HEADINGS):
            yield f"<pre>\n{_linked(text)}\n</pre>"
            title = line.lstrip("# ")
            yield f'<h2 id="{html.escape(_slug(title))}">{html.escape(title)}</h2>'
            text = []
        else:
            text.append(line)
    yield f"<pre>\n{_linked(text)}\n</pre>"


def _linked(lines: list[str]) -> str:
    text, parts, after = "\n".join(lines), [], 0
    for found in _LINK.finditer(text):
        parts += [html.escape(text[after : found.start()]), _link(*found.groups())]
        after = found.end()
    return "".join([*parts, html.escape(text[after:])])


def _link(title: str, target: str) -> str:
    page, _, heading = target.partition("#")
    name = page.removesuffix(".md")
    if page.startswith(("http://", "https://")):
        leads = target
    elif page and name not in SERVED:
        named = "" if page.rpartition("/")[2] == title else f" ({page})"
        return html.escape(f"{title}{named}")
    else:
        leads = f"{name}#{heading}" if heading else name
    return f'<a href="{html.escape(leads)}">{html.escape(title)}</a>'


def _slug(title: str) -> str:
    """As the sites that show repositories make it of a heading."""
    return "".join(each for each in title.lower().replace(" ", "-") if each.isalnum() or each in "-_")
