"""What a page is: a path, a template, and a function that reads the history for it. What a file is, for a download."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from probe.history.reader import HistoryReader
from probe.web.settings import Settings


class BadQueryError(Exception):
    """The page's address asks for something that does not exist; the message says what, in one line."""


class MissingError(Exception):
    """What is asked for is not there (any more); the message says what, in one line."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a page sees it. `now` is nanoseconds since the epoch; of a parameter given twice the last counts."""

    reader: HistoryReader
    query: Mapping[str, str]
    path: Mapping[str, str]
    settings: Settings
    now: int


@dataclass(frozen=True, slots=True)
class Page:
    """`context` makes the template's values, in a thread of its own.

    It may raise HistoryError, BadQueryError and MissingError. `name` is its place in the navigation; a page whose
    `path` has a parameter is not in it.
    """

    path: str
    name: str
    template: str
    context: Callable[[Asked], Mapping[str, Any]]

    @property
    def in_navigation(self) -> bool:
        return "{" not in self.path


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds. With a `filename` a browser saves it, in place of showing it."""

    body: bytes
    media_type: str
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """As a page, of bytes."""

    path: str
    content: Callable[[Asked], Content]
