"""What was said in a run, and whether any of it got out of the history."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from probe.record import RunRecord
from probe.tracing.later import later_spans
from probe.tracing.spans import spans

# So many characters of what was asked or answered, in whatever case, are a leak.
PART = 8
# Of what a server complains of; shorter parts of it ("internal error") may be our own words as well.
LONG_PART = 16


def leaked(records: Sequence[RunRecord], outputs: Iterable[str]) -> list[str]:
    """Each part of what was said in these runs that is in an output, in their spans, or in what we say of them."""
    everything = "\n".join(chain(outputs, map(_said_by_us, records))).lower()
    talk, complaints = chain.from_iterable(map(_talk, records)), chain.from_iterable(map(_complaints, records))
    # Each part once: a server that floods says the same again and again, and all runs ask the same.
    parts = dict.fromkeys(chain(_parts(talk, PART), _parts(complaints, LONG_PART)))
    return [part for part in parts if part in everything]


def everything_but_the_history(record: RunRecord, outputs: Iterable[str]) -> str:
    """These outputs, the spans of a run, and its failure, doubts and reason to be skipped, in small letters."""
    return "\n".join((*outputs, _said_by_us(record))).lower()


def _said_by_us(record: RunRecord) -> str:
    return "\n".join(chain(_in_spans(record), _ours(record)))


def _ours(record: RunRecord) -> Iterator[str]:
    yield from (record.skipped or "", *record.doubts)
    if record.failure is not None:
        yield record.failure.detail


def _talk(record: RunRecord) -> Iterator[str]:
    yield record.plan.scenario.system_prompt
    for turn in record.turns:
        yield turn.user
        if turn.heard is not None:
            yield turn.heard.transcript
        yield from (chunk.text for chunk in turn.chunks)
    if record.transcription is not None:
        yield from (each.transcript for each in record.transcription.turns)


def _complaints(record: RunRecord) -> Iterator[str]:
    """Without the name of the server before each, which is ours."""
    later = () if record.transcription is None else record.transcription.said
    return (words.partition(": ")[2] for words in (*record.said, *later))


def _parts(texts: Iterable[str], size: int) -> Iterator[str]:
    for text in map(str.lower, texts):
        yield from (text[at : at + size] for at in range(len(text) - size + 1))


def _in_spans(record: RunRecord) -> Iterator[str]:
    for span in (*spans(record), *later_spans(record)):
        yield from (span.name, "" if span.error is None else f"{span.error}")
        yield from map(str, chain(span.attributes.keys(), span.attributes.values()))
