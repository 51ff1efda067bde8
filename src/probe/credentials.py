"""Our credentials in another's words: what is sent along is left out where a server or a collector quotes it."""

import json
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import unquote, unquote_plus, urlsplit

from probe.urls import authorization

# A shorter part of a header is a word, such as "Bearer", and no secret.
SHORTEST = 8


def secrets_of(url: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """What must not be quoted of what is sent with each request: of its headers, and of its URL."""
    words = (word for value in _values(url, headers) for word in value.split() if len(word) >= SHORTEST)
    return tuple({form: None for word in words for form in _quoted(word)})


def _quoted(word: str) -> Iterator[str]:
    """A word as it is, and as it stands in what Python, JSON, and JSON of others print."""
    yield word
    yield word.replace("'", "\\'")
    yield json.dumps(word)[1:-1]
    yield word.replace("/", "\\/")


def _values(url: str, headers: Mapping[str, str]) -> Iterator[str]:
    """As they are sent, and as they are written in the URL."""
    yield from headers.values()
    yield authorization(url) or ""
    parts = urlsplit(url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    for written in (user, password):
        yield written
        yield unquote(written)
    for field in parts.query.split("&"):
        name, equals, value = field.partition("=")
        yield value if equals else name
        yield unquote_plus(value if equals else name)


def without(words: str, secrets: Collection[str]) -> str:
    """The words with an ellipsis for each of our secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        words = words.replace(secret, "…")
        # The end of a message that is cut may have cut one, too.
        sizes = range(len(secret) - 1, SHORTEST - 1, -1)
        for start in (f"{secret[:size]}…" for size in sizes):
            words = f"{words.removesuffix(start)}…" if words.endswith(start) else words
    return words
