"""Known vulnerabilities of what is locked, by pip-audit: `python audit.py PIP_AUDIT FILE... [OPTION...]`.

Exit codes: 0 none is known, 1 some are, 3 no database could be had, or it does not know all of the packages; then
nothing is known, which is not the same as none.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

FOUND, UNKNOWN = 1, 3


def judged(name: str, output: str, complaints: str) -> tuple[int, list[str]]:
    """The exit code for one file, and what to say of it, from what pip-audit wrote to stdout and stderr."""
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = next((line for line in reversed(complaints.splitlines()) if line.strip()), "it said nothing")
        return UNKNOWN, [f"{name}: no database of vulnerabilities could be reached: {reason.strip()[:300]}"]
    known = [
        f"{name}: {each['name']} {each['version']}: {vulnerability['id']},"
        f" mended in {', '.join(vulnerability['fix_versions']) or 'no version'}"
        for each in packages
        for vulnerability in each.get("vulns", ())
    ]
    skipped = [f"{name}: {each['name']}: {each['skip_reason']}" for each in packages if "skip_reason" in each]
    if known:
        return FOUND, known + skipped
    if skipped or not packages:
        return UNKNOWN, [f"{name}: the database does not know {len(skipped)} of {len(packages)} packages", *skipped[:3]]
    return 0, [f"{name}: nothing is known of {len(packages)} packages"]


def main(program: str, arguments: Sequence[str]) -> int:
    files = [each for each in arguments if each.endswith(".txt")]
    options = [each for each in arguments if not each.endswith(".txt")]
    worst = 0
    for name in files:
        command = [program, "--require-hashes", "--disable-pip", "--format", "json", *options, "-r", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        code, lines = judged(name, done.stdout, done.stderr)
        print("\n".join(lines), flush=True)
        worst = FOUND if FOUND in (worst, code) else max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
