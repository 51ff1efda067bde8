"""The pages: one module each, and here the table of them, in the order of the navigation."""

from probe.web.page import Page
from probe.web.pages.compare import COMPARE
from probe.web.pages.drift import DRIFT
from probe.web.pages.now import NOW
from probe.web.pages.runs import RUNS

PAGES: tuple[Page, ...] = (NOW, RUNS, DRIFT, COMPARE)
