"""The HTTP paths of a TTS NIM."""

from contextlib import aclosing

from aiohttp import web

from probe.reference.riva.speech import LANGUAGE, MODEL, NAMES, RefusedError, Speech

ENCODINGS = {"LINEAR_PCM": 1, "": 0}


class Paths:
    """Who answers which path."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.post("/v1/audio/synthesize_online", self._online),
                web.get("/v1/audio/list_voices", self._voices),
                web.get("/v1/metadata", self._metadata),
                web.get("/v1/health/ready", self._ready),
                web.get("/v1/health/live", self._ready),
            ]
        )
        return app

    async def _online(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        asked = {name: value for name, value in form.items() if isinstance(value, str)}
        rate = asked.get("sample_rate_hz", "0")
        encoding = ENCODINGS.get(asked.get("encoding", ""), -1)
        try:
            wanted = self._speech.wanted(
                asked.get("text", ""),
                asked.get("language", ""),
                encoding,
                int(rate) if rate.isdecimal() else -1,
                asked.get("voice", ""),
            )
        except RefusedError as error:
            return web.json_response({"error": str(error)}, status=web.HTTPBadRequest.status_code)
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        async with aclosing(self._speech.spoken(wanted)) as parts:
            async for part in parts:
                await response.write(part)
        return response

    async def _voices(self, _request: web.Request) -> web.Response:
        return web.json_response({LANGUAGE: {"voices": [*NAMES]}})

    async def _metadata(self, _request: web.Request) -> web.Response:
        return web.json_response({"version": "1", "modelInfo": [{"shortName": MODEL, "modelUrl": ""}]})

    async def _ready(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "health.response", "message": "ready", "status": "ready"})
