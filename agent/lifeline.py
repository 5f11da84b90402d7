"""How the launcher tells an agent that runs as its child to end: through standard input, since Windows has no SIGTERM.

The end of the input means to end, the word before it that the machine is going down. So an agent ends with its launcher, too.
"""

from __future__ import annotations

import _thread
import os
import signal

LIFELINE = "HAIDANG_LIFELINE"
"""The variable that tells an agent that its standard input is one."""
GOING_DOWN = b"down"


class Lifeline:
    """The agent's end. SIGTERM is raised in the main thread when the input ends."""

    def __init__(self) -> None:
        self.going_down = False
        _thread.start_new_thread(self._wait, ())

    def _wait(self) -> None:
        said = b""
        try:
            while piece := os.read(0, 64):
                said = (said + piece)[:64]
        except OSError:
            pass
        self.going_down = said.startswith(GOING_DOWN)
        _thread.interrupt_main(signal.SIGTERM)


_held: list[Lifeline] = []


def held() -> Lifeline | None:
    """The lifeline this process was started with, if any. SIGTERM must have its handler by then."""
    if not _held and os.environ.get(LIFELINE):
        _held.append(Lifeline())
    return _held[0] if _held else None
