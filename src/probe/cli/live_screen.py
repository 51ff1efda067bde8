"""A terminal that a program draws on until it ends: without flicker, and with each key as it is pressed.

Whatever ends it (q, Ctrl-C, a signal, an error), the terminal is as it was, its scrollback included.
"""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from probe.text import shown

# The other screen without a cursor, and back.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _ERASE_LINE, _ERASE_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_FEWEST_LINES = 2
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LiveScreen:
    """Made by `live_screen`."""

    def __init__(self, keyboard: int | None) -> None:
        self._keyboard = keyboard
        self._before = None if keyboard is None else termios.tcgetattr(keyboard)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now."""
        try:
            found = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            return 80, 24
        # Some terminals say that they have none.
        return found.columns or 80, max(_FEWEST_LINES, found.lines or 24)

    def draw(self, lines: Sequence[str]) -> None:
        """Replace what is shown, in one write. Whatever is in the lines, it does nothing to the terminal."""
        body = f"{_ERASE_LINE}\r\n".join(shown(line) for line in lines)
        self._write(f"{_HOME}{body}{_ERASE_LINE}{_ERASE_BELOW}")

    def key(self, timeout_s: float) -> str:
        """The keys that were pressed within this time, which ends with the first one; empty where none was."""
        if self._keyboard is None:
            select.select([], [], [], timeout_s)
            return ""
        if not select.select([self._keyboard], [], [], timeout_s)[0]:
            return ""
        pressed = os.read(self._keyboard, 64)
        if not pressed:
            # Nobody can press a key any more; without this, each look would return at once.
            self._keyboard = None
        return pressed.decode(errors="replace")

    def enter(self) -> None:
        if self._keyboard is not None:
            # Keys come one by one, and Ctrl-C still is a signal.
            tty.setcbreak(self._keyboard)
        self._write(_ENTER)

    def leave(self) -> None:
        self._write(_LEAVE)
        if self._keyboard is not None and self._before is not None:
            with suppress(termios.error):
                termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._before)

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def suspend(self, *_: object) -> None:
        """Ctrl-Z: the shell gets its terminal as it was, and `fg` draws again."""
        self.leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self.suspend)
        self.enter()


@contextmanager
def live_screen() -> Iterator[LiveScreen]:
    """Take the terminal of stdout, and leave it at the end as it was."""
    keyboard = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
    screen = LiveScreen(keyboard)
    before = {number: signal.signal(number, _end) for number in _ENDING}
    before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, screen.suspend)
    try:
        screen.enter()
        yield screen
    finally:
        with suppress(OSError):
            screen.leave()
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
