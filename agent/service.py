"""The resident process: sockets, signals, and the child that reads the hardware."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from types import FrameType, ModuleType
from typing import TYPE_CHECKING

from snmp.access import CommunityAccess
from snmp.engine import steady
from snmp.responder import Responder
from snmp.sockets import ANCILLARY, from_asked, note_asked
from snmp.tree import Group, LiveTree

from . import __version__, enrolment, lifeline, state, versions
from .enrolment import Enrolment
from .errands import Errand, Errands
from .errors import AgentError, StateError
from .settings import Push as PushSettings
from .settings import Settings, place
from .tree import Machine

if TYPE_CHECKING:
    from snmp.engine import Engine

    from .push import Push

OTHER_MACHINE = 3
"""Exit status of `haidang-agent identity`: the keys here were made for another machine."""
UNANSWERED = 4
"""Exit status of `haidang-agent check-in`: the collector could not be asked, or not now."""
RETRY = 30.0
"""Seconds until it is asked again, more or less; each further time it is twice as long, up to the usual time."""
TICK = 15.0
"""Seconds between two looks at the processors when nobody asks."""
FETCH = 1800.0
"""Seconds that a check-in may take: it may fetch a new version over a weak line."""
NOTE_EVERY, FIRST_NOTE = 60.0, 5.0
"""Seconds between two notes of how reports fare, and from the start to the first."""
_CHILD_TICK = 0.2
_RECEIVE = 65535


def source() -> ModuleType:
    """The readers for this operating system."""
    if os.name == "nt":
        from . import windows

        return windows
    from . import linux

    return linux


def say(message: str) -> None:
    """A line for the journal."""
    print(f"haidang-agent: {message}", file=sys.stderr, flush=True)


def _probation() -> versions.Probation | None:
    try:
        return versions.probation(steady())
    except StateError as error:
        say(str(error))
        return None


class Endpoint:
    """A bound UDP socket. One bound to every address answers from the address it was asked at."""

    __slots__ = ("_everywhere", "sock")

    def __init__(self, host: str, port: int) -> None:
        """Raises AgentError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if family == socket.AF_INET6:
                self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._everywhere = note_asked(self.sock, host)
            self.sock.bind((host, port))
        except OSError as error:
            self.sock.close()
            hint = "; ports below 1024 need root or CAP_NET_BIND_SERVICE" if isinstance(error, PermissionError) else ""
            raise AgentError(f"cannot listen on {place(host, port)}: {error.strerror}{hint}") from None
        self.sock.setblocking(False)

    def __str__(self) -> str:
        return place(*self.sock.getsockname()[:2])

    def fileno(self) -> int:
        """What `select` waits for."""
        return self.sock.fileno()

    def serve(self, responder: Responder) -> None:
        """Answer what has arrived: one datagram, for there is hardly ever a second one."""
        try:
            if self._everywhere:
                self._serve_asked(responder)
                return
            data, address = self.sock.recvfrom(_RECEIVE)
            answer = responder.answer(data, address)
            if answer is not None:
                self.sock.sendto(answer, address)
        except OSError:
            # Nothing to read after all, or an answer the network would not take: the manager asks again.
            return

    def _serve_asked(self, responder: Responder) -> None:
        data, ancillary, _, address = self.sock.recvmsg(_RECEIVE, ANCILLARY)
        answer = responder.answer(data, address)
        if answer is not None:
            self.sock.sendmsg([answer], from_asked(ancillary), 0, address)


def _stamp(directory: str) -> int:
    """Tells one enrolment from another; 0 when there is none."""
    try:
        return os.stat(os.path.join(directory, enrolment.FILE)).st_mtime_ns
    except OSError:
        return 0


def _enrolment(directory: str) -> Enrolment | None:
    try:
        return enrolment.load(directory)
    except StateError as error:
        say(str(error))
        return None


class Stop:
    """SIGTERM and SIGINT, heeded for as long as the process lives: a service that begins again must not miss one."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        self.told = False

    def heed(self) -> None:
        """From now on they end the service instead of the process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._tell)

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self.told = True


class Service:
    """The agent at work. `run` returns when it is asked to end, by `stop` or for a reason of its own."""

    def __init__(self, settings: Settings, stop: Stop) -> None:
        """Binds the sockets and counts a boot; raises AgentError or SnmpError and leaves nothing behind."""
        self._settings = settings
        self._stop = stop
        self._machine = Machine(source(), settings.enterprise, settings.contact, settings.location)
        self._enrolled = _stamp(settings.state)
        self._enrolment = _enrolment(settings.state)
        self._errands = Errands(self._listed(), say)
        self._ending = self._again = self._refused = False
        self._noted, self._unnoted = 0.0, ""
        self._retry = RETRY
        self._lifeline: lifeline.Lifeline | None = None
        self._probation = _probation()
        self._groups = self._machine.groups()
        try:
            state.prepare(settings.state)
        except StateError as error:
            if self._enrolment is None:
                raise
            say(f"{error}; reports go on from memory")
        self.endpoints: list[Endpoint] = []
        self._engine: Engine | None = None
        self._pushes: list[Push] = []
        try:
            for host, port in settings.listen if settings.communities or settings.users else ():
                self.endpoints.append(Endpoint(host, port))
            self._responder = self._make_responder()
            if self._enrolment is None:
                self._open_pushes(settings.pushes)
        except Exception:
            self.close()
            raise

    def _make_responder(self) -> Responder:
        settings = self._settings
        communities = [CommunityAccess(c.name.encode(), c.networks) for c in settings.communities]
        tree = LiveTree(self._groups)
        responder = self._with_users(tree, communities) if settings.users else Responder(tree, communities)
        self._groups = [*self._groups, Group("snmp", responder.stats.rows, 1)]
        self._load_inventory(responder)
        return responder

    def _with_users(self, tree: LiveTree, communities: list[CommunityAccess]) -> Responder:
        # Hashes and ciphers cost as much memory as all the rest: only who has users pays.
        from snmp.access import UserAccess
        from snmp.ciphers import cipher_factory
        from snmp.engine import engine_rows
        from snmp.usm import User

        settings = self._settings
        users = [
            UserAccess(User(u.name.encode(), u.auth, u.auth_secret.encode(), u.priv, u.priv_secret.encode()), u.networks)
            for u in settings.users
        ]
        engine = self._engine = self._start_engine()
        responder = Responder(tree, communities, users, engine, ciphers=cipher_factory("libcrypto"))
        self._groups.append(Group("engine", lambda: engine_rows(engine, responder.max_size, steady()), 0))
        return responder

    def _start_engine(self) -> Engine:
        """This agent's own; where the disk is full, worn out or damaged a spare one, so that somebody hears of it."""
        directory, enterprise = self._settings.state, self._settings.enterprise
        pushes = self._all_pushes()
        try:
            return state.engine(directory, enterprise)
        except StateError as error:
            if not pushes:
                raise
            say(f"{error}; reports go on under another engine ID")
            whose = self._enrolment.device if self._enrolment is not None else pushes[0].user.name
            return state.spare_engine(enterprise, whose)

    def _all_pushes(self) -> tuple[PushSettings, ...]:
        return self._settings.pushes + (self._enrolment.pushes if self._enrolment is not None else ())

    def _listed(self) -> list[Errand]:
        """What children do, in the order of a start."""
        settings = self._settings
        looks = ["inventory", "--state", settings.state, "--enterprise", str(settings.enterprise)]
        looks += ["--software"] * settings.software + ["--users"] * settings.users_shown
        errands = [Errand(looks, settings.inventory_hours * 3600, self._inventory_ended)]
        if self._enrolment is not None:
            asks = ["check-in", "--state", settings.state, "--enterprise", str(settings.enterprise)]
            jitter = 1 + 0.1 * (os.urandom(1)[0] / 127.5 - 1)
            errands.insert(0, Errand(["identity", "--state", settings.state], float("inf"), self._identity_ended))
            errands.append(Errand(asks, self._enrolment.check_in_seconds * jitter, self._check_in_ended, patience=FETCH))
        return errands

    def _open_pushes(self, pushes: tuple[PushSettings, ...]) -> None:
        settings = self._settings
        if not pushes:
            return
        from .push import Push, spool_name
        from .spool import inherit

        inherit(os.path.join(settings.state, state.SPOOLS), [spool_name(one) for one in pushes], say)
        engine = self._engine = self._engine or self._start_engine()
        try:
            noted = (state.read(os.path.join(settings.state, state.REPORTS)) or b"").decode("utf-8", "replace")
        except StateError:
            noted = ""
        self._noted = steady() + FIRST_NOTE
        for options in pushes:
            self._pushes.append(
                Push(
                    options, settings.state, engine.id, engine.boots, settings.enterprise,
                    lambda: self._responder.tree.rows(steady()), self._machine.uptime, say, noted,
                )
            )  # fmt: skip

    def run(self) -> bool:
        """Answer until SIGTERM or SIGINT; True: begin again, for the enrolment is another one."""
        waker, woken = socket.socketpair()
        for end in (waker, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        self._stop.heed()
        self._lifeline = lifeline.held()
        say(f"{__version__} {', '.join(self._doings())}")
        try:
            # The first child waits until those who waited for the start have their answers.
            due = steady() + _CHILD_TICK
            while not (self._ending or self._stop.told):
                now = steady()
                if now >= due:
                    self._tick(now)
                    due = now + (_CHILD_TICK if self._errands.busy else TICK)
                for push in self._pushes:
                    if now >= push.due:
                        push.work(now)
                wake = min((push.due for push in self._pushes), default=due)
                heard: list[Endpoint | Push] = [*self.endpoints, *self._pushes]
                ready = select.select([waker, *heard], (), (), max(min(due, wake) - now, 0.0))[0]
                for one in heard:
                    if one in ready:
                        one.serve(self._responder)
                if self._turned():
                    due = now
            self._again = self._again and not self._stop.told
            if self._pushes and not self._again:
                from .ending import reason

                why = reason(self._lifeline is not None and self._lifeline.going_down)
                for push in self._pushes:
                    push.farewell(why)
                self._noted = 0.0
                self._note(steady())
        finally:
            signal.set_wakeup_fd(-1)
            waker.close()
            woken.close()
            self.close()
        return self._again

    def close(self) -> None:
        """Let go of sockets and child."""
        for endpoint in self.endpoints:
            endpoint.sock.close()
        for push in self._pushes:
            push.close()
        self._errands.close()

    def _doings(self) -> list[str]:
        doings = [f"listens on {', '.join(map(str, self.endpoints))}"] if self.endpoints else []
        doings += [f"tells {push.place}" for push in self._all_pushes()]
        return doings or ["waits: nobody may ask it, and it tells no collector (enrol it, or write a [[community]])"]

    def _tick(self, now: float) -> None:
        """What is done beside answering."""
        self._machine.look()
        self._ask_why(now)
        self._errands.tick(now)
        self._note(now)
        self._prove(now)
        if _stamp(self._settings.state) != self._enrolled:
            self._ending = self._again = True

    def _ask_why(self, now: float) -> None:
        """A collector that begins to refuse reports has other keys for us, or none; one that takes them again has not any more
        what it told us then: a check-in tells."""
        if self._turned():
            self._errands.hasten("check-in", now)
            self._refused = not self._refused

    def _turned(self) -> bool:
        return self._refused != any(push.refused for push in self._pushes)

    def _note(self, now: float) -> None:
        """For `haidang-agent status`: how reports fare."""
        if self._pushes and now >= self._noted:
            self._noted = now + NOTE_EVERY
            trouble = ""
            try:
                told = ",\n".join(push.standing() for push in self._pushes)
                state.write(os.path.join(self._settings.state, state.REPORTS), f"[{told}]\n".encode(), lasting=False)
            except StateError as error:
                trouble = str(error)
            if trouble and trouble != self._unnoted:
                say(trouble)
            self._unnoted = trouble

    def _prove(self, now: float) -> None:
        """A version that was sent has to show that it works."""
        try:
            if self._probation is not None and self._probation.over(now, any(push.answers for push in self._pushes)):
                self._probation = None
        except StateError as error:
            say(str(error))

    def _inventory_ended(self, status: int | None) -> None:
        if status:
            say(f"the inventory ended with status {status}; the last one stays")
        elif status == 0:
            self._load_inventory(self._responder)

    def _identity_ended(self, status: int | None) -> None:
        if status == OTHER_MACHINE:
            say("the keys here were made for another machine: nothing is reported until this one has its own")
            return
        if self._enrolment is not None:
            self._open_pushes(self._all_pushes())

    def _check_in_ended(self, status: int | None) -> None:
        if status == UNANSWERED:
            # A machine may be on for less than the usual time, or have its network some seconds after its start.
            self._errands.hasten("check-in", steady() + self._retry * (0.5 + os.urandom(1)[0] / 255))
            self._retry *= 2
        elif status:
            say(f"asking the collector ended with status {status}")
        if status in (0, UNANSWERED):
            self._load_inventory(self._responder)
        if status == 0:
            self._retry = RETRY
            if version := versions.waiting():
                say(f"makes way for {version}")
                self._ending = True

    def _load_inventory(self, responder: Responder) -> None:
        rows = []
        for name in (state.ROWS, state.STANDING_ROWS):
            try:
                rows += state.read_rows(self._settings.state, name)
            except StateError as error:
                say(f"{error}; the next one replaces it")
        responder.tree = LiveTree([*self._groups, Group("inventory", lambda: rows, float("inf"))])
