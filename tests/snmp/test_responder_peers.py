"""The responder asked by others: net-snmp's commands and pysnmp, every version, every protocol pair they know."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import peers
import pytest
from loopback import served

from snmp import ber
from snmp.access import CommunityAccess, UserAccess
from snmp.engine import Engine, engine_id, steady
from snmp.oid import OID
from snmp.responder import Responder
from snmp.tree import Shape, Tree
from snmp.usm import AUTH, PRIV, User

NAME = "1.3.6.1.2.1.1.5.0"
TEXT = "lighthouse"
LONG = "1.3.6.1.4.1.32473.1"
PAIRS = [("", ""), *((auth, "") for auth in AUTH), *product(AUTH, PRIV)]


def rising(now: float) -> bytes:
    """A counter that moves while it is asked."""
    return ber.encode_value(ber.COUNTER64, 2**40 + int(1e6 * now))


def build() -> Tree:
    rows: dict[OID, Any] = {}
    for i, text in enumerate(("a machine", "1.3.6", "7", "nobody", TEXT, "nowhere"), 1):
        rows[OID((1, 3, 6, 1, 2, 1, 1, i, 0))] = ber.encode_value(ber.OCTET_STRING, text.encode())
    for row in range(1, 30):
        for column in range(1, 23):
            rows[OID((1, 3, 6, 1, 2, 1, 2, 2, 1, column, row))] = ber.encode_value(ber.INTEGER, row)
        rows[OID((1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6, row))] = rising
        rows[OID((1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15, row))] = ber.encode_value(ber.GAUGE32, 1000)
        rows[OID((*OID.parse(LONG), row, 2**32 - 1))] = ber.encode_value(ber.OCTET_STRING, b"x" * 400)
    shape = Shape(rows)
    return Tree(shape, [rows[name] for name in shape.names])


def user_of(auth: str, priv: str) -> peers.User:
    name = f"u-{auth}-{priv}"
    return peers.User(name, auth, "authpass1234" if auth else "", priv, "privpass1234" if priv else "")


@dataclass
class Served:
    """A responder on a port."""

    port: int
    responder: Responder

    @property
    def address(self) -> str:
        return f"udp:127.0.0.1:{self.port}"

    def ask(self, command: str, *arguments: str, check: bool = True) -> str:
        """What net-snmp prints, objects as numbers."""
        result = peers.net_snmp(command, "-On", "-t", "30", "-r", "1", *arguments, check=check)
        return (result.stdout + result.stderr).strip()


@pytest.fixture(scope="module")
def agent() -> Iterator[Served]:
    users = []
    for auth, priv in PAIRS:
        known = user_of(auth, priv)
        users.append(UserAccess(User(known.name.encode(), auth, known.auth_secret.encode(), priv, known.priv_secret.encode())))
    engine = Engine(engine_id(32473, b"served"), 3, steady() - 1000)
    responder = Responder(build(), [CommunityAccess(b"public"), CommunityAccess(b"far", ["10.0.0.0/8"])], users, engine)
    with served(responder.answer) as port:
        yield Served(port, responder)


def objects(output: str) -> list[OID]:
    lines = [line for line in output.splitlines() if line.startswith(".1.") and "No more" not in line]
    return [OID.parse(line.partition(" = ")[0]) for line in lines]


@pytest.mark.parametrize(("auth", "priv"), PAIRS, ids=[f"{auth or 'none'}-{priv or 'none'}" for auth, priv in PAIRS])
def test_snmpget_with_every_protocol(agent: Served, auth: str, priv: str) -> None:
    """net-snmp discovers our engine and reads an object with every pair of protocols there is."""
    assert TEXT in agent.ask("snmpget", *user_of(auth, priv).options(), agent.address, NAME)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("snmpwalk", ["-v1", "-c", "public"]),
        ("snmpwalk", ["-v2c", "-c", "public"]),
        ("snmpbulkwalk", ["-v2c", "-c", "public"]),
        ("snmpwalk", user_of("SHA-1", "AES-128").options()),
        ("snmpbulkwalk", user_of("SHA-1", "AES-128").options()),
    ],
)
def test_walks_are_strictly_ordered_and_end(agent: Served, command: str, options: list[str]) -> None:
    """A walk of everything gives each object once, in order, and ends; in v1 all but the Counter64."""
    expected = list(agent.responder.tree.shape.names)
    if "-v1" in options:
        expected = [name for name in expected if not OID.parse("1.3.6.1.2.1.31.1.1.1.6").covers(name)]
    assert objects(agent.ask(command, *options, agent.address, ".1", check=False)) == expected


def test_a_bulk_walk_with_large_values_is_cut_not_lost(agent: Served) -> None:
    """Forty rows of 400 bytes asked at once come in several answers, none missing."""
    output = agent.ask("snmpbulkwalk", "-v2c", "-c", "public", "-Cr40", agent.address, LONG)
    assert len(objects(output)) == 29


def test_snmpgetnext_and_snmpbulkget(agent: Served) -> None:
    """Successors of several objects at once, and non-repeaters beside repeaters."""
    output = agent.ask("snmpgetnext", "-v2c", "-c", "public", agent.address, "1.3.6.1.2.1.1.4", "1.3.6.1.2.1.2.2.1.22.29")
    assert [str(name) for name in objects(output)] == ["1.3.6.1.2.1.1.4.0", "1.3.6.1.2.1.31.1.1.1.6.1"]
    output = agent.ask(
        "snmpbulkget", "-v2c", "-c", "public", "-Cn1", "-Cr3", agent.address,
        "1.3.6.1.2.1.1.4", "1.3.6.1.2.1.2.2.1.1", "1.3.6.1.2.1.2.2.1.2",
    )  # fmt: skip
    assert [str(name)[12:] for name in objects(output)] == ["1.4.0", *(f"2.2.1.{c}.{row}" for row in (1, 2, 3) for c in (1, 2))]


def test_net_snmp_understands_what_is_refused(agent: Served) -> None:
    """Each refusal arrives as what it is: read-only, missing, wrong passwords, unknown user, level, context, too big."""
    good = user_of("SHA-1", "AES-128")

    def as_user(name: str, *secrets: str) -> list[str]:
        return peers.User(name, *secrets).options()

    v2c, v1 = ["-v2c", "-c", "public"], ["-v1", "-c", "public"]
    many = [f"{LONG}.{row}.4294967295" for row in range(1, 9)]
    for command, options, asked, expected in (
        ("snmpset", v2c, [NAME, "s", "x"], "notWritable"),
        ("snmpset", v1, [NAME, "s", "x"], "noSuchName"),
        ("snmpset", good.options(), [NAME, "s", "x"], "notWritable"),
        ("snmpget", v2c, ["1.3.6.1.2.1.1.5.1"], "No Such Instance"),
        ("snmpget", v2c, ["1.3.6.1.9.9"], "No Such Object"),
        ("snmpget", v1, ["1.3.6.1.9.9"], "noSuchName"),
        ("snmpget", v2c, many, "tooBig"),
        ("snmpget", good.options(), many, "tooBig"),
        ("snmpget", [*good.options(), "-n", "vlan-7"], [NAME], "Bad context"),
        ("snmpget", as_user(good.name, "SHA-1", "wrongpass1234", "AES-128", "privpass1234"), [NAME], "Authentication failure"),
        ("snmpget", as_user(good.name, "SHA-1", "authpass1234", "AES-128", "wrongpass1234"), [NAME], "Decryption error"),
        ("snmpget", as_user(good.name, "SHA-1", "authpass1234"), [NAME], "authorizationError"),
        ("snmpget", as_user("u-MD5-", "MD5", "authpass1234", "DES", "privpass1234"), [NAME], "Unsupported security level"),
        ("snmpget", as_user("stranger"), [NAME], "Unknown user name"),
    ):
        assert expected in agent.ask(command, *options, agent.address, *asked, check=False)


def test_a_wrong_community_gets_silence(agent: Served) -> None:
    """A community nobody has, and one from outside its networks, time out."""
    for community in ("nothing", "far"):
        result = peers.net_snmp("snmpget", "-v2c", "-c", community, "-t", "0.2", "-r", "0", agent.address, NAME, check=False)
        assert "Timeout" in result.stderr


def test_ipv6(agent: Served) -> None:
    """A responder behind an IPv6 socket answers, and networks of IPv6 hold."""
    responder = Responder(agent.responder.tree, [CommunityAccess(b"six", ["::1/128"])])
    peers.require_ipv6()
    with served(responder.answer, "::1") as port:
        output = peers.net_snmp("snmpget", "-v2c", "-c", "six", f"udp6:[::1]:{port}", NAME).stdout
    assert TEXT in output


# pysnmp

_AUTH = {
    "": "usmNoAuthProtocol",
    "MD5": "usmHMACMD5AuthProtocol",
    "SHA-1": "usmHMACSHAAuthProtocol",
    "SHA-224": "usmHMAC128SHA224AuthProtocol",
    "SHA-256": "usmHMAC192SHA256AuthProtocol",
    "SHA-384": "usmHMAC256SHA384AuthProtocol",
    "SHA-512": "usmHMAC384SHA512AuthProtocol",
}
_PRIV = {
    "": "usmNoPrivProtocol",
    "DES": "usmDESPrivProtocol",
    "AES-128": "usmAesCfb128Protocol",
    "AES-192": "usmAesBlumenthalCfb192Protocol",
    "AES-256": "usmAesBlumenthalCfb256Protocol",
    "AES-192-C": "usmAesCfb192Protocol",
    "AES-256-C": "usmAesCfb256Protocol",
}


def pysnmp_user(user: peers.User) -> Any:
    from pysnmp.hlapi.v3arch import asyncio as hlapi

    return hlapi.UsmUserData(
        user.name,
        authKey=user.auth_secret or None,
        privKey=user.priv_secret or None,
        authProtocol=getattr(hlapi, _AUTH[user.auth]),
        privProtocol=getattr(hlapi, _PRIV[user.priv]),
    )


async def pysnmp_get(engine: Any, port: int, credential: Any) -> tuple[Any, Any, list[str]]:
    """(error indication, error status, values) of a GET of the name."""
    from pysnmp.hlapi.v3arch import asyncio as hlapi

    target = await hlapi.UdpTransportTarget.create(("127.0.0.1", port), timeout=30, retries=1)
    asked = hlapi.ObjectType(hlapi.ObjectIdentity(NAME))
    answer = await hlapi.get_cmd(engine, credential, target, hlapi.ContextData(), asked, lookupMib=False)
    return answer[0], answer[1], [str(value) for _, value in answer[3]]


def test_pysnmp_with_every_protocol(agent: Served) -> None:
    """pysnmp reads an object with every pair of protocols, both ways to stretch AES keys included."""
    from pysnmp.hlapi.v3arch import asyncio as hlapi

    async def run() -> None:
        engine = hlapi.SnmpEngine()
        for auth, priv in PAIRS:
            indication, status, values = await pysnmp_get(engine, agent.port, pysnmp_user(user_of(auth, priv)))
            assert (indication, int(status), values) == (None, 0, [TEXT]), f"{auth} {priv}"
        engine.close_dispatcher()

    asyncio.run(run())


def test_pysnmp_communities(agent: Served) -> None:
    """pysnmp reads with v1 and v2c, walks with GETBULK in order, and is told of wrong passwords."""
    from pysnmp.hlapi.v3arch import asyncio as hlapi

    async def run() -> None:
        engine = hlapi.SnmpEngine()
        for model in (0, 1):
            community = hlapi.CommunityData("public", mpModel=model)
            assert (await pysnmp_get(engine, agent.port, community))[2] == [TEXT]
        wrong = peers.User("u-SHA-1-AES-128", "SHA-1", "wrongpass1234", "AES-128", "privpass1234")
        indication, _, _ = await pysnmp_get(engine, agent.port, pysnmp_user(wrong))
        assert "wrong" in str(indication).lower()
        target = await hlapi.UdpTransportTarget.create(("127.0.0.1", agent.port), timeout=30, retries=1)
        walk = hlapi.bulk_walk_cmd(
            engine, hlapi.CommunityData("public"), target, hlapi.ContextData(), 0, 25,
            hlapi.ObjectType(hlapi.ObjectIdentity("1.3.6.1.2.1.2")), lookupMib=False, lexicographicMode=False,
        )  # fmt: skip
        seen = [tuple(name) async for _, _, _, found in walk for name, _ in found]
        engine.close_dispatcher()
        column = OID.parse("1.3.6.1.2.1.2")
        assert seen == [tuple(name) for name in agent.responder.tree.shape.names if column.covers(name)]

    asyncio.run(run())
