"""Static files: held in memory, with a hash of the content as their ETag."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from probe.report.html.environment import style

# The stylesheet of the run's page is the report's: there it is a part of the file.
STYLE = "style.css"
FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


async def static_file(request: Request) -> Response:
    found = _files().get(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    body, media_type, tag = found
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


@cache
def _files() -> dict[str, tuple[bytes, str, str]]:
    paths = (path for path in FOLDER.rglob("*") if path.suffix in _TYPES)
    bodies = {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in paths}
    bodies[STYLE] = style().encode()
    return {
        name: (body, _TYPES[Path(name).suffix], f'"{hashlib.sha256(body).hexdigest()[:16]}"')
        for name, body in bodies.items()
    }
