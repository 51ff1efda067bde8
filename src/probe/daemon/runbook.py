"""The runbook as a page, at whose headings the alerts' links lead: docs/runbook.md, installed with the daemon."""

import html
from http import HTTPStatus
from pathlib import Path

from probe.daemon.http_server import Answer, plain

FILE = Path(__file__).with_name("runbook.md")
_HEADINGS = ("# ", "## ")
_STYLE = "body{max-width:60em;margin:2em auto;padding:0 1em;font:16px sans-serif}pre{white-space:pre-wrap}"
_HEAD = f"<!doctype html><html lang=en><meta charset=utf-8><title>Runbook</title><style>{_STYLE}</style><body>"


def runbook(_accept: str) -> Answer:
    """The page; 404 where the file was not installed."""
    try:
        text = FILE.read_text("utf-8")
    except OSError:
        return plain(
            HTTPStatus.NOT_FOUND, "the runbook is docs/runbook.md of the repository; it was not installed here"
        )
    return Answer(HTTPStatus.OK, as_page(text).encode(), "text/html; charset=utf-8")


def as_page(markdown: str) -> str:
    """The text as it is written, with an anchor for each heading."""
    parts = [_HEAD, "<pre>"]
    for line in markdown.splitlines():
        if line.startswith(_HEADINGS):
            title = line.lstrip("# ")
            parts.append(f'</pre><h2 id="{html.escape(_slug(title))}">{html.escape(title)}</h2><pre>')
        else:
            parts.append(html.escape(line))
    return "\n".join([*parts, "</pre>", ""])


def _slug(title: str) -> str:
    """As the sites that show repositories make it of a heading."""
    return "".join(each for each in title.lower().replace(" ", "-") if each.isalnum() or each in "-_")
