"""Whether audio can be this text, spoken: by its level over time, its spectrum, its length, and its bytes.

Pure. What surely is no speech has a reason of `record.REASONS`; what hardly can be is a sentence, a doubt. The bounds
are wide: docs/accuracy.md says on how many voices and languages none of them is crossed.
"""

import codecs
import unicodedata
from collections.abc import Iterator

from probe.audio import BYTES_PER_SAMPLE, FULL_SCALE, decibels, speakable
from probe.plan import AUDIBLE_DBFS
from probe.record import AudioAnalysis

# What swings no more than engines dither their silence is no voice at all, however faint.
DITHER = 8
# Samples that stick to the rails (-2.5 dB of full scale). Speech at its loudest has -12 dB, a full-scale tone -3 dB.
DEAFENING_RMS = 0.75
# Noise that is loud (-12 dB) and uncorrelated, such as uniform noise over all values (-4.8 dB) or speech cut one byte
# too late (-9 to -5 dB). Fricatives are as uncorrelated but quieter ("Psst!" normalised: -17 dB), vowels correlated.
NOISE_RMS = 0.25
NOISE_CORRELATION = 0.5
# Smooth sound cut one byte too late keeps some of its correlation, and is louder (-5 dB) than speech ever is.
LOUD_NOISE_RMS = 0.45
LOUD_NOISE_CORRELATION = 0.8
# A voice that was turned up too far is as loud, and has 9 % of its samples and more at the rails; noise has none there.
CLIPPED = 0.05
# Quiet sound cut one byte too late is the sound itself, 48 dB louder, except for what its low bytes hold: signs. In
# sound that was not cut 1 sample in 256 has such a low byte.
TORN = 0.1
# The level of speech moves by 3.5 dB and more within half a second, for any speaker; of hiss and hum by 2 at most.
STEADY_DB = 2.75
STEADY_MS = 500.0
# What sounds like one "sh" moves as much in half of that.
STEADY_HISS_MS = 250.0
# The spectrum of mains hum has its middle below that of any voice.
HUM_HZ = 180.0
# A note that is held without a tremor: one may be sung, but not for long.
NOTE_DB, NOTE_HZ, NOTE_MS = 0.8, 1500.0, 3000.0
# A peak so far above the audible level, where nothing lasts above it. The worst of a very quiet voice has 24 dB.
CLICK_DB = 30.0
# No word is shorter. The fastest voices need 7 ms for a letter, and 25 ms where one can still follow.
LEAST_MS = 30.0
HURRIED_MS_A_LETTER = 5.0
# Nobody needs longer for a text, pauses included: doubtful; and as many times as long is no answer to it.
AT_EASE_MS, SLOW_MS_A_LETTER = 6000.0, 350.0
ENDLESS = 2.5
# So many letters are spoken for one digit, one ideograph, another sign, at most.
LETTERS_A_DIGIT, LETTERS_AN_IDEOGRAPH, LETTERS_A_SIGN = 8, 4, 4
# Two channels, or 32 bits, read as samples of 16: in one channel of 16 bits these shares are above 0.7.
HALVED = 0.3
ENOUGH_SAMPLES = 2000
# So much of the bytes is looked at for text.
_BEGINNING = 1024


def fault(sound: AudioAnalysis | None, pcm: bytes | bytearray, text: str | None, sample_rate: int,
          audible_dbfs: float = AUDIBLE_DBFS) -> str | None:  # fmt: skip
    """The reason why these bytes are not speech for this text (one of the `audio` reasons), None where they may be.

    A text of None has words, and nobody knows which.
    """
    if sound is None or not pcm:
        return "missing" if text is None or speakable(text) else None
    if is_text(pcm):
        return "text"
    if len(pcm) % BYTES_PER_SAMPLE:
        return "odd_bytes"
    if _is_deafening(sound):
        return "noise"
    if text is not None and not speakable(text):
        return None
    if sound.samples * 1000 < LEAST_MS * sample_rate:
        return "too_short"
    if sound.swing <= DITHER / FULL_SCALE:
        return "silent"
    if (shape := _of_shape(sound, audible_dbfs)) is not None or text is None:
        return shape
    return "too_long" if _loud_ms(sound) > ENDLESS * longest_ms(text) else None


def doubts(sound: AudioAnalysis, text: str | None) -> Iterator[str]:
    """What speaks against it where it is no fault: parts of sentences that begin with the audio."""
    if text is not None and not speakable(text):
        return
    loud_ms = _loud_ms(sound)
    if sound.first_audible is None:
        yield "never reaches the audible level for as long as speech does"
    elif text is None:
        pass
    elif loud_ms < shortest_ms(text):
        yield f"has {loud_ms:.0f} ms of sound for {letters(text)} letters: less than a voice can do"
    elif loud_ms > longest_ms(text):
        yield f"has {loud_ms / 1000:.1f} s of sound for {letters(text)} letters: more than a voice needs"
    if _is_note(sound) and loud_ms > NOTE_MS:
        yield f"is one steady note of {sound.centre_hz:.0f} Hz"
    if sound.samples >= ENOUGH_SAMPLES and any(
        share is not None and share < HALVED for share in (sound.pairing, sound.evenness)
    ):
        yield "has samples that come in pairs, as if two channels or 32 bits were read as one channel of 16"


def letters(text: str) -> int:
    """How many letters and digits will be spoken."""
    return sum(character.isalnum() for character in text)


def shortest_ms(text: str) -> float:
    """What a voice in a hurry needs for this text."""
    return max(LEAST_MS, HURRIED_MS_A_LETTER * letters(text))


def longest_ms(text: str) -> float:
    """What a voice at its ease needs for this text, whatever its language, with pauses."""
    return AT_EASE_MS + SLOW_MS_A_LETTER * sum(map(_spelled, text))


def is_text(pcm: bytes | bytearray) -> bool:
    """Whether the bytes are UTF-8: an error or a page that was sent as audio, or base64."""
    beginning = pcm[:_BEGINNING]
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(bytes(beginning))
    except UnicodeDecodeError:
        return False
    return len(beginning) >= BYTES_PER_SAMPLE * 4 and "".join(text.split()).isprintable()


def _spelled(character: str) -> int:
    """How many letters of a European language one character may stand for."""
    if character.isdigit():
        return LETTERS_A_DIGIT
    if unicodedata.east_asian_width(character) in "WF":
        return LETTERS_AN_IDEOGRAPH
    return 1 if character.isalpha() or character.isspace() else LETTERS_A_SIGN


def _is_deafening(sound: AudioAnalysis) -> bool:
    """Whether it is noise at any rate: louder than speech can be, or cut in the middle of its samples."""
    # The upper rail has a low byte of all ones, too.
    if sound.rms >= DEAFENING_RMS or sound.torn - sound.clipped >= TORN:
        return True
    if sound.correlation is None or sound.clipped >= CLIPPED:
        return False
    limit = LOUD_NOISE_CORRELATION if sound.rms >= LOUD_NOISE_RMS else NOISE_CORRELATION
    return sound.rms >= NOISE_RMS and sound.correlation < limit


def _of_shape(sound: AudioAnalysis, audible_dbfs: float) -> str | None:
    """Clicks, hum or noise; None for what may be a voice, or a note that is held."""
    peak_dbfs = decibels(sound.peak)
    if sound.first_audible is None and peak_dbfs is not None and peak_dbfs > audible_dbfs + CLICK_DB:
        return "clicks"
    if not _is_steady(sound) or _is_note(sound):
        return None
    return "hum" if (sound.centre_hz or 0.0) < HUM_HZ else "noise"


def _is_steady(sound: AudioAnalysis) -> bool:
    is_hiss = sound.correlation is not None and sound.correlation < NOISE_CORRELATION
    enough_ms = STEADY_HISS_MS if is_hiss else STEADY_MS
    return sound.wobble_db is not None and sound.wobble_db < STEADY_DB and _loud_ms(sound) >= enough_ms


def _is_note(sound: AudioAnalysis) -> bool:
    moves, middle = sound.wobble_db, sound.centre_hz
    return moves is not None and middle is not None and moves < NOTE_DB and HUM_HZ <= middle < NOTE_HZ


def _loud_ms(sound: AudioAnalysis) -> float:
    return sound.loud_ms or 0.0
