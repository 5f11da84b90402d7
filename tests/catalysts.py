"""An office with Catalysts that answer on the loopback: a forwarding table of each VLAN's in a context of its own, and CDP."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import offices
from loopback import served

from snmp import ber
from snmp.access import CommunityAccess, UserAccess
from snmp.engine import Engine, engine_id
from snmp.oid import OID
from snmp.responder import Responder
from snmp.tree import Tree
from snmp.usm import User

BRIDGE = (1, 3, 6, 1, 2, 1, 17)
CISCO = (1, 3, 6, 1, 4, 1, 9, 9)
_IF, _IFX = (1, 3, 6, 1, 2, 1, 2, 2, 1), (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
USER = User(b"hai-dang", "SHA-1", b"authentication", "AES-128", b"privacy-secret")
Cell = tuple[OID, int, ber.Value]


def mac(name: str) -> bytes:
    """The address of a device."""
    return bytes.fromhex(offices.mac(name).replace(":", ""))


def rows(prefix: Sequence[int], tag: int, values: Mapping[Any, ber.Value]) -> list[Cell]:
    """A column."""
    return [(OID((*prefix, *index)), tag, value) for index, value in values.items()]


def vlan_table(entries: Mapping[str, int], ports: Mapping[int, int]) -> list[Cell]:
    """What one VLAN's context has: BRIDGE-MIB's forwarding table, device -> bridge port, and bridge port -> ifIndex."""
    heard = {tuple(mac(name)): port for name, port in entries.items()}
    return [
        *rows((*BRIDGE, 1, 4, 1, 2), ber.INTEGER, {(port,): index for port, index in ports.items()}),
        *rows((*BRIDGE, 4, 3, 1, 2), ber.INTEGER, heard),
        *rows((*BRIDGE, 4, 3, 1, 3), ber.INTEGER, dict.fromkeys(heard, 3)),
    ]


@dataclass
class Catalyst:
    """A switch by its name: ports Fa0/1 to Fa0/8 (ifIndex 10001, bridge port 1), Gi0/1 (10101, 49) and its address in VLAN 99.

    `vlans`: VLAN -> device -> bridge port it is heard at; `members`: port -> VLAN; `beside`: ifIndex -> (name, port) by CDP.
    `deaf`: VLANs whose questions get no answer.
    """

    name: str
    vlans: Mapping[int, Mapping[str, int]]
    members: Mapping[int, int] = field(default_factory=dict)
    beside: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    deaf: Collection[int] = ()
    asked: list[bytes] = field(default_factory=list)
    """The datagrams that came."""

    @property
    def ports(self) -> dict[int, str]:
        return {**{10000 + n: f"FastEthernet0/{n}" for n in range(1, 9)}, 10101: "GigabitEthernet0/1", 99: "Vlan99"}

    def common(self) -> list[Cell]:
        """What it has without a context."""
        short = {index: name.replace("FastEthernet", "Fa").replace("GigabitEthernet", "Gi") for index, name in self.ports.items()}
        kinds = {index: 53 if name.startswith("Vlan") else 6 for index, name in self.ports.items()}
        cdp = (*CISCO, 23, 1, 2, 1, 1)
        return [
            *device(self.name, "Cisco IOS Software, C2960 Software (C2960-LANBASEK9-M), Version 15.0(2)SE11", (9, 1, 716)),
            *rows((*_IF, 2), ber.OCTET_STRING, {(index,): name.encode() for index, name in self.ports.items()}),
            *rows((*_IF, 3), ber.INTEGER, {(index,): kind for index, kind in kinds.items()}),
            *rows((*_IF, 6), ber.OCTET_STRING, {(index,): mac(f"{self.name} {index}") for index in self.ports}),
            *rows((*_IF, 7), ber.INTEGER, dict.fromkeys([(index,) for index in self.ports], 1)),
            *rows((*_IF, 8), ber.INTEGER, dict.fromkeys([(index,) for index in self.ports], 1)),
            *rows((*_IFX, 1), ber.OCTET_STRING, {(index,): name.encode() for index, name in short.items()}),
            *rows((*CISCO, 46, 1, 3, 1, 1, 2), ber.INTEGER, {(1, vlan): 1 for vlan in (*self.vlans, 1002)}),
            *rows((*CISCO, 46, 1, 6, 1, 1, 14), ber.INTEGER, {(10101,): 1}),
            *rows((*CISCO, 68, 1, 2, 2, 1, 2), ber.INTEGER, {(10000 + port,): vlan for port, vlan in self.members.items()}),
            *rows((*cdp, 6), ber.OCTET_STRING, {(at, 1): name.encode() for at, (name, _) in self.beside.items()}),
            *rows((*cdp, 7), ber.OCTET_STRING, {(at, 1): port.encode() for at, (_, port) in self.beside.items()}),
            *rows((*cdp, 9), ber.OCTET_STRING, {(at, 1): b"\0\0\0\x28" for at in self.beside}),
        ]  # fmt: skip

    def contexts(self) -> dict[int, list[Cell]]:
        """VLAN -> what its context has."""
        base = {port: 10000 + port for port in range(1, 9)} | {49: 10101}
        return {
            vlan: vlan_table(
                entries, {port: index for port, index in base.items() if port == 49 or self.members.get(port) == vlan}
            )
            for vlan, entries in self.vlans.items()
            if vlan not in self.deaf
        }

    def answer(self, data: bytes, source: Any) -> bytes | None:
        """As the switch answers, in v2c by ``community@vlan`` and in v3 by the contexts ``vlan-N``."""
        self.asked.append(data)
        return self._agent.answer(data, source)

    @cached_property
    def _agent(self) -> Responder:
        return agent(self.name, self.common(), {f"vlan-{vlan}": some for vlan, some in self.contexts().items()})


def device(name: str, descr: str, maker: tuple[int, ...]) -> list[Cell]:
    """The system group."""
    system = (1, 3, 6, 1, 2, 1, 1)
    return [
        (OID((*system, 1, 0)), ber.OCTET_STRING, descr.encode()),
        (OID((*system, 2, 0)), ber.OBJECT_IDENTIFIER, OID((1, 3, 6, 1, 4, 1, *maker))),
        (OID((*system, 3, 0)), ber.TIME_TICKS, 4711),
        (OID((*system, 5, 0)), ber.OCTET_STRING, name.encode()),
    ]


def machine(name: str) -> list[Cell]:
    """A workstation with one port."""
    return [
        *device(name, "a workstation", (8072, 3, 2, 10)),
        *rows((*_IF, 2), ber.OCTET_STRING, {(1,): b"eth0"}),
        *rows((*_IF, 3), ber.INTEGER, {(1,): 6}),
        *rows((*_IF, 6), ber.OCTET_STRING, {(1,): mac(name)}),
        *rows((*_IF, 8), ber.INTEGER, {(1,): 1}),
    ]


def agent(name: str, cells: Iterable[Cell], contexts: Mapping[str, Iterable[Cell]] | None = None) -> Responder:
    """Answers the community "public", "public@10" from the context "vlan-10", and `USER`."""
    trees = {context.encode(): Tree.of(sorted(some)) for context, some in (contexts or {}).items()}
    by_vlan = [CommunityAccess(b"public@" + context.removeprefix(b"vlan-"), context=context) for context in trees]
    return Responder(
        Tree.of(sorted(cells)), [CommunityAccess(b"public"), *by_vlan], [UserAccess(USER)],
        Engine(engine_id(32473, name.encode()), 1, time.monotonic()), contexts=trees, clock=time.monotonic,
    )  # fmt: skip


@contextmanager
def office(catalysts: Iterable[Catalyst], machines: Iterable[str], credential: str) -> Iterator[str]:
    """The devices answering until the block ends; gives the settings of them, asked with the credential "v2c" or "v3"."""
    with ExitStack() as stack:
        answers = {one.name: one.answer for one in catalysts} | {name: agent(name, machine(name)).answer for name in machines}
        ports = {name: stack.enter_context(served(answer)) for name, answer in answers.items()}
        devices = "\n".join(
            f'[[device]]\nid = "{name}"\naddress = "127.0.0.1:{port}"\nunit = "office"\ncredential = "{credential}"'
            for name, port in ports.items()
        )
        yield f"""
            [collector]
            interval = "1s"
            timeout = "2s"
            retries = 1
            [[credential]]
            name = "v2c"
            version = "2c"
            community = "public"
            [[credential]]
            name = "v3"
            version = "3"
            user = "{USER.name.decode()}"
            auth = "{USER.auth}"
            auth_secret = "{USER.auth_secret.decode()}"
            priv = "{USER.priv}"
            priv_secret = "{USER.priv_secret.decode()}"
            [[unit]]
            id = "office"
            packets_per_second = 5000
            {devices}
            """
