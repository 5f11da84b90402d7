"""Sending notifications without a network: informs that find their receiver's engine, and survive what happens to it."""

from __future__ import annotations

import pytest

from snmp import ber, message, v3
from snmp.access import CommunityAccess, UserAccess
from snmp.engine import COUNTERS, Engine, engine_id
from snmp.errors import NotInTimeWindow, StatusError, UnknownEngine, UnknownUser, UnsupportedSecurityLevel, WrongDigest
from snmp.message import Pdu, VarBind
from snmp.notify import RETRY, SNMP_TRAPS, InformSession, Notification
from snmp.oid import OID
from snmp.receiver import Receiver
from snmp.security import Community
from snmp.usm import MAX_BOOTS, User

AGENT = engine_id(32473, b"agent")
OURS = engine_id(32473, b"collector")
SAID = Notification(OID((*SNMP_TRAPS, 1)), 42, (VarBind(OID((1, 3, 6, 1, 2, 1, 1, 5, 0)), ber.OCTET_STRING, b"pc-1"),))
OPEN = User(b"open")
SIGNED = User(b"signed", "SHA-512", b"authpass1234")
SEALED = User(b"sealed", "SHA-1", b"authpass1234", "AES-128", b"privpass1234")
USERS = (OPEN, SIGNED, SEALED)


class World:
    """A receiver and the time both sides share; `boots` and `engine` are what a restart changes."""

    def __init__(self, users: tuple[User, ...] = USERS, boots: int = 4, engine: bytes = OURS) -> None:
        self.now = 1000.0
        self.users = users
        self.start(boots, engine)
        self.taken: list[Notification] = []

    def start(self, boots: int, engine: bytes = OURS) -> None:
        users = [UserAccess(user) for user in self.users]
        ours = Engine(engine, boots, self.now - 50)
        self.receiver = Receiver([CommunityAccess(b"public")], users, ours, clock=lambda: self.now)

    def send(self, session: InformSession, inform_id: int) -> int:
        """Send until acknowledged: how many datagrams it took."""
        for count in range(1, 9):
            notification, reply = self.receiver.receive(session.request(inform_id, SAID, self.now), "192.0.2.1")
            if notification is not None:
                self.taken.append(notification)
            assert reply is not None
            result = session.receive(reply, self.now)
            if result is RETRY:
                continue
            assert result == inform_id
            return count
        raise AssertionError("no end of retries")


def test_a_v2c_inform_needs_one_datagram() -> None:
    """With a community there is nothing to discover."""
    world, session = World(), InformSession(Community(b"public"))
    assert [world.send(session, i) for i in (0, 7, 2**31 - 1)] == [1, 1, 1]
    assert [said.trap for said in world.taken] == [SAID.trap] * 3


def test_v1_has_no_informs() -> None:
    """A v1 community is refused when the session is made."""
    with pytest.raises(ValueError, match="v2c or v3"):
        InformSession(Community(b"public", message.V1))


@pytest.mark.parametrize("user", USERS)
def test_a_v3_inform_discovers_once(user: User) -> None:
    """The first inform takes a discovery more, all further ones a single datagram; our engine and context arrive."""
    world, session = World(), InformSession(user, b"room", AGENT)
    assert [world.send(session, i) for i in (1, 2, 3)] == [2, 1, 1]
    said = world.taken[0]
    assert (said.trap, said.uptime, said.varbinds, said.user, said.level) == (SAID.trap, 42, SAID.varbinds, user.name, user.level)
    assert (said.engine_id, said.context, said.request_id, said.confirmed) == (AGENT, b"room", 1, True)


def test_the_receivers_restart_is_survived() -> None:
    """After a reboot of the receiver its authentic Report brings the new boots and time, and the inform goes again."""
    world, session = World(), InformSession(SEALED)
    world.send(session, 1)
    world.now += 5000
    world.start(5)
    assert world.send(session, 2) == 2
    assert world.send(session, 3) == 1


def test_a_new_receiver_is_survived() -> None:
    """Another engine behind the same address is discovered, with keys of its own."""
    world, session = World(), InformSession(SEALED)
    world.send(session, 1)
    world.start(1, engine_id(32473, b"replacement"))
    assert world.send(session, 2) <= 3
    assert world.send(session, 3) == 1


@pytest.mark.parametrize("step", [10000, -900])
def test_a_clock_may_step(step: float) -> None:
    """When the two clocks part, as a machine asleep or restored does, the receiver's authentic Report sets us right."""
    world, session = World(), InformSession(SEALED)
    world.now += 950
    world.send(session, 1)
    _, reply = world.receiver.receive(session.request(2, SAID, world.now + step), "192.0.2.1")
    assert session.receive(reply or b"", world.now) is RETRY
    assert world.send(session, 2) == 1


def test_a_receiver_restored_from_a_backup_is_survived() -> None:
    """Boots that go back, which should not be, do not lose the receiver for ever."""
    world, session = World(boots=9), InformSession(SEALED)
    world.send(session, 1)
    world.start(4)
    assert world.send(session, 2) == 2


def test_used_up_boots_are_an_error() -> None:
    """A receiver at its last boot accepts nobody: the session says so instead of trying for ever (RFC 3414 2.2.2)."""
    with pytest.raises(NotInTimeWindow):
        World(boots=MAX_BOOTS).send(InformSession(SEALED), 1)


def test_wrong_credentials_are_named() -> None:
    """An unknown user, a wrong password, a level the receiver's user lacks: each raises its own error."""
    for user, kind in (
        (User(b"stranger", "SHA-1", b"authpass1234"), UnknownUser),
        (User(b"sealed", "SHA-1", b"wrongpass1234", "AES-128", b"privpass1234"), WrongDigest),
        (User(b"signed", "SHA-512", b"authpass1234", "AES-128", b"privpass1234"), UnsupportedSecurityLevel),
    ):
        with pytest.raises(kind, match="reports usmStats"):
            World().send(InformSession(user), 1)


def test_a_refused_inform_is_an_error() -> None:
    """A receiver that answers with an error-status has not taken the inform."""
    session = InformSession(Community(b"public"))
    session.request(5, SAID, 0.0)
    refusal = message.encode_community(message.V2C, b"public", message.encode_pdu(Pdu(message.RESPONSE, 5, 5, 1, b"")))
    with pytest.raises(StatusError, match="genErr at varbind 1"):
        session.receive(refusal, 0.0)


def test_only_our_acknowledgement_counts() -> None:
    """Answers to other requests, of other communities, users or engines, twice, or forged, acknowledge nothing."""
    session = InformSession(Community(b"public"))
    session.request(5, SAID, 0.0)

    def response(name: bytes, request_id: int, kind: int = message.RESPONSE) -> bytes:
        return message.encode_community(message.V2C, name, message.encode_pdu(Pdu(kind, request_id, 0, 0, b"")))

    for data in (response(b"public", 6), response(b"other", 5), response(b"public", 5, message.GET), b"", b"\x30\x03junk"):
        assert session.receive(data, 0.0) is None
    assert session.receive(response(b"public", 5), 0.0) == 5
    assert session.receive(response(b"public", 5), 0.0) is None

    world, session = World(), InformSession(SEALED)
    world.send(session, 1)
    msg_id = v3.decode(session.request(2, SAID, world.now)).msg_id
    pdu = message.encode_pdu(Pdu(message.RESPONSE, 2, 0, 0, b""))
    keys = SEALED.localise(OURS)

    def sealed(msg_id: int = msg_id, flags: int = 3, time: int = 50, user: bytes = b"sealed", pdu: bytes = pdu) -> bytes:
        return v3.encode(msg_id, flags, OURS, 4, time, user, v3.encode_scoped(OURS, b"", pdu), keys if flags else None)

    assert session.receive(sealed(msg_id + 1), world.now) is None
    assert session.receive(sealed(flags=0), world.now) is None, "an answer without the digest we asked with"
    assert session.receive(sealed(flags=1), world.now) is None
    assert session.receive(sealed(user=b"signed"), world.now) is None
    assert session.receive(sealed()[:-1] + b"\x00", world.now) is None
    world.now += 300
    assert session.receive(sealed(time=50), world.now) is None, "an old answer sent again"
    assert session.receive(sealed(time=350), world.now) == 2


def test_a_report_that_is_not_signed_does_not_set_the_clock() -> None:
    """Only an authentic notInTimeWindow may move our idea of the receiver's time."""
    world, session = World(), InformSession(SEALED)
    world.send(session, 1)
    msg_id = v3.decode(session.request(2, SAID, world.now)).msg_id
    body = message.encode_varbind(COUNTERS["usmStatsNotInTimeWindows"], ber.COUNTER32, 1)
    report = message.encode_pdu(Pdu(message.REPORT, 2, 0, 0, body))
    assert session.receive(v3.encode(msg_id, 0, OURS, 99, 5, b"sealed", v3.encode_scoped(OURS, b"", report)), world.now) is None
    assert world.send(session, 2) == 1


def test_a_receiver_that_never_agrees_ends_in_an_error() -> None:
    """Reports without end are not followed without end."""
    session = InformSession(SEALED)
    body = message.encode_varbind(COUNTERS["usmStatsUnknownEngineIDs"], ber.COUNTER32, 1)
    pdu = message.encode_pdu(Pdu(message.REPORT, 0, 0, 0, body))

    def report(i: int) -> object:
        msg_id = v3.decode(session.request(1, SAID, 0.0)).msg_id
        engine = engine_id(32473, b"%d" % i)
        return session.receive(v3.encode(msg_id, 0, engine, 1, 1, b"", v3.encode_scoped(engine, b"", pdu)), 0.0)

    assert [report(i) for i in range(4)] == [RETRY] * 4
    with pytest.raises(UnknownEngine, match="reports usmStatsUnknownEngineIDs"):
        report(5)


def test_what_is_under_way_is_bounded() -> None:
    """A receiver that is gone for a week does not fill the sender's memory."""
    session = InformSession(Community(b"public"))
    for i in range(5000):
        session.request(i, SAID, 0.0)
    assert len(session._outstanding) <= 1024
