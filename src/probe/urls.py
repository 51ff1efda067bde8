"""URLs as they may be shown: a user, a password and a query are secrets."""

import re

_USERINFO = re.compile(r"(?<=://)[^/\s]*@")
# Up to where the address ends in a sentence.
_QUERY = re.compile(r"(?P<address>://[^\s?#'\"]*)[?#][^\s'\"]*?(?=[.,:;)]*(?:[\s'\"]|$))")


def without_secrets(text: str) -> str:
    """The text with each URL's user, password and query left out."""
    return _QUERY.sub(r"\g<address>", _USERINFO.sub("", text))
