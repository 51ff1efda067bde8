"""A real browser for the pages: Debian's Chromium, and what it asked for and complained of."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from debian import needed, unpacked
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

_ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
_DEADLINE_MS = 20_000


@contextmanager
def chromium(config: pytest.Config) -> Iterator[Browser]:
    """One browser. Skips where none is available."""
    program, libraries = _program(config)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=str(program), args=[*_ARGUMENTS], env={**os.environ, "LD_LIBRARY_PATH": libraries}
        )
        yield browser
        browser.close()


def _program(config: pytest.Config) -> tuple[Path, str]:
    """The machine's own, or one that is unpacked with all that it needs, and where its libraries are."""
    if (installed := shutil.which("chromium")) is not None:
        return Path(installed), os.environ.get("LD_LIBRARY_PATH", "")
    if config.cache is None:
        pytest.skip("no chromium, and no cache to fetch it into")
    root = config.cache.mkdir("chromium")
    unpacked(root, *needed("chromium"))
    libraries = {str(path.parent) for path in root.rglob("*.so*")}
    # Its own script names the program by a path of an installed one.
    return root / "usr" / "lib" / "chromium" / "chromium", os.pathsep.join(sorted(libraries))


class Visit:
    """A person's browser window: every request and every complaint of the console is noted."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.address = address.rstrip("/")
        self.context = context
        self.page: Page = context.new_page()
        self.requested: list[str] = []
        self.complaints: list[str] = []
        context.set_default_timeout(_DEADLINE_MS)
        context.on("request", lambda request: self.requested.append(request.url))
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, path: str) -> Page:
        response = self.page.goto(self.address + path)
        assert response is not None and response.status == 200, path
        return self.page

    @property
    def elsewhere(self) -> list[str]:
        """Requests that went to another server."""
        ours = urlsplit(self.address).netloc
        return [
            url for url in self.requested if urlsplit(url).netloc != ours and not url.startswith(("data:", "blob:"))
        ]


@contextmanager
def visit(browser: Browser, address: str, *, width: int = 1280, theme: str = "light") -> Iterator[Visit]:
    """A new window without cookies. At its end nothing may have gone elsewhere, and the console has no complaint."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)  # type: ignore[arg-type]  # light or dark
    found = Visit(context, address)
    yield found
    requested, complaints = found.elsewhere, found.complaints
    context.close()
    assert (requested, complaints) == ([], [])
