"""What a command's exit code says of the run, besides 2 for bad usage or configuration."""

from probe.record import Outcome

EXIT_CODES: dict[Outcome, int] = {"ok": 0, "failed": 1, "slow": 3, "suspect": 4, "skipped": 5}
# Of a run that was stopped, as a shell says it of a process that Ctrl-C ended.
INTERRUPTED_CODE = 130
