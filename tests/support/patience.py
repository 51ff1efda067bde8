"""What a test allows the machine that it runs on: it is shared, and slower than a measurement should let pass.

Each way to measure has its form here, for a test that leaves one of the three limits out fails on a busy machine.
"""

from probe.tolerance import Tolerance

_MS = 60_000
PATIENT = Tolerance(_MS, _MS, _MS)
# The same in a configuration, with and without its heading, and in the environment.
SELF_CHECK = f"max_lag_ms = {_MS}\nmax_delay_ms = {_MS}\nmax_error_ms = {_MS}"
PATIENT_TOML = f"[self_check]\n{SELF_CHECK}\n"
PATIENT_ENVIRONMENT = {f"PROBE_SELF_CHECK__MAX_{each}_MS": str(_MS) for each in ("LAG", "DELAY", "ERROR")}
