"""Reports sent to a collector as SNMPv3 informs: kept on disk until acknowledged, the present first, at a pace.

Loaded only where the settings name a collector. The socket does not block: `work` is called when `due` has come and `serve` when
something has arrived. Times without a word are `snmp.engine.steady`'s seconds.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from snmp.ciphers import cipher_factory
from snmp.engine import steady
from snmp.errors import SnmpError, StatusError
from snmp.message import VarBind
from snmp.notify import RETRY, InformSession
from snmp.usm import User

from . import settings
from .errors import StateError
from .report import CHANGE, DAILY, ENDINGS, INTERVAL, START, Memory, Part, bodies, boot_mark, notification
from .spool import Spool
from .state import SPOOLS

FULL_EVERY = 86400.0
LOOK = 60.0
"""Seconds between two looks whether something changed that is worth a report of its own."""
PACE = 256_000 / 8
"""Octets a second, so that a week's reports leave a weak line to others."""
WINDOW = 8
TIMEOUT = 2.0
LONGEST = 16.0
"""Seconds between two tries at most; the first waits `TIMEOUT`, each further one twice as long."""
PATIENCE = 30.0
"""Seconds without any acknowledgement after which a collector counts as silent."""
PROBE = 3.0
"""Seconds between two small questions to a collector that is silent."""
REFUSED, REFUSED_LONGEST = 5.0, 300.0
"""Seconds until a collector that refuses us is tried again, twice as long each time, up to the second: one that shares its agents
with others hears some seconds late of who enrolled with them."""
_FAREWELL, _HURRY = 2.0, 0.5
"""Seconds a farewell may take, and between its tries."""
_JITTER = 0.1
_HEADERS = 28


def spool_name(options: settings.Push) -> str:
    """What its spool is called."""
    return f"{options.to[0]}_{options.to[1]}".replace(":", "-")


class Sent(NamedTuple):
    """A part under way: when it is to be repeated, how often it was sent, and the id of its inform."""

    due: float
    tries: int
    number: int


class Push:
    """Reports to one collector. `rows` gives every object as it is now, `uptime` sysUpTime, `say` takes a line for the journal.

    `boots` counts the agent's starts, safely on disk: with it the names of parts rise for ever, whatever happens to the spool.
    `clock` is steady, `wall` gives Unix seconds.
    """

    def __init__(
        self,
        options: settings.Push,
        directory: str,
        engine_id: bytes,
        boots: int,
        enterprise: int,
        rows: Callable[[], Iterable[VarBind]],
        uptime: Callable[[], int],
        say: Callable[[str], None],
        noted: str = "",
        clock: Callable[[], float] = steady,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.options = options
        self._clock = clock
        self._wall = wall
        self._boot = boot_mark()
        self._engine_id = engine_id
        self._enterprise = enterprise
        self._rows = rows
        self._uptime = uptime
        self._say = say
        self.spool = Spool(os.path.join(directory, SPOOLS, spool_name(options)), options.spool_megabytes << 20, say)
        user = options.user
        self._user = User(user.name.encode(), user.auth, user.auth_secret.encode(), user.priv, user.priv_secret.encode())
        self._ciphers = cipher_factory("libcrypto")
        self._next = boots << 32 | 1
        self._number = 0
        self._memory = Memory(enterprise)
        self._base: list[int] = []
        self._owed: set[int] = set()
        """Parts of the full report not acknowledged yet, without which the collector understands none of the later ones."""
        self._present: list[int] = []
        self._flight: dict[int, Sent] = {}
        self._unsaved: dict[int, Part] = {}
        self._troubles = {"spool": "", "collector": ""}
        self._acknowledged_at = 0
        self._day = self._octets = self._octets_before = 0
        figures = r', "acknowledged": (\d+), "day": (\d+), .*?_today": (\d+), .*?: (\d+)'
        before = re.search(re.escape(f'"to": "{self._to}"') + figures, noted)
        if before is not None:
            self._acknowledged_at, self._day, self._octets, self._octets_before = map(int, before.groups())
        self._sure = False
        self.refused = False
        """Does the collector refuse what it is sent?"""
        self._refused_wait = REFUSED
        self._silent_since: float | None = None
        self._receiver = b""
        self._ending = False
        now = clock()
        self._full_at = self._look_at = self._report_at = now
        self._send_at = self._heard = now
        self.sock = socket.socket(socket.AF_INET6 if ":" in options.to[0] else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self._session = self._new_session()

    def fileno(self) -> int:
        """What `select` waits for."""
        return self.sock.fileno()

    def _new_session(self) -> InformSession:
        return InformSession(self._user, engine_id=self._engine_id, ciphers=self._ciphers)

    @property
    def newest(self) -> int:
        """The greatest name of a part so far."""
        return self._next - 1

    @property
    def due(self) -> float:
        """When `work` has something to do."""
        times = [sent.due for sent in self._flight.values()]
        if not self._ending:
            times += [self._report_at, self._look_at]
        if self._next_to_send() is not None:
            times.append(self._send_at)
        return min(times, default=float("inf"))

    @property
    def answers(self) -> bool:
        """Has the collector acknowledged the last report it was sent?"""
        return self._sure

    # -- making reports

    def work(self, now: float) -> None:
        """Report when it is time, repeat what was not acknowledged, send what waits."""
        if not self._ending:
            if now >= self._report_at:
                first = not self._base
                self.report(START if first else DAILY if now >= self._full_at else INTERVAL, now)
            elif now >= self._look_at:
                self._look_at = now + LOOK
                if reason := self._memory.noteworthy(self._rows()):
                    self.report(reason, now)
        for sequence, sent in list(self._flight.items()):
            if now >= sent.due and sequence in self._flight:
                self._repeat(sequence, sent, now)
        self._send(now)

    def report(self, reason: int, now: float) -> None:
        """Observe, and keep what is found until it is acknowledged."""
        self._look_at = now + LOOK
        rows = list(self._rows())
        lost = any(sequence not in self.spool for sequence in self._owed)
        encoded = None if lost or now >= self._full_at else self._memory.changed(rows)
        if encoded is None:
            self._full_at = now + FULL_EVERY
            self._keep(self._memory.full(rows), reason, True)
        else:
            self._keep(encoded, reason, False)
        self._report_at = now + self.options.interval_seconds * (1 + _JITTER * (os.urandom(1)[0] / 127.5 - 1))

    def _keep(self, encoded: list[bytes], reason: int, full: bool) -> None:
        found = bodies(encoded)
        sequences = list(range(self._next, self._next + len(found)))
        self._next += len(found)
        base = sequences[0] if full else self._base[0]
        ends = reason in ENDINGS
        interval = 0 if ends else self.options.interval_seconds
        trouble, self._unsaved = "", {}
        when, clock, uptime = int(self._wall()), int(self._clock()), self._uptime()
        for n, (sequence, body) in enumerate(zip(sequences, found, strict=True), 1):
            part = Part(base, n, len(found), when, uptime, interval, reason, self._boot, clock, body)
            try:
                self.spool.put(sequence, part.pack(), full or ends)
            except StateError as error:
                trouble, self._unsaved[sequence] = str(error), part
        self._tell("spool", trouble)
        if full:
            self._base, self._owed = sequences, set(sequences)
        self._present = sorted({*self._base, *sequences})

    def farewell(self, reason: int, patience: float = _FAREWELL) -> None:
        """Say goodbye (`reason`: one of report.ENDINGS), and wait a little for the acknowledgement.

        Without one it is sent at the next start.
        """
        if not self._base:
            return
        self._ending = True
        self._keep([], reason, False)
        last = self._present[-1]
        self._flight.clear()
        self._present = [last]
        now = self._clock()
        self._send_at, end = now, now + patience
        self.sock.setblocking(True)
        self._send(now)
        while self._waits(last) and (now := self._clock()) < end:
            self.sock.settimeout(max(0.01, min(self.due, end) - now))
            self.serve()
            self.work(self._clock())
        self.close()

    def close(self) -> None:
        """Let go of the socket and the spool."""
        self.sock.close()
        self.spool.close()

    # -- sending

    def _waits(self, sequence: int) -> bool:
        return sequence in self.spool or sequence in self._unsaved

    def _next_to_send(self) -> int | None:
        """The present first, then the past in its order; of a collector not known to answer one at a time."""
        if len(self._flight) >= (WINDOW if self._sure else 1):
            return None
        for sequence in self._present:
            if sequence not in self._flight and self._waits(sequence):
                return sequence
        if self._ending:
            return None
        return next((sequence for sequence in self.spool if sequence not in self._flight), None)

    def _send(self, now: float) -> None:
        while now >= self._send_at and (sequence := self._next_to_send()) is not None:
            self._transmit(sequence, now, 1)

    def _transmit(self, sequence: int, now: float, tries: int) -> None:
        if not self._flight:
            self._heard = now  # patience is for what is under way, not for a quiet hour
        wait = PROBE if self._silent_since is not None else min(TIMEOUT * (1 << tries - 1), LONGEST)
        if self._ending:
            wait = _HURRY
        if sequence in self._flight:
            number = self._flight[sequence].number
        else:
            # not made from the name: parts of two starts may be under way together, and their ends are alike
            number = self._number = self._number + 1 & 0x7FFFFFFF
        self._flight[sequence] = Sent(now + wait, tries, number)
        try:
            part = self._unsaved[sequence] if sequence in self._unsaved else Part.unpack(self.spool.get(sequence))
            waiting = self.spool.oldest()
            oldest = min(sequence if waiting is None else waiting, min(self._unsaved, default=sequence))
            told = notification(part, sequence, oldest, self._enterprise, part.age(self._boot, self._clock(), self._wall()))
            datagram = self._session.request(number, told, now)
        except (StateError, SnmpError, struct.error) as error:
            self._say(f"a report is given up: {error}")
            self._acknowledged(sequence)
            return
        self._send_at = max(self._send_at, now - 0.1) + len(datagram) / PACE
        self._count(len(datagram))
        try:
            self.sock.sendto(datagram, self.options.to)
        except OSError as error:
            self._tell("collector", f"{self._place}: {error.strerror}")

    def _repeat(self, sequence: int, sent: Sent, now: float) -> None:
        if self._silent_since is None and now - self._heard < PATIENCE:
            self._transmit(sequence, now, sent.tries + 1)
            return
        # A silent collector is asked with the few octets of engine discovery until it answers.
        if self._silent_since is None:
            self._silent_since = now
            self._tell("collector", f"{self._place} does not answer; reports are kept until it does")
        self._quieten()

    def _quieten(self) -> None:
        self._flight.clear()
        self._sure = False
        self._session = self._new_session()

    def serve(self, responder: object = None) -> None:
        """Take what has arrived. (The argument is what other sockets of the agent's loop answer with.)"""
        try:
            while True:
                data, address = self.sock.recvfrom(65535)
                if address[:2] == self.options.to:
                    self._count(len(data))
                    self._take(data, self._clock())
                if self.sock.gettimeout() != 0.0:
                    return
        except OSError:
            return

    def _take(self, data: bytes, now: float) -> None:
        try:
            answer = self._session.receive(data, now)
        except StatusError as error:
            for sequence in self._named(error.request_id):
                self._say(f"{self._place} cannot use a report, which is given up: {error}")
                self._answered(sequence, now)
            return
        except SnmpError as error:
            self._tell("collector", f"{self._place} refuses our reports: {error}")
            self.refused = True
            self._silent_since = self._silent_since or now
            self._quieten()
            self._send_at = now + self._refused_wait
            self._refused_wait = min(2 * self._refused_wait, REFUSED_LONGEST)
            return
        if answer is RETRY:
            if len(self._flight) > 1:  # it was restarted, and complains of every one of them
                self._quieten()
                self._send_at = now
                self._send(now)
                return
            for sequence, sent in list(self._flight.items()):
                self._transmit(sequence, now, sent.tries)
        elif isinstance(answer, int):
            for sequence in self._named(answer):
                self._answered(sequence, now)

    def _named(self, number: int) -> list[int]:
        """The part under way whose inform has this id, if there is one."""
        return [sequence for sequence, sent in self._flight.items() if sent.number == number]

    def _answered(self, sequence: int, now: float) -> None:
        self._acknowledged(sequence)
        self._owed.discard(sequence)
        self._acknowledged_at = int(self._wall())
        self._sure = True
        self.refused = False
        self._refused_wait = REFUSED
        self._heard = now
        silent, self._silent_since = self._silent_since, None
        if self._receiver not in (b"", self._session.receiver):
            self._full_at = self._report_at = now  # another collector, which has not heard what the others differ from
        self._receiver = self._session.receiver
        if silent is not None:
            self._say(f"{self._place} answers again; {len(self.spool)} parts of reports wait")
            if now - silent > TIMEOUT and not self._ending:
                self.report(CHANGE, now)
        self._tell("collector", "")
        self._send(now)

    def _acknowledged(self, sequence: int) -> None:
        self._flight.pop(sequence, None)
        self._unsaved.pop(sequence, None)
        self.spool.done(sequence)

    # -- telling

    def _count(self, octets: int) -> None:
        """Octets on the line, IP and UDP headers included, by the day."""
        day = int(self._wall() // FULL_EVERY)
        if day != self._day:
            self._octets_before = self._octets if day == self._day + 1 else 0
            self._day, self._octets = day, 0
        self._octets += octets + _HEADERS

    def standing(self) -> str:
        """How reports fare, as a JSON object; what was `noted` before the start is counted on."""
        numbers = {
            "acknowledged": self._acknowledged_at, "day": self._day, "waiting": len(self.spool) + len(self._unsaved),
            "spool_octets": self.spool.size, "given_up": self.spool.dropped,
            "octets_today": self._octets, "octets_yesterday": self._octets_before,
        }  # fmt: skip
        said = "; ".join(filter(None, self._troubles.values()))
        trouble = "".join(letter if letter.isprintable() and letter not in '"\\' else " " for letter in said)
        figures = ", ".join(f'"{key}": {value}' for key, value in numbers.items())
        return f'{{"to": "{self._to}", {figures}, "trouble": "{trouble}"}}'

    @property
    def _to(self) -> str:
        return self.options.place

    @property
    def _place(self) -> str:
        return f"the collector at {self._to}"

    def _tell(self, what: str, trouble: str) -> None:
        if trouble and trouble != self._troubles[what]:
            self._say(trouble)
        self._troubles[what] = trouble
