"""What the daemon's port answers at /, for a person who opens it in a browser."""

import html
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version

from probe.daemon.http_server import Answer

# The usual address of `probe web`, a separate process, which by default answers on its own machine only.
_PAGES = "http://localhost:9851/"
_LINKS = (
    ("/metrics", "what Prometheus reads"),
    ("/healthz", "whether the daemon is alive"),
    ("/readyz", "whether a run has finished"),
    ("/runbook", "what each alert means, and what to do"),
)
_STYLE = "body{max-width:44em;margin:2em auto;padding:0 1em;font:16px/1.5 sans-serif;color-scheme:light dark}"


def front_page(_accept: str) -> Answer:
    """A few links, and nothing that was measured."""
    links = "".join(f'<li><a href="{path}">{path}</a>: {text}' for path, text in _LINKS)
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>voice-probe</title>"
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style><body>"
        f"<h1>voice-probe {html.escape(_version())}</h1>"
        "<p>The daemon runs here: it measures how long a person waits before a local voice agent speaks.</p>"
        f"<ul>{links}</ul>"
        f'<p>Pages over its runs are those of <code>probe web</code>: <a href="{_PAGES}">{_PAGES}</a>, where that runs'
        " on this machine.</p>\n"
    )
    return Answer(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8")


def _version() -> str:
    try:
        return version("voice-probe")
    except PackageNotFoundError:
        return ""
