"""The pictures of docs/web.md: `make page-pictures` writes them, of a week that was made up (`a_day.py`)."""

import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import a_day
from playwright.sync_api import Browser, sync_playwright
from served_pages import served

from probe.history.reader import reading

IMAGES = Path(__file__).parents[2] / "docs" / "images"
_ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


def write() -> None:
    """Write them. It needs Chromium."""
    with TemporaryDirectory() as folder, sync_playwright() as driver:
        state_dir = Path(folder)
        a_day.write(state_dir, time.time_ns())
        with reading(state_dir) as reader:
            last = reader.recent("hall", "default", 1)[0].plan.run_id
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=_ARGUMENTS)
        with served(state_dir) as web:
            _picture(browser, web.address, web.base, "pages-now", 860)
            _picture(browser, web.address, f"{web.base}/runs/{last}", "pages-run", 900)
        browser.close()


def _picture(browser: Browser, address: str, page: str, name: str, height: int) -> None:
    context = browser.new_context(viewport={"width": 1100, "height": height}, color_scheme="light")
    window = context.new_page()
    window.goto(address)
    window.goto(page)
    window.wait_for_timeout(500)
    window.screenshot(path=IMAGES / f"{name}.png")
    context.close()


if __name__ == "__main__":
    write()
