"""Ctrl-C once: stop when it suits. Twice: stop at once.

The first signal only sets a flag. Python's own KeyboardInterrupt is raised wherever the program happens to be,
and Ray's callbacks swallow it at times: a Ctrl-C was seen to have no effect at all.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def graceful_stop(on_first: Callable[[], None] = lambda: None) -> Iterator[Callable[[], bool]]:
    """Give a function that says whether SIGINT or SIGTERM has come; a second signal raises.

    Off the main thread Python cannot install handlers: then the function is always False.

    Raises:
        KeyboardInterrupt: on the second signal.
    """
    asked = threading.Event()

    def handle(signum: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        on_first()

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
