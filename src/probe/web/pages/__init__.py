"""The pages: one module each, and here the table of them, in the order of the navigation."""

from probe.web.page import File, Page
from probe.web.pages.compare import COMPARE
from probe.web.pages.drift import DRIFT, DRIFT_FILES
from probe.web.pages.now import NOW
from probe.web.pages.run import RUN, RUN_FILES
from probe.web.pages.runs import RUNS, RUNS_FILES

PAGES: tuple[Page, ...] = (NOW, RUNS, RUN, DRIFT, COMPARE)
FILES: tuple[File, ...] = (*RUNS_FILES, *RUN_FILES, *DRIFT_FILES)
