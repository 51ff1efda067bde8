"""Draw every picture again: `make pictures RENDERER=COMMAND`.

The project has no Grafana. COMMAND is whatever draws a dashboard's JSON against a Prometheus on your machine, called as

    COMMAND DASHBOARD.json PROMETHEUS_URL OUT.png --from TIME --to TIME --theme dark|light --width PIXELS

with times in ISO 8601. A few lines around Grafana's own image renderer do, or around its front-end libraries.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from boards.files import path_of
from demo_data.cases import CASES, HOUR, MINUTE
from demo_data.tsdb import prometheus
from pictures.album import ALBUM, FOLDER, PICTURES, Picture, digest_of_board, digest_of_file

DEPLOY = Path(__file__).parents[2] / "deploy"
WIDTH, PATIENCE_S = 1600, 300


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="pictures", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("only", nargs="*", metavar="PICTURE", help=f"of {', '.join(PICTURES)}; all unless given")
    parser.add_argument("--binaries", type=Path, default=Path(shutil.which("promtool") or "promtool").parent)
    arguments = parser.parse_args()
    renderer = shlex.split(os.environ.get("RENDERER", ""))
    if not renderer:
        sys.exit(f"pictures: set RENDERER to a command that draws a dashboard.\n\n{__doc__}")
    unknown = set(arguments.only) - set(PICTURES)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    wanted = {name: picture for name, picture in PICTURES.items() if name in (arguments.only or PICTURES)}
    album = json.loads(ALBUM.read_text("utf-8")) if ALBUM.exists() else {}
    for case in dict.fromkeys(picture.case for picture in wanted.values()):
        of_case = {name: picture for name, picture in wanted.items() if picture.case == case}
        album.update(_drawn(case, of_case, renderer, arguments.binaries.resolve()))
        known = {name: album[name] for name in sorted(PICTURES) if name in album}
        ALBUM.write_text(json.dumps(known, indent=2) + "\n", "utf-8")


def _drawn(
    case: str, wanted: Mapping[str, Picture], renderer: list[str], binaries: Path
) -> Iterator[tuple[str, object]]:
    """Draw these pictures of one case, which ends now; what the album says of each."""
    end_s = time.time() // MINUTE * MINUTE
    with (
        tempfile.TemporaryDirectory() as folder,
        prometheus(replace(CASES[case], end_s=end_s), binaries, Path(folder), DEPLOY / CASES[case].rules) as url,
    ):
        for name, picture in wanted.items():
            board, out = path_of(picture.board), FOLDER / f"{name}.png"
            since, until = (_iso(at_s) for at_s in (end_s - picture.hours * HOUR, end_s))
            times = ["--from", since, "--to", until, "--theme", picture.theme, "--width", str(WIDTH)]
            subprocess.run([*renderer, board, url, out, *times], check=True, timeout=PATIENCE_S)  # noqa: S603 - a command of one's own
            yield (
                name,
                {
                    "board": picture.board,
                    "case": case,
                    "drawn": until,
                    "board_sha256": digest_of_board(json.loads(board.read_text("utf-8"))),
                    "sha256": digest_of_file(out),
                },
            )


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    main()
