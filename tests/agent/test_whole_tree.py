"""The whole tree of an agent on a full machine, read by net-snmp and pysnmp: every object, in order, of the type its MIB says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import peers
import pytest
from hardware import WHOLE
from loopback import served
from smi import BASE

from agent import linux
from agent.inventory import rows
from agent.tree import Machine
from config import mib, objects
from snmp import ber
from snmp.access import CommunityAccess, UserAccess
from snmp.ciphers import cipher_factory
from snmp.engine import Engine, engine_id, steady
from snmp.oid import OID
from snmp.responder import Responder
from snmp.tree import Group, LiveTree
from snmp.usm import User

USER = peers.User("poller", "SHA-256", "authpass1234", "AES-128", "privpass1234")


class Agent(NamedTuple):
    port: int
    types: dict[OID, int]
    """What is served, and as which type."""


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    known = rows.rows(WHOLE)
    tree = LiveTree([*Machine(linux, objects.ENTERPRISE).groups(), Group("inventory", lambda: known, float("inf"))])
    user = User(USER.name.encode(), USER.auth, USER.auth_secret.encode(), USER.priv, USER.priv_secret.encode())
    engine = Engine(engine_id(objects.ENTERPRISE, b"whole"), 1, steady())
    ciphers = cipher_factory("libcrypto")
    responder = Responder(tree, [CommunityAccess(b"public")], [UserAccess(user)], engine, ciphers=ciphers)
    with served(responder.answer) as port:
        yield Agent(port, {row.oid: row.tag for row in tree.rows(steady())})


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("snmpwalk", ["-v1", "-c", "public"]),
        ("snmpwalk", ["-v2c", "-c", "public"]),
        ("snmpbulkwalk", ["-v2c", "-c", "public", "-Cr50"]),
        ("snmpwalk", USER.options()),
        ("snmpbulkwalk", USER.options()),
    ],
    ids=["v1", "v2c", "v2c-bulk", "v3", "v3-bulk"],
)
def test_net_snmp_reads_everything(agent: Agent, command: str, options: list[str]) -> None:
    """Each version's walk gives every object once, in order, and ends; v1 knows no Counter64."""
    run = peers.net_snmp(command, "-On", "-t", "30", *options, f"127.0.0.1:{agent.port}", ".1")
    lines = [line for line in run.stdout.splitlines() if line.startswith(".1.") and "No more" not in line]
    found = [OID.parse(line.partition(" = ")[0]) for line in lines]
    expected = [name for name, tag in agent.types.items() if "-v1" not in options or tag != ber.COUNTER64]
    assert found == expected == sorted(expected) and len(found) > 350


def compiled(directory: Path) -> str:
    """The MIB as pysmi writes it for pysnmp."""
    from pysmi.codegen import PySnmpCodeGen
    from pysmi.compiler import MibCompiler
    from pysmi.parser import SmiV2Parser
    from pysmi.reader import CallbackReader
    from pysmi.searcher import StubSearcher
    from pysmi.writer import CallbackWriter

    written: dict[str, str] = {}
    writer = CallbackWriter(lambda name, data, _: written.update({name: data}))
    compiler = MibCompiler(SmiV2Parser(tempdir=str(directory)), PySnmpCodeGen(), writer)
    compiler.add_sources(CallbackReader(lambda name, _: {**BASE, "HAIDANG-MIB": mib.text()}.get(name, "")))
    # pysnmp has these itself.
    compiler.add_searchers(StubSearcher(*PySnmpCodeGen.baseMibs))
    result = compiler.compile("HAIDANG-MIB", rebuild=True)
    assert result["HAIDANG-MIB"] == "compiled", result
    return written["HAIDANG-MIB"]


@pytest.mark.parametrize("table", [group for group in objects.GROUPS if group.label], ids=lambda group: str(group.name))
def test_snmptable_shows_every_table(agent: Agent, tmp_path: Path, table: objects.Group) -> None:
    """net-snmp loads the MIB's text, and shows the rows of each table under the names of its columns."""
    for name, text in {**BASE, "HAIDANG-MIB": mib.text()}.items():
        (tmp_path / name).write_text(text)
    run = peers.net_snmp(
        "snmptable", "-M", str(tmp_path), "-m", "HAIDANG-MIB", "-v2c", "-c", "public", "-Cf", "|", f"127.0.0.1:{agent.port}",
        f"HAIDANG-MIB::{table.name}Table",
    )  # fmt: skip
    # What it finds wrong with a MIB, it says here.
    assert "MIB" not in run.stderr, run.stderr
    lines = run.stdout.splitlines()
    assert lines[2].split("|") == [table.object_name(item) for item in table.objects] and len(lines) > 3


@pytest.mark.filterwarnings("ignore:(im|ex)portSymbols is deprecated")  # pysmi writes pysnmp's older names
def test_pysnmp_reads_everything_as_the_mib_says(agent: Agent, tmp_path: Path) -> None:
    """pysnmp's walks give the same objects, and ours fit the syntax of the MIB as pysmi compiled it."""
    from pysnmp.hlapi.v3arch import asyncio as hlapi
    from pysnmp.smi.builder import DirMibSource
    from pysnmp.smi.view import MibViewController

    (tmp_path / "HAIDANG-MIB.py").write_text(compiled(tmp_path))
    user = hlapi.UsmUserData(
        USER.name, USER.auth_secret, USER.priv_secret, hlapi.usmHMAC192SHA256AuthProtocol, hlapi.usmAesCfb128Protocol
    )

    async def walk(engine: Any, credential: Any) -> list[tuple[OID, Any]]:
        target = await hlapi.UdpTransportTarget.create(("127.0.0.1", agent.port), timeout=30, retries=1)
        asked = hlapi.ObjectType(hlapi.ObjectIdentity("1.3"))
        found = []
        answers = hlapi.bulk_walk_cmd(engine, credential, target, hlapi.ContextData(), 0, 40, asked, lookupMib=False)
        async for indication, status, _, bindings in answers:
            assert (indication, int(status)) == (None, 0)
            found += [(OID(tuple(name)), value) for name, value in bindings]
        return found

    async def run() -> None:
        engine = hlapi.SnmpEngine()
        builder = engine.get_mib_builder()
        builder.add_mib_sources(DirMibSource(str(tmp_path)))
        builder.load_modules("HAIDANG-MIB")
        view = MibViewController(builder)
        for credential in (hlapi.CommunityData("public"), user):
            found = await walk(engine, credential)
            assert [name for name, _ in found] == list(agent.types)
        ours = [(name, value) for name, value in found if objects.root().covers(name)]
        assert len(ours) > 100
        for name, value in ours:
            shown = hlapi.ObjectType(hlapi.ObjectIdentity(name), value).resolve_with_mib(view)
            assert shown.prettyPrint().startswith("HAIDANG-MIB::hd"), name
        engine.close_dispatcher()

    asyncio.run(run())
