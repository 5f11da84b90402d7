"""Our client asks others: net-snmp's agent and pysnmp's, every version, every pair of protocols they know."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import peers
import pytest
from networks import OFFICE, OUTER, inside, office_behind_nat

from snmp import ber, message
from snmp.client import Client, Credential, Target
from snmp.errors import (
    PortClosed,
    SnmpError,
    StatusError,
    Timeout,
    UnknownUser,
    Unreachable,
    UnsupportedSecurityLevel,
    WrongDigest,
)
from snmp.oid import OID
from snmp.security import Community, Usm
from snmp.session import get, get_bulk, get_next, walk
from snmp.table import Bearing, confirm, walk_columns
from snmp.usm import AUTH, PRIV, User

T = TypeVar("T")
SYSTEM = OID((1, 3, 6, 1, 2, 1, 1))
CONTACT, NAME, LOCATION = (OID((*SYSTEM, i, 0)) for i in (4, 5, 6))
IF = OID((1, 3, 6, 1, 2, 1, 2, 2, 1))
PAIRS = [("", ""), *((auth, "") for auth in AUTH), *product(AUTH, PRIV)]
IDS = [f"{auth or 'none'}-{priv or 'none'}" for auth, priv in PAIRS]


def known(auth: str, priv: str) -> peers.User:
    return peers.User(f"u-{auth}-{priv}", auth, "authpass1234" if auth else "", priv, "privpass1234" if priv else "")


def ours(user: peers.User) -> User:
    return User(user.name.encode(), user.auth, user.auth_secret.encode(), user.priv, user.priv_secret.encode())


@pytest.fixture(scope="module")
def agent() -> Iterator[peers.Snmpd]:
    """net-snmp's agent, with a user for every pair, and another agent's system group in the context "other"."""
    users = [known(*pair) for pair in PAIRS]
    with peers.snmpd(config="sysName second") as second:
        contexts = [
            f"proxy -Cn other -v2c -c public udp:127.0.0.1:{second.port} .1.3.6.1.2.1.1",
            "view everything included .1",
            "com2sec -Cn other elsewhere default public@other",
            "group elsewhere v2c elsewhere",
            "access elsewhere other v2c noauth exact everything none none",
            "createUser traveller SHA authpass1234 AES privpass1234",
            "group travellers usm traveller",
            "access travellers other usm priv exact everything none none",
        ]
        with peers.snmpd(users=users, config="\n".join(contexts)) as first:
            yield first


def asked(port: int, credential: Credential, work: Any, **options: Any) -> Any:
    """What `work(client, target)` gives, in real time."""

    async def whole() -> Any:
        client = Client()
        try:
            found = await work(client, Target("127.0.0.1", port, credential, **{"timeout": 30.0, **options}))
            assert client.waiting == 0
            return found
        finally:
            client.close()

    return asyncio.run(whole())


def name_of(port: int, credential: Credential, **options: Any) -> Any:
    """sysName, or the error."""
    try:
        return asked(port, credential, lambda client, target: get(client, target, [NAME]), **options)[0].value
    except SnmpError as e:
        return e


@pytest.mark.parametrize(("auth", "priv"), PAIRS, ids=IDS)
def test_snmpd_with_every_protocol(agent: peers.Snmpd, auth: str, priv: str) -> None:
    """Discovery, keys, signature and encryption fit net-snmp's, for every pair of protocols there is."""
    assert name_of(agent.port, ours(known(auth, priv))) == b"peer"


@pytest.mark.parametrize("version", [message.V1, message.V2C])
def test_snmpd_with_communities(agent: peers.Snmpd, version: int) -> None:
    """v1 and v2c: several objects in order, one of them missing."""

    async def work(client: Client, target: Target) -> list[Any]:
        return [binding.value for binding in await get(client, target, [LOCATION, OID((*SYSTEM, 99, 0)), NAME])]

    assert asked(agent.port, Community(b"public", version), work) == [b"machine room", None, b"peer"]


def walked(output: str) -> list[str]:
    """The names that snmpwalk -On printed."""
    return [line.partition(" = ")[0][1:] for line in output.splitlines() if line.startswith(".1.")]


@pytest.mark.parametrize("root", ["1.3.6.1.2.1.1", "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.25.2", "1.3.6.1.6.3.10"])
@pytest.mark.parametrize(
    "credential", [Community(b"public", message.V1), Community(b"public"), ours(known("SHA-256", "AES-256"))]
)
def test_a_walk_is_snmpwalks(agent: peers.Snmpd, credential: Any, root: str) -> None:
    """Our walk of a subtree gives the objects that snmpwalk prints, in its order."""

    async def work(client: Client, target: Target) -> list[str]:
        return [str(binding.oid) async for binding in walk(client, target, OID.parse(root))]

    options = ["-v1" if getattr(credential, "version", None) == message.V1 else "-v2c", "-c", "public"]
    expected = walked(peers.net_snmp("snmpwalk", "-On", *options, agent.address, root).stdout)
    assert expected
    assert asked(agent.port, credential, work) == expected


@pytest.mark.parametrize("credential", [Community(b"public"), ours(known("SHA-1", "AES-128"))])
def test_getbulk_with_several_columns(agent: peers.Snmpd, credential: Any) -> None:
    """Non-repeaters and columns side by side come in the order of RFC 3416 section 4.2.3."""

    async def work(client: Client, target: Target) -> list[Any]:
        names = [OID((*SYSTEM, 4)), OID((*IF, 2)), OID((*IF, 3))]
        return [b.oid for b in await get_bulk(client, target, names, non_repeaters=1, max_repetitions=2)]

    found = asked(agent.port, credential, work)
    assert found[0] == CONTACT
    rows = [oid[len(IF) + 1 :] for oid in found[1::2]]
    assert found[1:3] == [OID((*IF, 2, *rows[0])), OID((*IF, 3, *rows[0]))]


@pytest.mark.parametrize("credential", [Community(b"public", message.V1), Community(b"public"), ours(known("MD5", "DES"))])
def test_columns_side_by_side_are_what_a_walk_finds(agent: peers.Snmpd, credential: Any) -> None:
    """All columns of the interface and storage tables at once: the cells of a walk of each, confirmed singly."""
    names = [OID((*IF, i)) for i in range(1, 23)] + [OID.parse(f"1.3.6.1.2.1.25.2.3.1.{i}") for i in range(1, 8)]

    async def work(client: Client, target: Target) -> None:
        bearing = Bearing()
        rows = await walk_columns(client, target, names, bearing)
        singly = {name: {tuple(b.oid[len(name) :]) async for b in walk(client, target, name)} for name in names}
        assert {name: set(some) for name, some in rows.items()} == singly
        assert sum(map(len, singly.values())) > 40
        assert bearing.rung == 0
        assert await confirm(client, target, rows)

    asked(agent.port, credential, work)


def test_contexts_of_snmpd(agent: peers.Snmpd) -> None:
    """A v3 context, and community@context, reach the other agent behind the first."""
    traveller = User(b"traveller", "SHA-1", b"authpass1234", "AES-128", b"privpass1234")
    assert name_of(agent.port, traveller, context=b"other") == b"second"
    assert name_of(agent.port, Community(b"public"), context=b"other") == b"second"


def test_getnext_at_the_end_of_everything(agent: peers.Snmpd) -> None:
    """Behind the last object there is nothing: v2c's endOfMibView and v1's noSuchName are the same to us."""
    for version in (message.V1, message.V2C):
        found = asked(
            agent.port,
            Community(b"public", version),
            lambda client, target: get_next(client, target, [NAME, OID((2, 99))]),
        )
        assert [binding.tag == ber.END_OF_MIB_VIEW for binding in found] == [False, True]
        assert found[0].oid == LOCATION


def test_many_objects_at_once(agent: peers.Snmpd) -> None:
    """A hundred objects, most of them long: split where snmpd says tooBig, none lost."""
    names = [OID((*SYSTEM, 9, 1, column, row)) for row in range(1, 11) for column in (2, 3, 4)] * 4

    async def work(client: Client, target: Target) -> list[Any]:
        return await get(client, target, names)

    found = asked(agent.port, Community(b"public"), work)
    assert [binding.oid for binding in found] == names
    assert all(binding.value is not None for binding in found)


GOOD = known("SHA-1", "AES-128")


@pytest.mark.parametrize(
    ("user", "error"),
    [
        (peers.User("stranger"), UnknownUser),
        (peers.User("stranger", "SHA-1", "authpass1234"), UnknownUser),
        (peers.User(GOOD.name, "SHA-1", "wrongpass1234", "AES-128", "privpass1234"), WrongDigest),
        (peers.User(GOOD.name, "MD5", "authpass1234", "AES-128", "privpass1234"), WrongDigest),
        (peers.User("u-SHA-1-", "SHA-1", "authpass1234", "AES-128", "privpass1234"), UnsupportedSecurityLevel),
        (peers.User(GOOD.name, "SHA-1", "authpass1234"), StatusError),
    ],
)
def test_what_snmpd_refuses(agent: peers.Snmpd, user: peers.User, error: type[SnmpError]) -> None:
    """Each refusal of snmpd is an error of its own."""
    found = name_of(agent.port, ours(user), retries=0, timeout=30.0)
    assert type(found) is error, found


def test_what_snmpd_does_not_answer(agent: peers.Snmpd) -> None:
    """To a wrong community, and to what it cannot decrypt, net-snmp is silent; a closed port is told as such."""
    undecryptable = ours(peers.User(GOOD.name, "SHA-1", "authpass1234", "AES-128", "wrongpass1234"))
    for credential in (Community(b"private"), undecryptable):
        assert isinstance(name_of(agent.port, credential, retries=0, timeout=0.3), Timeout)
    assert isinstance(name_of(peers.free_port("udp"), Community(b"public")), PortClosed)


def test_a_machine_that_refuses_is_told_from_a_router_that_does() -> None:
    """Port unreachable from the machine asked proves that it is there; the same from a router on the way proves nothing."""

    async def asked() -> SnmpError | None:
        client = Client()
        try:
            await get(client, Target(OFFICE, 161, Community(b"public"), timeout=60.0), [NAME])
        except SnmpError as error:
            return error
        finally:
            client.close()
        return None

    with office_behind_nat() as networks:
        networks.run(networks.centre, "ip", "route", "add", OFFICE, "via", OUTER)
        with inside(networks.centre):
            assert type(asyncio.run(asked())) is PortClosed
        networks.run(networks.router, peers.require("nft"), "add table ip gate; add chain ip gate forward "
                     "{ type filter hook forward priority filter; }; "
                     "add rule ip gate forward udp dport 161 reject with icmp type port-unreachable")  # fmt: skip
        with inside(networks.centre):
            assert type(asyncio.run(asked())) is Unreachable


def test_a_reboot_of_snmpd(tmp_path: Path) -> None:
    """A second start of the same agent: its boots rose, and one session goes on, with one Report."""
    user = known("SHA-256", "AES-128")

    async def work() -> None:
        client = Client()
        try:
            with peers.snmpd(users=[user], directory=tmp_path) as first:
                target = Target("127.0.0.1", first.port, ours(user), timeout=30.0)
                assert (await get(client, target, [NAME]))[0].value == b"peer"
                assert isinstance(target.security, Usm)
                engine = target.security.engine_id
            with peers.snmpd(users=[user], directory=tmp_path, port=first.port):
                before = client.counters.sent
                assert (await get(client, target, [NAME]))[0].value == b"peer"
                assert client.counters.sent - before == 2
                assert target.security.engine_id == engine
        finally:
            client.close()

    asyncio.run(work())


def test_another_engine_in_its_place() -> None:
    """Another agent takes over the port, with another engine ID: the same session reads it."""
    user = known("SHA-1", "AES-128")

    async def work() -> None:
        client = Client()
        try:
            with peers.snmpd(users=[user], config="engineID first") as first:
                target = Target("127.0.0.1", first.port, ours(user), timeout=30.0)
                assert (await get(client, target, [NAME]))[0].value == b"peer"
            with peers.snmpd(users=[user], config="engineID second\nsysName other", port=first.port):
                assert (await get(client, target, [NAME]))[0].value == b"other"
        finally:
            client.close()

    asyncio.run(work())


def test_snmpd_over_ipv6() -> None:
    """The same over IPv6, walk included."""
    peers.require_ipv6()
    with peers.snmpd(host="::1") as six:

        async def work() -> int:
            client = Client()
            try:
                target = Target("::1", six.port, Community(b"public"), timeout=30.0)
                assert (await get(client, target, [NAME]))[0].value == b"peer"
                return len([binding async for binding in walk(client, target, SYSTEM)])
            finally:
                client.close()

        assert asyncio.run(work()) > 10


# pysnmp

_AUTHS = {
    "": "USM_AUTH_NONE",
    "MD5": "USM_AUTH_HMAC96_MD5",
    "SHA-1": "USM_AUTH_HMAC96_SHA",
    "SHA-224": "USM_AUTH_HMAC128_SHA224",
    "SHA-256": "USM_AUTH_HMAC192_SHA256",
    "SHA-384": "USM_AUTH_HMAC256_SHA384",
    "SHA-512": "USM_AUTH_HMAC384_SHA512",
}
_PRIVS = {
    "": "USM_PRIV_NONE",
    "DES": "USM_PRIV_CBC56_DES",
    "AES-128": "USM_PRIV_CFB128_AES",
    "AES-192": "USM_PRIV_CFB192_AES_BLUMENTHAL",
    "AES-256": "USM_PRIV_CFB256_AES_BLUMENTHAL",
    "AES-192-C": "USM_PRIV_CFB192_AES",
    "AES-256-C": "USM_PRIV_CFB256_AES",
}
_LEVELS = {"noAuthNoPriv": "noAuthNoPriv", "authNoPriv": "authNoPriv", "authPriv": "authPriv"}


def with_pysnmp(work: Any) -> Any:
    """Run `work(client, port)` beside a pysnmp agent on the same event loop."""

    async def whole() -> Any:
        from pysnmp.carrier.asyncio.dgram import udp
        from pysnmp.entity import config, engine
        from pysnmp.entity.rfc3413 import cmdrsp, context

        port = peers.free_port("udp")
        snmp_engine = engine.SnmpEngine()
        config.add_transport(snmp_engine, udp.DOMAIN_NAME, udp.UdpTransport().open_server_mode(("127.0.0.1", port)))
        config.add_v1_system(snmp_engine, "area", "public")
        for model in (1, 2):
            config.add_vacm_user(snmp_engine, model, "area", "noAuthNoPriv", (1, 3, 6), (1, 3, 6))
        for auth, priv in PAIRS:
            user = known(auth, priv)
            config.add_v3_user(
                snmp_engine, user.name, getattr(config, _AUTHS[auth]), user.auth_secret or None,
                getattr(config, _PRIVS[priv]), user.priv_secret or None,
            )  # fmt: skip
            config.add_vacm_user(snmp_engine, 3, user.name, _LEVELS[user.level], (1, 3, 6), (1, 3, 6))
        snmp_context = context.SnmpContext(snmp_engine)
        for responder in (cmdrsp.GetCommandResponder, cmdrsp.NextCommandResponder, cmdrsp.BulkCommandResponder):
            responder(snmp_engine, snmp_context)
        client = Client()
        await asyncio.to_thread(peers.wait_until, lambda: peers.answers_discovery("127.0.0.1", port), "pysnmp's agent answers")
        try:
            return await work(client, port)
        finally:
            client.close()
            snmp_engine.close_dispatcher()

    return asyncio.run(whole())


def test_pysnmp_with_every_protocol() -> None:
    """A pysnmp agent answers us with every pair of protocols, both ways to stretch AES keys included."""

    async def work(client: Client, port: int) -> None:
        for pair in PAIRS:
            target = Target("127.0.0.1", port, ours(known(*pair)), timeout=30.0)
            (binding,) = await get(client, target, [OID((*SYSTEM, 1, 0))])
            assert isinstance(binding.value, bytes), pair
            assert b"PySNMP" in binding.value, pair

    with_pysnmp(work)


def test_pysnmp_with_communities_and_in_bulk() -> None:
    """v1 and v2c, GETBULK with several columns, a walk, and a table side by side."""

    async def work(client: Client, port: int) -> None:
        for version in (message.V1, message.V2C):
            target = Target("127.0.0.1", port, Community(b"public", version), timeout=30.0)
            names = [binding.oid async for binding in walk(client, target, SYSTEM)]
            assert names == sorted(names)
            assert OID((*SYSTEM, 1, 0)) in names
        row = OID((1, 3, 6, 1, 6, 3, 18, 1, 1, 1))
        found = await get_bulk(client, target, [OID((*row, 2)), OID((*row, 3))], max_repetitions=1)
        assert [binding.oid[: len(row) + 1] for binding in found[:2]] == [(*row, 2), (*row, 3)]
        rows = await walk_columns(client, target, [OID((*row, i)) for i in range(2, 9)])
        assert {len(some) for some in rows.values()} == {1}

    with_pysnmp(work)


def test_what_pysnmp_refuses() -> None:
    """Unknown users and wrong passwords, as pysnmp reports them; a wrong community is met with silence."""

    async def outcome(work: Coroutine[Any, Any, T]) -> T | SnmpError:
        try:
            return await work
        except SnmpError as e:
            return e

    async def work(client: Client, port: int) -> None:
        for user, error in (
            (peers.User("stranger"), UnknownUser),
            (peers.User(GOOD.name, "SHA-1", "wrongpass1234", "AES-128", "privpass1234"), WrongDigest),
        ):
            found = await outcome(get(client, Target("127.0.0.1", port, ours(user), timeout=30.0), [NAME]))
            assert type(found) is error, found
        wrong = Target("127.0.0.1", port, Community(b"private"), timeout=0.3, retries=0)
        assert isinstance(await outcome(get(client, wrong, [NAME])), Timeout)

    with_pysnmp(work)
