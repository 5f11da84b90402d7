"""Notifications with others: snmptrap and snmpinform to our receiver, our traps and informs to snmptrapd, pysnmp both ways."""

from __future__ import annotations

import asyncio
import queue
import socket
from collections.abc import Iterator
from itertools import product
from typing import Any

import peers
import pytest
from loopback import served

from snmp import ber, message
from snmp.access import CommunityAccess, Source, UserAccess
from snmp.engine import Engine, engine_id, steady
from snmp.errors import SnmpError, UnknownUser, WrongDigest
from snmp.message import VarBind
from snmp.notify import RETRY, SNMP_TRAPS, InformSession, Notification, trap_v1, trap_v2, trap_v3
from snmp.oid import OID
from snmp.receiver import Receiver
from snmp.security import Community
from snmp.usm import AUTH, PRIV, User

LINK_DOWN = OID((*SNMP_TRAPS, 3))
NAME = OID((1, 3, 6, 1, 2, 1, 1, 5, 0))
PAIRS = [("", ""), *((auth, "") for auth in AUTH), *product(AUTH, PRIV)]
IDS = [f"{auth or 'none'}-{priv or 'none'}" for auth, priv in PAIRS]
PEER_ENGINE = "0x80007ed90570656572"


def known(auth: str, priv: str) -> peers.User:
    return peers.User(f"u-{auth}-{priv}", auth, "authpass1234" if auth else "", priv, "privpass1234" if priv else "")


def ours(user: peers.User) -> User:
    return User(user.name.encode(), user.auth, user.auth_secret.encode(), user.priv, user.priv_secret.encode())


class Mailbox:
    """A receiver on a port, and what it took."""

    def __init__(self) -> None:
        users = [UserAccess(ours(known(*pair))) for pair in PAIRS]
        engine = Engine(engine_id(32473, b"mailbox"), 6, steady() - 1000)
        self.receiver = Receiver([CommunityAccess(b"public")], users, engine)
        self.taken: queue.Queue[Notification] = queue.Queue()
        self.port = 0

    def answer(self, data: bytes, source: Source) -> bytes | None:
        notification, reply = self.receiver.receive(data, source)
        if notification is not None:
            self.taken.put(notification)
        return reply

    def send(self, command: str, *options: str, check: bool = True) -> str:
        result = peers.net_snmp(command, "-t", "30", "-r", "0", *options, check=check)
        return result.stderr


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    with served(box.answer) as box.port:
        yield box


def trap_words(box: Mailbox) -> list[str]:
    return [f"udp:127.0.0.1:{box.port}", "4711", str(LINK_DOWN), str(NAME), "s", "pc-1"]


def expect(box: Mailbox) -> Notification:
    notification = box.taken.get(timeout=60)
    assert (notification.trap, notification.uptime) == (LINK_DOWN, 4711)
    assert notification.varbinds[0] == VarBind(NAME, ber.OCTET_STRING, b"pc-1")
    assert notification.address == "127.0.0.1"
    return notification


def test_snmptrap_v1(mailbox: Mailbox) -> None:
    """A v1 trap of net-snmp arrives as its v2 counterpart."""
    mailbox.send(
        "snmptrap", "-v1", "-c", "public", f"udp:127.0.0.1:{mailbox.port}",
        "1.3.6.1.4.1.32473", "10.9.8.7", "2", "0", "4711", str(NAME), "s", "pc-1",
    )  # fmt: skip
    notification = expect(mailbox)
    assert (notification.version, notification.varbinds[1].value) == (message.V1, bytes((10, 9, 8, 7)))
    assert notification.varbinds[2].value == OID.parse("1.3.6.1.4.1.32473")


def test_snmptrap_and_snmpinform_v2c(mailbox: Mailbox) -> None:
    """Trap and inform with a community; snmpinform is content with the acknowledgement."""
    for command in ("snmptrap", "snmpinform"):
        mailbox.send(command, "-v2c", "-c", "public", *trap_words(mailbox))
        notification = expect(mailbox)
        assert (notification.version, notification.confirmed) == (message.V2C, command == "snmpinform")


@pytest.mark.parametrize(("auth", "priv"), PAIRS, ids=IDS)
def test_snmptrap_and_snmpinform_v3(mailbox: Mailbox, auth: str, priv: str) -> None:
    """Traps under the sender's engine and informs under ours, with every protocol pair net-snmp knows."""
    user = known(auth, priv)
    mailbox.send("snmptrap", *user.options(), "-e", PEER_ENGINE, "-E", PEER_ENGINE, *trap_words(mailbox))
    notification = expect(mailbox)
    assert (notification.confirmed, notification.user, notification.level) == (False, user.name.encode(), ours(user).level)
    assert notification.engine_id.hex() == PEER_ENGINE[2:]
    mailbox.send("snmpinform", *user.options(), *trap_words(mailbox))
    assert expect(mailbox).confirmed


def test_snmpinform_is_told_why_not(mailbox: Mailbox) -> None:
    """A wrong password is reported to net-snmp, and nothing is taken."""
    wrong = peers.User("u-SHA-1-AES-128", "SHA-1", "wrongpass1234", "AES-128", "privpass1234")
    assert "Authentication failure" in mailbox.send("snmpinform", *wrong.options(), *trap_words(mailbox), check=False)
    assert mailbox.taken.empty()


# ours to snmptrapd

LARGE = VarBind(OID((1, 3, 7, 0)), ber.GAUGE32, 4_000_000_000)
SAID = Notification(LINK_DOWN, 4711, (VarBind(NAME, ber.OCTET_STRING, b"pc-1"), LARGE))
AGENT = engine_id(32473, b"agent")


@pytest.fixture(scope="module")
def trapd() -> Iterator[peers.Snmptrapd]:
    users = [known(*pair) for pair in PAIRS]
    traps = "\n".join(f"createUser -e 0x{AGENT.hex()} {user.create()}" for user in users)
    with peers.snmptrapd(users=users, config=traps) as running:
        yield running


def said(line: str) -> None:
    """Does what snmptrapd printed hold what we said?"""
    assert '.1.3.6.1.2.1.1.5.0 = STRING: "pc-1"' in line
    assert "4000000000" in line


def deliver(port: int, session: InformSession, inform_id: int, notification: Notification = SAID) -> int:
    """Send an inform over a socket as an agent would: how many datagrams it took."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(60)
        sock.connect(("127.0.0.1", port))
        for count in range(1, 9):
            sock.send(session.request(inform_id, notification, steady()))
            while (result := session.receive(sock.recv(65535), steady())) is None:
                pass
            if result is RETRY:
                continue
            assert result == inform_id
            return count
    raise AssertionError("no end of retries")


def marked(text: str) -> Notification:
    """The notification with a name to find it by."""
    first, second = SAID.varbinds
    return Notification(SAID.trap, SAID.uptime, (first, second, VarBind(OID((1, 3, 8, 0)), ber.OCTET_STRING, text.encode())))


def test_our_traps_reach_snmptrapd(trapd: peers.Snmptrapd) -> None:
    """v1, v2c and v3 traps of every protocol pair are printed with their objects."""
    engine = Engine(AGENT, 2, steady() - 77)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", trapd.port))
        sock.send(trap_v1(marked("trap in v1"), b"public", bytes((127, 0, 0, 1))))
        said(trapd.wait_for("trap in v1"))
        sock.send(trap_v2(marked("trap in v2c"), b"public", 1))
        said(trapd.wait_for("trap in v2c"))
        for number, (auth, priv) in enumerate(PAIRS):
            mark = f"trap of {auth}-{priv}."
            sock.send(trap_v3(marked(mark), ours(known(auth, priv)), engine, number, steady()))
            said(trapd.wait_for(mark))


def test_our_informs_are_acknowledged_by_snmptrapd(trapd: peers.Snmptrapd) -> None:
    """v2c and v3 informs of every protocol pair are acknowledged; discovery takes one datagram more, and only once."""
    assert deliver(trapd.port, InformSession(Community(b"public")), 1, marked("inform in v2c")) == 1
    said(trapd.wait_for("inform in v2c"))
    for auth, priv in PAIRS:
        session = InformSession(ours(known(auth, priv)), engine_id=AGENT)
        mark = f"inform of {auth}-{priv}."
        assert [deliver(trapd.port, session, 7, marked(mark)), deliver(trapd.port, session, 8)] == [2, 1]
        said(trapd.wait_for(mark))


def test_snmptrapd_tells_us_why_not(trapd: peers.Snmptrapd) -> None:
    """A wrong password and an unknown user raise their own errors."""
    for user, error in (
        (User(b"u-SHA-1-AES-128", "SHA-1", b"wrongpass1234", "AES-128", b"privpass1234"), WrongDigest),
        (User(b"stranger", "SHA-1", b"authpass1234"), UnknownUser),
    ):
        with pytest.raises(SnmpError) as caught:
            deliver(trapd.port, InformSession(user), 1)
        assert isinstance(caught.value, error)


# pysnmp


def test_pysnmp_notifies_us(mailbox: Mailbox) -> None:
    """pysnmp's v2c and v3 traps and informs arrive, and its informs are acknowledged."""
    from pysnmp.hlapi.v3arch import asyncio as hlapi

    user = known("SHA-256", "AES-256")
    credentials: list[Any] = [
        hlapi.CommunityData("public"),
        hlapi.UsmUserData(
            user.name, authKey=user.auth_secret, privKey=user.priv_secret,
            authProtocol=hlapi.usmHMAC192SHA256AuthProtocol, privProtocol=hlapi.usmAesBlumenthalCfb256Protocol,
        ),
    ]  # fmt: skip

    async def run() -> None:
        engine = hlapi.SnmpEngine()
        for credential, kind in product(credentials, ("trap", "inform")):
            target = await hlapi.UdpTransportTarget.create(("127.0.0.1", mailbox.port), timeout=30, retries=1)
            what = hlapi.NotificationType(hlapi.ObjectIdentity(str(LINK_DOWN)))
            what.add_varbinds((str(NAME), hlapi.OctetString("pc-1")))
            indication, status, _, _ = await hlapi.send_notification(
                engine, credential, target, hlapi.ContextData(), kind, what, lookupMib=False
            )
            assert (indication, int(status or 0)) == (None, 0)
            taken = await asyncio.to_thread(mailbox.taken.get, True, 10)
            assert (taken.trap, taken.confirmed) == (LINK_DOWN, kind == "inform")
            assert VarBind(NAME, ber.OCTET_STRING, b"pc-1") in taken.varbinds
        engine.close_dispatcher()

    asyncio.run(run())
