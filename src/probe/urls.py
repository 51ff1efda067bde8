"""URLs: checks, and how to print them without secrets (user, password, query)."""

import re
from base64 import b64encode
from collections.abc import Callable, Collection
from typing import Annotated
from urllib.parse import SplitResult, unquote, urlsplit

# What one of them passes over, the other never looks at twice: neither takes longer than the text is long.
_USERINFO = re.compile(r"(?<=://)[^/\s]*@")
_WORD = re.compile(r"\S+")
_QUOTES = "'\""
# What a scheme may have beside letters and digits, and what follows an address in a sentence.
_SCHEME_MARKS = "+-."
_PUNCTUATION = ".,:;)"

# What a URL of each scheme is called, and looks like.
_KINDS = {
    "ws": "a WebSocket", "wss": "a WebSocket", "http": "an HTTP", "https": "an HTTP", "tcp": "a TCP", "grpc": "a gRPC",
    "grpcs": "a gRPC",
}  # fmt: skip
_FORMS = {"ws": "ws://HOST:PORT/PATH", "wss": "wss://HOST/PATH"}

# Of these no port is usual: it has to be there.
_WITH_PORT = ("tcp", "grpc", "grpcs")
_LABEL_END = 64
_SCHEME = re.compile(r"[A-Za-z]{1,10}:[/\\]+")
_HIDDEN = "…"


class Url(str):
    """A URL whose representation, as in that of a larger value, has no secrets."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(without_secrets(self))


def without_secrets(text: str) -> str:
    """The text with each URL's user, password and query left out."""
    return _WORD.sub(_addresses_of, _USERINFO.sub("", text))


def _addresses_of(found: re.Match[str]) -> str:
    """A word; of each URL in it up to its query or fragment. A URL ends with the word, one in quotes at the quote."""
    word, done, parts = found[0], 0, []
    while (at := word.find("://", done)) >= 0:
        end = word.find(quote, at) if (quote := _quote_before(word[done:at])) else -1
        end = len(word) if end < 0 else end
        parts += [word[done:at], _address(word[at:end])]
        done = end
    return "".join([*parts, word[done:]])


def _quote_before(text: str) -> str:
    """The quote that a scheme at the end of the text follows; "" where it follows none."""
    at = max(text.rfind(quote) for quote in _QUOTES)
    scheme = text[at + 1 :].translate({ord(mark): None for mark in _SCHEME_MARKS})
    return text[at] if at >= 0 and scheme.isalnum() else ""


def _address(url: str) -> str:
    """Of a URL from its :// on: up to its query or fragment, and the punctuation behind it."""
    end = min((at for mark in "?#" if (at := url.find(mark)) >= 0), default=len(url))
    return url[:end] + url[max(end, len(url.rstrip(_PUNCTUATION))) :]


def authorization(url: str) -> str | None:
    """What the header `authorization` has to say for a URL's user and password; None where it has none."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(user.encode()).decode()}"


def shown(text: str) -> str:
    """A URL as it may be shown, or any other text; a fragment, which is no secret, is left where it stands alone."""
    return without_secrets(text) if "@" in text or "?" in text else text


def shown_wrong(text: str) -> str:
    """The same of what may be no URL though it should be: all before the last @ may be a password then."""
    found = shown(text)
    if _has_parts(text):
        return found
    scheme = _SCHEME.match(found)
    _, at, rest = found.rpartition("@")
    start = f"{scheme[0] if scheme else ''}{_HIDDEN}@" if at else ""
    return start + (rest.partition("?")[0] if scheme else rest)


def _has_parts(text: str) -> bool:
    """Whether it is clear where user, host and query of a URL begin and end."""
    try:
        parts = urlsplit(text)
        return bool(parts.scheme and parts.hostname) and parts.port != 0 and text.isprintable() and " " not in text
    except ValueError:
        return False


def host_of(parts: SplitResult) -> str | None:
    """The host as it is connected to: a URL has the zone of an address behind %25, an address behind %."""
    host = parts.hostname
    return host if host is None or ":" not in host else host.replace("%25", "%", 1)


def url_of(*schemes: str) -> Callable[[str], Url]:
    """A check that a text is a URL with one of these schemes."""

    def check(text: str) -> Url:
        return checked_url(text, schemes)

    return check


def checked_url(text: str, schemes: Collection[str]) -> Url:
    """The URL, where it has one of the schemes. Raises ValueError with what is expected."""
    kinds = {_KINDS.get(scheme, f"a {scheme}"): None for scheme in schemes}
    forms = {_FORMS.get(scheme, f"{scheme}://HOST:PORT"): None for scheme in schemes}
    quoted, expected = repr(shown_wrong(text)), f"expected {' or '.join(forms)}"
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _check_host(host)
        reached = parts.scheme not in _WITH_PORT if parts.port is None else parts.port > 0
        good = parts.scheme in schemes and bool(host) and reached and not parts.fragment
    except UnicodeError as error:
        raise ValueError(f"{quoted} has a host that is no DNS name; {expected}") from error
    except ValueError as error:
        # Some of the parser's errors quote what is before the @.
        why = "" if "@" in text else f" ({error})"
        raise ValueError(f"{quoted} is not a URL{why}; {expected}") from error
    if not good or not text.isprintable() or " " in text:
        raise ValueError(f"{quoted} is not {' or '.join(kinds)} URL; {expected}")
    return Url(text)


def _check_host(host: str) -> None:
    """Raise UnicodeError for what is neither an address nor a DNS name."""
    if not host.isascii():
        host.encode("idna")
    # The same rules as the codec, whose import takes 7 ms.
    elif host and not all(0 < len(label) < _LABEL_END for label in host.removesuffix(".").split(".")):
        raise UnicodeError(host)


HttpUrl = Annotated[str, url_of("http", "https")]
