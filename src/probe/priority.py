"""A priority of its own for what measures: it needs little of a core, and that little at once."""

import os
from contextlib import suppress

# As clocks that are kept by a network have it.
NICE = -10


def take() -> None:
    """Have this thread, and those that it starts from now on, served before others, where the system lets us.

    On a machine short of cores a reader that waits for one finds several frames joined in the kernel. Whoever started
    us with a niceness keeps it.
    """
    with suppress(OSError):
        if os.getpriority(os.PRIO_PROCESS, 0) == 0:
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
