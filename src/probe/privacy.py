"""What a record says, fit for a log or a trace store: no word of what was asked or answered."""

from collections.abc import Iterator

from probe.record import RunRecord

TEXT_LEFT_OUT = "[text]"
# A word this short is everywhere; alone it reveals nothing.
_SHORT = 4


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
