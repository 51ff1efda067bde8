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

from probe import spoken
from probe.audio import write_wav_into
from probe.engine.recite import Recital
from probe.heard import Utterance
from probe.plan import AUDIBLE_DBFS, Plan
from probe.record import Failure
from probe.transport.threads import in_a_thread
from probe.user_audio import kept, wav
from probe.user_audio.edges import is_audible, nothing_above
from probe.user_audio.utterance import joined, utterance, with_noise

if TYPE_CHECKING:
    from array import array

# For reading a file, and for computing with what is in it.
PATIENCE_S = 30.0
# Utterances that stay in memory: enough for all scenarios of a usual configuration.
_MOST_KEPT = 64
# Samples of made speech, and their rate, that could not be written: a full disk is no reason to measure nothing.
_UNWRITTEN: dict[Path, tuple["array[int]", int]] = {}
_NOBODY = "nobody speaks what the user says: give recordings (user_audio), or a TTS server ([user_speech])"
_ALLOWED = "a WAV file with speech in it, of at most 2 minutes"


def unusable(path: Path, audible_dbfs: float = AUDIBLE_DBFS) -> str | None:
    """What is wrong with a recording, and what is allowed; None where it can be played."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > wav.MAX_BYTES:
            return f"not a file, or a larger one than {wav.MAX_BYTES // 2**20} MiB; allowed is {_ALLOWED}"
        samples, rate = wav.read(path.read_bytes())
    except (OSError, ValueError) as error:
        return f"{_why(error)}; allowed is {_ALLOWED}"
    if not samples:
        return f"there are no samples in it; allowed is {_ALLOWED}"
    return None if is_audible(samples, rate, audible_dbfs) else f"{nothing_above(audible_dbfs)}; allowed is {_ALLOWED}"


class Unprepared(Struct, frozen=True):
    """Why a run can't take place."""

    failure: Failure | None
    skipped: str | None = None
    said: tuple[str, ...] = ()


Recite = Callable[[str], Awaitable[Recital]]


class Said(Struct, frozen=True):
    """What is said in one turn, from pause to pause: the file and the words of each part, and the pauses between."""

    files: tuple[Path, ...]
    words: tuple[str, ...]
    pauses_ms: tuple[int, ...] = ()


async def with_speech(
    plan: Plan, wanted: int, folder: Path, recite: Recite, now: Callable[[], int]
) -> Plan | Unprepared:
    """The plan with an utterance of a sample rate (`wanted`, Hz) for each user turn, or why there is none.

    `folder` is where the speech that a TTS server made is kept.
    """
    speech: list[Utterance] = []
    recorded = bool(plan.scenario.user_audio)
    if not recorded and plan.target.user_voice is None:
        return Unprepared(Failure("internal", "user_audio", _NOBODY, now()))
    for number in range(len(plan.scenario.user_turns)):
        said = _said(plan, number, folder)
        try:
            if not recorded and (unmade := await _made(said, recite)) is not None:
                return unmade
            async with asyncio.timeout(PATIENCE_S):
                work = functools.partial(_read, said, wanted, plan.target.audible_dbfs, plan.scenario.snr_db)
                speech.append(await in_a_thread((said, wanted, plan.scenario.snr_db), work))
        except (OSError, ValueError) as error:
            if not recorded:
                await _forget(said)
            what = "user_audio" if recorded else "the speech that the TTS server made"
            detail = f"turn {number + 1}: {what} can't be used: {_why(error)}"
            return Unprepared(Failure("internal", "user_audio", detail, now()))
    return replace(plan, speech=tuple(speech))


def _said(plan: Plan, number: int, folder: Path) -> Said:
    text, speaker = plan.scenario.user_turns[number], plan.target.user_voice
    if plan.scenario.user_audio or speaker is None:
        return Said((Path(plan.scenario.user_audio[number]),), (text,))
    said = spoken.parts(text)
    files = tuple(kept.path_of(folder, part.words, speaker) for part in said)
    return Said(files, tuple(part.words for part in said), tuple(part.after_ms for part in said[1:]))


def _why(error: OSError | ValueError) -> str:
    """Without the path, which may be secret, as far as the system says it by itself."""
    if isinstance(error, TimeoutError):
        return f"it took longer than {PATIENCE_S:g} s to read"
    return error.strerror or "it can't be read" if isinstance(error, OSError) else str(error)


async def _made(said: Said, recite: Recite) -> Unprepared | None:
    """Have the parts spoken for which that was not done before; why one can't be."""
    for path, text in zip(said.files, said.words, strict=True):
        if path in _UNWRITTEN or await in_a_thread((path, "there"), functools.partial(_is_there, path)):
            continue
        recital = await recite(text)
        if recital.failure is not None or recital.skipped is not None:
            return Unprepared(recital.failure, recital.skipped, recital.said)
        await in_a_thread(path, functools.partial(_keep, path, recital))
    return None


def _is_there(path: Path) -> bool:
    """Where it is another's, such as the service's, nobody knows, and it is made for this process alone."""
    try:
        return path.exists()
    except OSError:
        return False


def _keep(path: Path, made: Recital) -> None:
    try:
        kept.keep(path, made.pcm, made.sample_rate)
    except OSError:
        if len(_UNWRITTEN) >= _MOST_KEPT:
            _UNWRITTEN.clear()
        file = io.BytesIO()
        write_wav_into(file, made.pcm, made.sample_rate)
        _UNWRITTEN[path] = wav.read(file.getvalue())


async def _forget(said: Said) -> None:
    """Made speech that can't be used is made again for the next run: kept, it would fail all that follow."""
    for path in said.files:
        _UNWRITTEN.pop(path, None)
        with suppress(OSError):
            await in_a_thread((path, "unusable"), functools.partial(path.unlink, missing_ok=True))


def _read(said: Said, wanted: int, audible_dbfs: float, snr_db: float | None) -> Utterance:
    """Raises OSError and ValueError."""
    return _utterance(said, tuple(map(_written, said.files)), wanted, audible_dbfs, snr_db)


def _written(path: Path) -> int:
    """When a file was written. Raises OSError for what is none that is read."""
    if path in _UNWRITTEN:
        return 0
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OSError(None, "not a file")
    if state.st_size > wav.MAX_BYTES:
        raise OSError(None, f"larger than {wav.MAX_BYTES // 2**20} MiB")
    return state.st_mtime_ns


@functools.lru_cache(_MOST_KEPT)
def _utterance(
    said: Said, _written: tuple[int, ...], wanted: int, audible_dbfs: float, snr_db: float | None
) -> Utterance:
    """Once for each file as it is: resampling takes longer than reading."""
    parts = []
    for path, text in zip(said.files, said.words, strict=True):
        samples, rate = _UNWRITTEN.get(path) or wav.read(path.read_bytes())
        parts.append(utterance(samples, rate, wanted, audible_dbfs, text or None))
    clean = joined(parts, said.pauses_ms) if len(parts) > 1 else parts[0]
    return clean if snr_db is None else with_noise(clean, snr_db)
