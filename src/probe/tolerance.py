"""The limits for the probe's own delays, above which a run can't be trusted."""

from msgspec import Struct

# The published error (docs/accuracy.md).
PUBLISHED_MS = 5.0


class Tolerance(Struct, frozen=True):
    """Milliseconds.

    `max_lag_ms`: anything, where the kernel did not stamp what arrived. `max_delay_ms`: what a turn's first audio, or a
    further one, waited for the probe to ask for it; that is taken off as well. `max_error_ms`: what a figure may be
    wrong by, because of what is not known of an arrival.
    """

    max_lag_ms: float
    max_delay_ms: float
    max_error_ms: float = PUBLISHED_MS
