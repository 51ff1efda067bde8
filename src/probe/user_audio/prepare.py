"""Prepares the user's speech before a run: reads recordings, or has the target's TTS speak the texts once."""

import asyncio
import functools
import io
import stat
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from probe.audio import write_wav_into
from probe.engine.recite import Recital
from probe.heard import Utterance
from probe.record import Failure, Plan
from probe.transport.threads import in_a_thread
from probe.user_audio import kept, wav
from probe.user_audio.utterance import utterance, with_noise

if TYPE_CHECKING:
    from array import array

# For reading a file, and for computing with what is in it.
PATIENCE_S = 30.0
# Utterances that stay in memory: enough for all scenarios of a usual configuration.
_MOST_KEPT = 64
# Samples of made speech, and their rate, that could not be written: a full disk is no reason to measure nothing.
_UNWRITTEN: dict[Path, tuple["array[int]", int]] = {}
_ALLOWED = "a WAV file with speech in it, of at most 2 minutes"


def unusable(path: Path) -> str | None:
    """What is wrong with a recording, and what is allowed; None where it can be read."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > wav.MAX_BYTES:
            return f"not a file, or a larger one than {wav.MAX_BYTES // 2**20} MiB; allowed is {_ALLOWED}"
        samples, _ = wav.read(path.read_bytes())
    except (OSError, ValueError) as error:
        return f"{_why(error)}; allowed is {_ALLOWED}"
    return None if any(samples) else f"nothing in it can be heard; allowed is {_ALLOWED}"


class Unprepared(Struct, frozen=True):
    """Why a run can't take place."""

    failure: Failure | None
    skipped: str | None = None
    said: tuple[str, ...] = ()


Recite = Callable[[str], Awaitable[Recital]]


async def with_speech(
    plan: Plan, wanted: int, folder: Path, recite: Recite, now: Callable[[], int]
) -> Plan | Unprepared:
    """The plan with an utterance of a sample rate (`wanted`, Hz) for each user turn, or why there is none.

    `folder` is where the speech that a TTS server made is kept.
    """
    speech: list[Utterance] = []
    for number, text in enumerate(plan.scenario.user_turns):
        recorded = bool(plan.scenario.user_audio)
        path = (
            Path(plan.scenario.user_audio[number])
            if recorded
            else kept.path_of(folder, text, plan.target.servers["tts"])
        )
        try:
            if not recorded and (unmade := await _made(path, text, recite)) is not None:
                return unmade
            async with asyncio.timeout(PATIENCE_S):
                work = functools.partial(_read, path, wanted, plan.target.audible_dbfs, text, plan.scenario.snr_db)
                speech.append(await in_a_thread((path, wanted, plan.scenario.snr_db), work))
        except (OSError, ValueError) as error:
            if not recorded:
                await _forget(path)
            what = "user_audio" if recorded else "the speech that the TTS server made"
            detail = f"turn {number + 1}: {what} can't be used: {_why(error)}"
            return Unprepared(Failure("internal", "user_audio", detail, now()))
    return replace(plan, speech=tuple(speech))


def _why(error: OSError | ValueError) -> str:
    """Without the path, which may be secret, as far as the system says it by itself."""
    if isinstance(error, TimeoutError):
        return f"it took longer than {PATIENCE_S:g} s to read"
    return error.strerror or "it can't be read" if isinstance(error, OSError) else str(error)


async def _made(path: Path, text: str, recite: Recite) -> Unprepared | None:
    """Have a text spoken, where that was not done before; why it can't be."""
    if path in _UNWRITTEN or await in_a_thread((path, "there"), path.exists):
        return None
    recital = await recite(text)
    if recital.failure is not None or recital.skipped is not None:
        return Unprepared(recital.failure, recital.skipped, recital.said)
    await in_a_thread(path, functools.partial(_keep, path, recital))
    return None


def _keep(path: Path, made: Recital) -> None:
    try:
        kept.keep(path, made.pcm, made.sample_rate)
    except OSError:
        if len(_UNWRITTEN) >= _MOST_KEPT:
            _UNWRITTEN.clear()
        file = io.BytesIO()
        write_wav_into(file, made.pcm, made.sample_rate)
        _UNWRITTEN[path] = wav.read(file.getvalue())


async def _forget(path: Path) -> None:
    """Made speech that can't be used is made again for the next run: kept, it would fail all that follow."""
    _UNWRITTEN.pop(path, None)
    with suppress(OSError):
        await in_a_thread((path, "unusable"), functools.partial(path.unlink, missing_ok=True))


def _read(path: Path, wanted: int, audible_dbfs: float, text: str, snr_db: float | None) -> Utterance:
    """Raises OSError and ValueError."""
    if path in _UNWRITTEN:
        return _utterance(path, 0, wanted, audible_dbfs, text, snr_db)
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OSError(None, "not a file")
    if state.st_size > wav.MAX_BYTES:
        raise OSError(None, f"larger than {wav.MAX_BYTES // 2**20} MiB")
    return _utterance(path, state.st_mtime_ns, wanted, audible_dbfs, text, snr_db)


@functools.lru_cache(_MOST_KEPT)
def _utterance(
    path: Path, _written: int, wanted: int, audible_dbfs: float, text: str, snr_db: float | None
) -> Utterance:
    """Once for each file as it is: resampling takes longer than reading."""
    samples, rate = _UNWRITTEN.get(path) or wav.read(path.read_bytes())
    clean = utterance(samples, rate, wanted, audible_dbfs, text or None)
    return clean if snr_db is None else with_noise(clean, snr_db)
