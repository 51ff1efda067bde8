"""Keeps Python's garbage collector from stopping a run."""

import gc


def freeze() -> None:
    """Exempt what is there now from collections: one of them would stop a run for over 10 ms.

    Call it when everything that stays has been imported and built: what is frozen is never freed.
    """
    gc.collect()
    gc.freeze()
