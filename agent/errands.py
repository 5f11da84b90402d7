"""What takes too much memory for the resident process is done by short-lived children, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import child

PATIENCE = 180.0
"""Seconds after which a child is ended, unless it is known to take longer."""


class Errand:
    """A command of ours, run every so many seconds. `ended` takes its exit status, None when it could not be run at all."""

    __slots__ = ("arguments", "due", "ended", "every", "patience")

    def __init__(
        self,
        arguments: Sequence[str],
        every: float,
        ended: Callable[[int | None], None],
        due: float = 0.0,
        patience: float = PATIENCE,
    ) -> None:
        self.patience = patience
        self.arguments = arguments
        self.every = every
        self.ended = ended
        self.due = due
        """When it is due, by the clock that `Errands.tick` is given; infinity: when somebody says so."""

    @property
    def name(self) -> str:
        """The command."""
        return self.arguments[0]


class Errands:
    """Runs errands in the order of the list, those that are due. `say` takes a line for the journal."""

    def __init__(self, errands: Sequence[Errand], say: Callable[[str], None]) -> None:
        self._errands = errands
        self._say = say
        self._child: child.Child | None = None
        self._errand: Errand | None = None
        self._started = 0.0

    @property
    def busy(self) -> bool:
        """Is a child at work?"""
        return self._child is not None

    def tick(self, now: float) -> None:
        """See to the child, or start what is due; seconds of any steady clock."""
        if self._child is not None:
            self._watch(self._child, now)
        if self._child is None:
            errand = next((one for one in self._errands if now >= one.due), None)
            if errand is not None:
                self._start(errand, now)

    def hasten(self, name: str, when: float) -> None:
        """This errand is due then, if not before."""
        for errand in self._errands:
            if errand.name == name:
                errand.due = min(errand.due, when)

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def _start(self, errand: Errand, now: float) -> None:
        errand.due = now + errand.every
        try:
            self._child = child.start(errand.arguments)
        except OSError as error:
            self._say(f"{errand.name} could not be started: {error.strerror}")
            errand.ended(None)
            return
        self._errand, self._started = errand, now

    def _watch(self, child: child.Child, now: float) -> None:
        errand, status = self._errand, child.poll()
        assert errand is not None
        if status is None:
            if now - self._started > errand.patience:
                self._say(f"{errand.name} took longer than {errand.patience:g} s and was ended")
                child.kill()
            return
        self._child = self._errand = None
        errand.ended(status)
