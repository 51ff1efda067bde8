"""What a record says, fit for a log or a trace store: no secrets, and no word of what was asked or answered."""

import re
from collections.abc import Iterator

from probe.record import RunRecord

TEXT_LEFT_OUT = "[text]"
# A word this short is everywhere; alone it tells nothing.
_SHORT = 4

_USERINFO = re.compile(r"(?<=://)[^/\s]*@")
# Up to where the address ends in a sentence.
_QUERY = re.compile(r"(?P<address>://[^\s?#'\"]*)[?#][^\s'\"]*?(?=[.,:;)]*(?:[\s'\"]|$))")


def without_secrets(text: str) -> str:
    """The text with each URL's user, password and query left out."""
    return _QUERY.sub(r"\g<address>", _USERINFO.sub("", text))


def without_texts(text: str, record: RunRecord) -> str:
    """The text without the run's prompts and responses, which error messages quote."""
    for said in sorted(set(_said(record)), key=len, reverse=True):
        text = text.replace(said, TEXT_LEFT_OUT)
    return text


def _said(record: RunRecord) -> Iterator[str]:
    texts = [record.plan.scenario.system_prompt, *record.plan.scenario.user_turns]
    texts += [chunk.text for turn in record.turns for chunk in turn.chunks]
    for text in texts:
        quoted = repr(text.strip())
        yield quoted
        if len(text.strip()) >= _SHORT:
            yield text.strip()
            yield quoted[1:-1]
