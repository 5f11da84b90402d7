"""Receiving notifications without a network: what is taken, what is acknowledged, what is met with silence."""

from __future__ import annotations

import tracemalloc

import pytest
from mutation import mutated

from snmp import ber, message, v3
from snmp.access import CommunityAccess, UserAccess
from snmp.engine import COUNTERS, Engine, engine_id
from snmp.errors import EncodeError
from snmp.message import Pdu, TrapV1, VarBind
from snmp.notify import (
    SNMP_TRAP_ADDRESS,
    SNMP_TRAP_ENTERPRISE,
    SNMP_TRAP_OID,
    SNMP_TRAPS,
    SYS_UP_TIME,
    Notification,
    to_v1,
    trap_v1,
    trap_v2,
    trap_v3,
)
from snmp.oid import OID
from snmp.receiver import Receiver
from snmp.usm import MAX_BOOTS, User

NOW = 5000.0
SENDER = ("192.0.2.7", 162)
OURS = engine_id(32473, b"receiver")
THEIRS = engine_id(32473, b"sender")
LINK_DOWN = OID((*SNMP_TRAPS, 3))
ALARM = OID((1, 3, 6, 1, 4, 1, 32473, 2, 0, 9))
INDEX = VarBind(OID((1, 3, 6, 1, 2, 1, 2, 2, 1, 1, 7)), ber.INTEGER, 7)
WIDE = VarBind(OID((1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6, 7)), ber.COUNTER64, 2**50)
SAID = Notification(LINK_DOWN, 4711, (INDEX,))

OPEN = User(b"open")
SIGNED = User(b"signed", "SHA-256", b"authpass1234")
SEALED = User(b"sealed", "SHA-1", b"authpass1234", "AES-128", b"privpass1234")
STRETCHED = User(b"stretched", "MD5", b"authpass1234", "AES-256-C", b"privpass1234")


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def make(clock: Clock | None = None, engine: bool = True) -> Receiver:
    users = [UserAccess(user) for user in (OPEN, SIGNED, SEALED, STRETCHED)]
    users.append(UserAccess(User(b"inside"), ["10.1.0.0/16"]))
    communities = [CommunityAccess(b"public"), CommunityAccess(b"inside", ["10.1.0.0/16"])]
    ours = Engine(OURS, 3, NOW - 900) if engine else None
    return Receiver(communities, users, ours, clock=clock or Clock())


def inform(kind: int = message.INFORM) -> bytes:
    first = [VarBind(SYS_UP_TIME, ber.TIME_TICKS, 4711), VarBind(SNMP_TRAP_OID, ber.OBJECT_IDENTIFIER, LINK_DOWN)]
    return message.encode_pdu(Pdu(kind, 99, 0, 0, message.encode_varbinds([*first, INDEX])))


def informed(user: User, *, boots: int = 3, time: int = 900, engine: bytes = OURS, level: int | None = None) -> bytes:
    level = user.level if level is None else level
    scoped = v3.encode_scoped(THEIRS, b"room", inform())
    return v3.encode(42, v3.REPORTABLE | level, engine, boots, time, user.name, scoped, user.localise(OURS))


def core(notification: Notification | None) -> tuple[OID, int, tuple[VarBind, ...]]:
    assert notification is not None
    return notification.trap, notification.uptime, notification.varbinds


def test_without_users_left_senders_are_told() -> None:
    """A receiver whose last user was taken away says so to who still sends; one whose users come from elsewhere says nothing."""
    engine = Engine(OURS, 3, NOW - 900)
    told, reply = Receiver((), (), engine, clock=Clock()).receive(informed(SIGNED), SENDER)
    assert told is None and reply is not None
    bindings = message.decode_varbinds(v3.decode_scoped(v3.decode(reply).payload)[2].body)
    assert bindings[0].oid == COUNTERS["usmStatsUnknownUserNames"]
    elsewhere = Receiver((), [UserAccess(SIGNED, ["10.1.0.0/16"])], engine, clock=Clock())
    assert elsewhere.receive(informed(SIGNED), SENDER) == (None, None)


# communities


def test_a_v2c_trap_is_taken_and_not_answered() -> None:
    """Trap, uptime and the rest of the varbinds; who sent it, with which community."""
    notification, reply = make().receive(trap_v2(SAID, b"public", 12), SENDER)
    assert reply is None
    assert notification == Notification(LINK_DOWN, 4711, (INDEX,), "192.0.2.7", message.V2C, False, 12, b"public")
    assert "public" not in repr(notification)


def test_a_v2c_inform_comes_with_its_acknowledgement() -> None:
    """The acknowledgement is a Response with the same request id, community and varbinds, for the caller to send when safe."""
    data = message.encode_community(message.V2C, b"public", inform())
    notification, reply = make().receive(data, SENDER)
    assert core(notification) == (LINK_DOWN, 4711, (INDEX,))
    assert notification is not None and notification.confirmed
    assert reply == message.encode_community(message.V2C, b"public", inform(message.RESPONSE))


@pytest.mark.parametrize(
    ("generic", "specific", "expected"),
    [(generic, 0, OID((*SNMP_TRAPS, generic + 1))) for generic in range(6)]
    + [(6, 42, OID((1, 3, 6, 1, 4, 1, 9, 0, 42))), (6, -1, OID((1, 3, 6, 1, 4, 1, 9, 0, 2**32 - 1)))],
)
def test_v1_traps_become_v2(generic: int, specific: int, expected: OID) -> None:
    """Generic traps are snmpTraps', specific ones enterprise.0.specific; agent address and enterprise are kept (RFC 3584 3.1)."""
    trap = TrapV1(OID((1, 3, 6, 1, 4, 1, 9)), bytes((10, 1, 2, 3)), generic, specific, 77, message.encode_varbinds([INDEX]))
    data = message.encode_community(message.V1, b"public", message.encode_trap_v1(trap))
    notification, reply = make().receive(data, SENDER)
    assert reply is None
    assert core(notification) == (
        expected,
        77,
        (
            INDEX,
            VarBind(SNMP_TRAP_ADDRESS, ber.IP_ADDRESS, bytes((10, 1, 2, 3))),
            VarBind(SNMP_TRAP_ENTERPRISE, ber.OBJECT_IDENTIFIER, OID((1, 3, 6, 1, 4, 1, 9))),
        ),
    )
    assert notification is not None and notification.version == message.V1


def test_a_generic_number_that_does_not_exist_is_refused() -> None:
    """Generic trap 7 means nothing."""
    for generic in (-1, 7):
        trap = TrapV1(OID((1, 3, 6)), bytes(4), generic, 0, 0, b"")
        receiver = make()
        data = message.encode_community(message.V1, b"public", message.encode_trap_v1(trap))
        assert receiver.receive(data, SENDER) == (None, None)
        assert receiver.stats["snmpInASNParseErrs"] == 1


@pytest.mark.parametrize("trap", [LINK_DOWN, ALARM, OID((1, 3, 6, 1, 4, 1, 9, 9, 5)), OID((*SNMP_TRAPS, 9)), OID((1, 3, 6))])
def test_a_v1_trap_comes_back_as_it_was(trap: OID) -> None:
    """A notification sent as v1 arrives with its objects; standard traps and enterprise.0.n with the very same name."""
    notification, _ = make().receive(trap_v1(Notification(trap, 5, (INDEX,)), b"public", bytes((10, 0, 0, 1))), SENDER)
    assert notification is not None
    assert notification.varbinds[0] == INDEX
    assert notification.varbinds[1].value == bytes((10, 0, 0, 1))
    if trap in (LINK_DOWN, ALARM):
        assert notification.trap == trap
    else:
        assert notification.trap == OID((*trap[:-1], 0, trap[-1]))


def test_v1_cannot_carry_a_counter64() -> None:
    """A notification with a Counter64 is not sent as v1 (RFC 3584 3.2), nor is its value silently dropped."""
    with pytest.raises(EncodeError, match=r"31\.1\.1\.1\.6\.7, a Counter64"):
        to_v1(Notification(LINK_DOWN, 1, (WIDE,)))


def test_a_forwarded_v1_trap_keeps_its_origin() -> None:
    """Agent address and enterprise of a v1 trap survive being received and sent as v1 again."""
    first = TrapV1(OID((1, 3, 6, 1, 4, 1, 9)), bytes((10, 1, 2, 3)), 2, 0, 77, message.encode_varbinds([INDEX]))
    data = message.encode_community(message.V1, b"public", message.encode_trap_v1(first))
    notification, _ = make().receive(data, SENDER)
    assert notification is not None
    assert to_v1(notification) == first


def test_what_is_no_notification_is_ignored() -> None:
    """Requests, responses, reports, wrong communities and versions, traps without snmpTrapOID.0: nothing comes of them."""
    receiver = make()
    for kind in (message.GET, message.GET_NEXT, message.SET, message.GET_BULK, message.RESPONSE, message.REPORT):
        assert receiver.receive(message.encode_community(message.V2C, b"public", inform(kind)), SENDER) == (None, None)
        scoped = v3.encode_scoped(OURS, b"", inform(kind))
        data = v3.encode(1, 4 | 3, OURS, 3, 900, SEALED.name, scoped, SEALED.localise(OURS))
        assert receiver.receive(data, SENDER) == (None, None)
    for version, community in ((message.V1, b"public"), (message.V2C, b"wrong"), (message.V2C, b"inside"), (2, b"public")):
        assert receiver.receive(message.encode_community(version, community, inform()), SENDER) == (None, None)
    v1_in_v2 = message.encode_trap_v1(TrapV1(OID((1, 3, 6)), bytes(4), 0, 0, 0, b""))
    assert receiver.receive(message.encode_community(message.V2C, b"public", v1_in_v2), SENDER) == (None, None)
    bare = message.encode_pdu(Pdu(message.INFORM, 1, 0, 0, message.encode_varbinds([INDEX])))
    assert receiver.receive(message.encode_community(message.V2C, b"public", bare), SENDER) == (None, None)
    assert receiver.stats["snmpInBadCommunityNames"] == 2
    assert receiver.stats["snmpInBadVersions"] == 1


# v3 traps: the sender is authoritative


@pytest.mark.parametrize("user", [OPEN, SIGNED, SEALED, STRETCHED])
def test_a_v3_trap_is_taken_from_any_engine(user: User) -> None:
    """The user's keys are localised for the sender's engine, known or not, with or without an engine of our own."""
    for receiver in (make(), make(engine=False)):
        for name in (b"one", b"two"):
            theirs = engine_id(32473, name)
            data = trap_v3(SAID, user, Engine(theirs, 8, NOW - 60), 5, NOW, b"room")
            notification, reply = receiver.receive(data, SENDER)
            assert reply is None
            assert notification == Notification(
                LINK_DOWN, 4711, (INDEX,), "192.0.2.7", message.V3, False, 5, b"", user.name, user.level, theirs, b"room"
            )


def test_replayed_and_late_traps_are_refused() -> None:
    """After a trap of an engine, one from an earlier boot or over 150 s older is not taken (RFC 3414 3.2.7b)."""
    clock = Clock()
    receiver = make(clock)

    def sent(boots: int, time: int) -> bool:
        engine = Engine(THEIRS, boots, clock.now - time)
        return receiver.receive(trap_v3(SAID, SEALED, engine, 5, clock.now), SENDER)[0] is not None

    assert sent(8, 1000)
    assert sent(8, 850)
    assert not sent(8, 849)
    assert not sent(7, 5000)
    assert receiver.stats["usmStatsNotInTimeWindows"] == 2
    clock.now += 200
    assert not sent(8, 1000)
    assert sent(8, 1051)
    assert sent(9, 3), "a reboot is news"
    assert not sent(8, 1300)
    assert sent(9, 90000), "a clock that runs ahead is followed"
    assert not sent(MAX_BOOTS, 5)


def test_forged_traps_change_nothing() -> None:
    """A wrong digest, a wrong privacy key, an unknown user, a level too low: counted, not taken, and no state is kept."""
    receiver = make()
    engine = Engine(THEIRS, 2**30, NOW)
    for user, counter in (
        (User(b"sealed", "SHA-1", b"wrongpass1234", "AES-128", b"privpass1234"), "usmStatsWrongDigests"),
        (User(b"sealed", "SHA-1", b"authpass1234", "AES-128", b"wrongpass1234"), "usmStatsDecryptionErrors"),
        (User(b"stranger"), "usmStatsUnknownUserNames"),
        (User(b"inside"), "usmStatsUnknownUserNames"),
        (User(b"sealed"), "usmStatsUnsupportedSecLevels"),
        (User(b"sealed", "SHA-1", b"authpass1234"), "usmStatsUnsupportedSecLevels"),
        (User(b"signed", "SHA-256", b"authpass1234", "DES", b"privpass1234"), "usmStatsUnsupportedSecLevels"),
        (User(b"open", "SHA-1", b"authpass1234"), "usmStatsUnsupportedSecLevels"),
    ):
        before = receiver.stats[counter]
        assert receiver.receive(trap_v3(SAID, user, engine, 5, NOW), SENDER) == (None, None)
        assert receiver.stats[counter] == before + 1, f"{user} {counter}"
    assert receiver.receive(trap_v3(SAID, SEALED, Engine(THEIRS, 1, NOW), 5, NOW), SENDER)[0] is not None


# v3 informs: we are authoritative


@pytest.mark.parametrize("user", [OPEN, SIGNED, SEALED, STRETCHED])
def test_a_v3_inform_comes_with_its_acknowledgement(user: User) -> None:
    """The acknowledgement bears the inform's message id, request id, level, context and varbinds, under our engine."""
    notification, reply = make().receive(informed(user), SENDER)
    assert notification == Notification(
        LINK_DOWN, 4711, (INDEX,), "192.0.2.7", message.V3, True, 99, b"", user.name, user.level, THEIRS, b"room"
    )
    assert reply is not None
    outer = v3.decode(reply)
    assert (outer.msg_id, outer.flags, outer.engine_id, outer.boots, outer.time) == (42, user.level, OURS, 3, 900)
    context_engine, context, pdu = v3.decode_scoped(v3.open_(outer, reply, user.localise(OURS)))
    assert (context_engine, context, message.encode_pdu(pdu)) == (THEIRS, b"room", inform(message.RESPONSE))


def test_discovery_and_time_window_are_reported() -> None:
    """A sender that does not know our engine, or its time, is told; nothing is taken from it yet."""
    for data, counter, level in (
        (informed(OPEN, engine=b""), "usmStatsUnknownEngineIDs", 0),
        (informed(SEALED, engine=THEIRS), "usmStatsUnknownEngineIDs", 0),
        (informed(SEALED, boots=0, time=0), "usmStatsNotInTimeWindows", 1),
        (informed(User(b"stranger")), "usmStatsUnknownUserNames", 0),
    ):
        notification, reply = make().receive(data, SENDER)
        assert notification is None
        assert reply is not None
        outer = v3.decode(reply)
        assert (outer.engine_id, outer.boots, outer.time, outer.level) == (OURS, 3, 900, level)
        pdu = v3.decode_scoped(v3.open_(outer, reply, SEALED.localise(OURS)))[2]
        assert pdu.type == message.REPORT
        assert message.decode_varbinds(pdu.body)[0].oid == COUNTERS[counter]


def test_an_inform_below_the_users_level_is_not_acknowledged() -> None:
    """A user with passwords may not inform without using them."""
    for level in (0, 1):
        assert make().receive(informed(SEALED, level=level), SENDER) == (None, None)


def test_without_an_engine_informs_get_silence() -> None:
    """A receiver for traps only acknowledges no v3 inform and reveals nothing."""
    receiver = make(engine=False)
    assert receiver.receive(informed(OPEN, engine=b""), SENDER) == (None, None)


# hostile input


def test_mutated_packets_do_no_harm() -> None:
    """30,000 damaged packets: no exception, no growth, no answer but acknowledgements and Reports."""
    receiver = make()
    seeds = [trap_v1(SAID, b"public"), trap_v2(SAID, b"public", 5), message.encode_community(message.V2C, b"public", inform())]
    seeds += [trap_v3(SAID, user, Engine(THEIRS, 8, NOW), 5, NOW) for user in (OPEN, SIGNED, SEALED)]
    seeds += [informed(user) for user in (OPEN, SIGNED, SEALED)]
    seeds.append(informed(OPEN, engine=b""))
    taken = answered = 0
    for data in mutated(seeds, 30_000, seed=20261123):
        notification, reply = receiver.receive(data, SENDER)
        taken += notification is not None
        if reply is None:
            continue
        answered += 1
        assert len(reply) < 2 * len(data) + 200, "no amplification"
        if notification is not None:
            assert notification.confirmed
    assert taken > 500
    assert answered > 500
    tracemalloc.start()
    try:
        held = []
        for _ in range(3):
            for data in mutated(seeds, 2000, seed=20261123):
                receiver.receive(data, SENDER)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[2] - held[1] < 65536, f"memory grew from turn to turn: {held}"
