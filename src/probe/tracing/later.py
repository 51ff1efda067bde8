"""The span of what happens after a run, in the run's trace: a recogniser transcribes the answer. Pure."""

from probe.record import RunRecord
from probe.tracing import attributes, genai
from probe.tracing.span import Span, SpanError
from probe.tracing.spans import span_id
from probe.transcription import Transcription


def later_spans(record: RunRecord) -> list[Span]:
    """None where the answer was not transcribed."""
    found = record.transcription
    return [] if found is None else [_span(record, found)]


def _span(record: RunRecord, found: Transcription) -> Span:
    wrong = found.mishap
    return Span(
        f"{genai.SPEECH_TO_TEXT} {record.plan.target.name}",
        span_id(record, "transcription"),
        record.plan.span_id,
        "client",
        found.started,
        max(found.started, found.ended),
        attributes.of_transcription(found),
        error=None if wrong is None else SpanError(wrong.reason, wrong.detail),
    )
