from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from peers import User as Peer
from peers import net_snmp
from reporting import DEVICE, PROFILES, SECRETS, Agent, Pages, machine_rows, receive, refused, user

from agent.report import SHUTDOWN
from collector.errors import ReceiveError
from collector.model import Outcome, State
from collector.polling import inbox
from collector.polling import receive as receiving
from collector.polling.receive import Receive
from collector.polling.report import Report
from config import objects
from snmp.message import VarBind
from snmp.usm import User

ROOT = Path(__file__).parents[2]
ROWS = machine_rows()
RECEIVED = "haidang_interface_receive_bytes_total"
TRAFFIC = next(row for row in ROWS if row.oid[:11] == (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6))


def rows(octets: int) -> list[VarBind]:
    return [TRAFFIC._replace(value=octets) if row is TRAFFIC else row for row in ROWS]


def octets(pages: Pages, device: str = "pc-1") -> list[float]:
    """What each block said of the interface's counter."""
    found = []
    for block in pages.blocks.get(device, []):
        if block is not None:
            at = [n for n, series in enumerate(block.layout.series) if series.metric == RECEIVED]
            found.append(max(block.values[n] for n in at))
    return found


async def until(holds: Callable[[], object]) -> None:
    """Wait for something to be so."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(directory: Path, users: dict[str, User] | None = None, port: int = 0) -> AsyncIterator[tuple[Receive, Pages]]:
    pages = Pages()
    made = receive(directory, pages, users, port=port)
    try:
        yield made, pages
    finally:
        await made.stop()


def test_a_report_becomes_a_page(tmp_path: Path) -> None:
    """A full report gives values and facts, a later one what changed; the device's address is where it came from."""

    async def run() -> None:
        async with running(tmp_path) as (receive, pages):
            agent = Agent(receive.address)
            await agent.send(agent.start(rows(10**12)))
            await pages.until(lambda: octets(pages) == [10**12])
            assert pages.status["pc-1"].state is State.UP and pages.facts["pc-1"].kind == "workstation"
            assert receive.reporters["pc-1"].device.address == "127.0.0.1" and pages.cycles
            await agent.send(agent.report(rows(10**12 + 5)))
            await pages.until(lambda: octets(pages) == [10**12, 10**12 + 5])
            first, last = pages.blocks["pc-1"]
            assert first is not None and last is not None and len(last.values) == len(first.values)

    asyncio.run(run())


def test_reports_wait_until_the_agents_are_known(tmp_path: Path) -> None:
    """Until it has read who may report, as from a database that is down at its start, it refuses nobody; then all are taken."""

    async def run() -> None:
        pages = Pages()
        receive = Receive(("127.0.0.1", 0), tmp_path, PROFILES, [pages])
        agent = Agent(receive.address)
        sending = asyncio.ensure_future(agent.send(agent.start(rows(10**12))))
        await until(lambda: len(agent.sent) == 2)  # asked again after a second of silence
        receive.arrange({"pc-1": (DEVICE, [user()])})
        await sending
        await pages.until(lambda: octets(pages) == [10**12])
        assert receive.numbers()["haidang_collector_reports_total"]["unauthenticated"] == 0  # type: ignore[index]
        await receive.stop()

    asyncio.run(run())


def test_it_ends_though_it_never_knew_its_agents(tmp_path: Path) -> None:
    """Stopped before it was told who may report, it lets go of its port."""

    async def run() -> None:
        receive = Receive(("127.0.0.1", 0), tmp_path, PROFILES, [])
        address = receive.address
        await receive.stop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(address)

    asyncio.run(run())


def test_nothing_is_acknowledged_before_it_is_on_disk(tmp_path: Path) -> None:
    """While the disk is busy the agent waits; what comes meanwhile goes to the disk together."""

    async def run() -> None:
        async with running(tmp_path) as (receive, _):
            agents = [Agent(receive.address, engine=b"agent%d" % n) for n in range(3)]
            await agents[0].send(agents[0].start(rows(1)))
            free, sizes = threading.Event(), []
            commit = receive._journal.commit

            def slow(reports: Sequence[Report], *others: object) -> list[int]:
                free.wait(60)
                sizes.append(len(reports))
                return commit(reports, *others)  # type: ignore[arg-type]

            receive._journal.commit = slow  # type: ignore[method-assign]
            sending = [asyncio.ensure_future(agent.send(agent.start(rows(1))[:1])) for agent in agents]
            done, _ = await asyncio.wait(sending, timeout=0.5)
            assert not done
            free.set()
            await asyncio.wait_for(asyncio.gather(*sending), 60)
            assert sum(sizes) >= 3 and max(sizes) > 1

    asyncio.run(run())


def test_a_full_disk_is_told_and_costs_nothing(tmp_path: Path) -> None:
    """What cannot be kept is not acknowledged, the collector says why, and it is taken when there is room again."""

    async def run() -> None:
        async with running(tmp_path) as (receive, _):
            agent = Agent(receive.address)
            await agent.send(agent.start(rows(1)))
            journal = receive._journal._db
            journal.execute(f"PRAGMA max_page_count = {journal.execute('PRAGMA page_count').fetchone()[0]}")
            parts = [part for _ in range(10) for part in agent.report(rows(7), full=True)]
            sending = asyncio.ensure_future(agent.send(parts))
            await until(lambda: receive.trouble)
            assert "full" in receive.trouble and not sending.done()
            sending.cancel()
            await asyncio.wait([sending])
            journal.execute("PRAGMA max_page_count = 100000")
            await agent.send(parts)
            assert receive.trouble == ""

    asyncio.run(run())


def test_a_restart_forgets_nothing_and_takes_nothing_twice(tmp_path: Path) -> None:
    """The pages are there again before anybody reports; an agent that did not hear its acknowledgement is known; boots rise."""

    async def run() -> None:
        async with running(tmp_path) as (before, pages):
            agent = Agent(before.address)
            first = agent.start(rows(10**12))
            await agent.send(first)
            later = agent.report(rows(10**12 + 9))
            await agent.send(later)
            await pages.until(lambda: octets(pages)[-1:] == [10**12 + 9])
            port = before.address[1]
        async with running(tmp_path, port=port) as (after, pages):
            await pages.until(lambda: octets(pages)[-1:] == [10**12 + 9])
            assert pages.status["pc-1"].state is State.UP
            await agent.send([*first, *later])
            assert after.counts["known"] == len(first) + 1 and after.counts["new"] == 0
            assert after.engine.boots == before.engine.boots + 1 and after.engine.id == before.engine.id
            await agent.send(agent.report(rows(10**12 + 10)))
            await pages.until(lambda: octets(pages)[-1:] == [10**12 + 10])

    asyncio.run(run())


def test_a_datagram_played_again_changes_nothing(tmp_path: Path) -> None:
    """Within the time window it is known by its name; after a restart of the collector it is not even authentic."""

    async def run() -> None:
        async with running(tmp_path) as (before, pages):
            agent = Agent(before.address)
            await agent.send(agent.start(rows(5)))
            await pages.until(lambda: octets(pages) == [5] or bool(octets(pages)))
            count = len(octets(pages))
            again = Agent(before.address)
            again.sock.sendto(agent.sent[-1], before.address)
            await again.loop.sock_recv(again.sock, 65535)
            assert before.counts["known"] == 1 and len(octets(pages)) == count
            port = before.address[1]
        async with running(tmp_path, port=port) as (after, _):
            again.sock.sendto(agent.sent[-1], after.address)
            await again.loop.sock_recv(again.sock, 65535)
            assert after.counts["known"] == after.counts["new"] == 0 and after._statistics["usmStatsNotInTimeWindows"] == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (user("gone"), "usmStatsUnknownUserNames"),
        (user(secrets=(b"otherpass123", SECRETS[1])), "usmStatsWrongDigests"),
        (user(secrets=(SECRETS[0], b"otherpass123")), "usmStatsDecryptionErrors"),
        (User(b"pc-1", "SHA-256", SECRETS[0]), ""),
    ],
    ids=["revoked", "authentication", "privacy", "no privacy"],
)
def test_who_is_refused_is_told_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, who: User, why: str
) -> None:
    """A revoked user and wrong keys: the agent hears why, the log names the user once, and a machine heard of only so is refused,
    not silent."""

    async def run() -> None:
        async with running(tmp_path) as (receive, pages):
            agent = Agent(receive.address, who)
            if not why:
                with pytest.raises(TimeoutError):
                    await agent.send(agent.start(rows(1)), patience=1.0)
                assert sum(receive.counts.values()) == 0
                return
            for _ in range(3):
                assert why in await refused(agent, agent.start(rows(1))[:1])
            assert receive.numbers()["haidang_collector_reports_total"]["unauthenticated"] == 3  # type: ignore[index]
            lines = [record.message for record in caplog.records if "reports refused" in record.message]
            assert len(lines) == 1 and who.name.decode() in lines[0]
            if who.name == b"pc-1":
                await pages.until(lambda: "pc-1" in pages.status)
                status = pages.status["pc-1"]
                assert status.state is State.REFUSED and status.outcome is Outcome.AUTH and "wrong" in status.message

    asyncio.run(run())


def test_a_user_that_is_revoked_is_refused_from_then_on(tmp_path: Path) -> None:
    """Arranged without it, its reports are refused and its page is taken away; both users of a machine hold while keys change."""

    async def run() -> None:
        async with running(tmp_path) as (receive, pages):
            agent, rotated = Agent(receive.address), Agent(receive.address, user("pc-1.2"))
            await agent.send(agent.start(rows(1)))
            await pages.until(lambda: bool(octets(pages)))
            device = receive.reporters["pc-1"].device
            receive.arrange({"pc-1": (device, [user(), user("pc-1.2")])})
            await agent.send(agent.report(rows(2)))
            rotated.sequence, rotated.base, rotated.memory = agent.sequence, agent.base, agent.memory
            await rotated.send(rotated.report(rows(3)))
            assert receive.reporters["pc-1"].status.message == ""
            receive.arrange({"pc-2": (replace(device, id="pc-2"), [user("pc-2")])})
            assert "usmStatsUnknownUserNames" in await refused(agent, agent.report(rows(4)))
            assert "pc-1" not in pages.status

    asyncio.run(run())


def test_a_farewell_is_off_not_silent(tmp_path: Path) -> None:
    """A machine that said goodbye is off, and its values vanish; what it is stays known, also after a restart."""

    async def run() -> None:
        async with running(tmp_path) as (receive, pages):
            agent = Agent(receive.address)
            await agent.send(agent.start(rows(1)))
            await agent.send(agent.report(rows(1), SHUTDOWN, interval=0))
            await pages.until(lambda: pages.status["pc-1"].state is State.OFF)
            assert pages.blocks["pc-1"][-1] is None and "shut down" in pages.status["pc-1"].message
        async with running(tmp_path) as (receive, pages):
            await pages.until(lambda: "pc-1" in pages.facts)
            assert pages.status["pc-1"].state is State.OFF and pages.facts["pc-1"].kind == "workstation"
            assert pages.blocks["pc-1"] == [None]

    asyncio.run(run())


def test_silence_is_noticed_after_two_intervals(tmp_path: Path) -> None:
    """A machine that says nothing any more is silent, its values vanish, and it is up again with its next report."""

    async def run() -> None:
        async with running(tmp_path) as (receive, pages):
            agent = Agent(receive.address)
            await agent.send(agent.start(rows(1), interval=1))
            await pages.until(lambda: pages.status.get("pc-1") is not None and pages.status["pc-1"].state is State.SILENT)
            assert pages.blocks["pc-1"][-1] is None and "expected every 1 s" in pages.status["pc-1"].message
            await agent.send(agent.report(rows(2)))
            await pages.until(lambda: pages.status["pc-1"].state is State.UP)

    asyncio.run(run())


def test_it_answers_from_the_address_it_was_asked_at(tmp_path: Path) -> None:
    """Bound to every address (a service address that moves, say), it acknowledges from the one the agent sent to."""

    async def run() -> None:
        made = receive(tmp_path, Pages(), host="0.0.0.0")
        agent = Agent(("127.0.0.5", made.address[1]))
        agent.sock.connect(agent.to)  # the kernel drops answers from anywhere else
        await agent.send(agent.start(rows(1)))
        await made.stop()

    asyncio.run(run())


def test_what_comes_beyond_its_room_is_not_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More reports than may wait are dropped and counted, and taken when they come again."""
    monkeypatch.setattr(receiving, "WAITING", 0)

    async def run() -> None:
        async with running(tmp_path) as (receive, _):
            agent = Agent(receive.address)
            parts = agent.start(rows(1))
            sending = asyncio.ensure_future(agent.send(parts))
            await until(lambda: receive.counts["overflow"])
            assert not sending.done()
            sending.cancel()
            await asyncio.wait([sending])
            monkeypatch.setattr(receiving, "WAITING", 100)
            await agent.send(parts)

    asyncio.run(run())


def test_a_state_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """Damaged boots, a damaged engine ID and a port that is taken are errors with their names, and nothing stays open; who does
    not get the port writes nothing."""

    async def run() -> None:
        async with running(tmp_path) as (receive, _):
            other = tmp_path / "other"
            with pytest.raises(ReceiveError, match=f"cannot take reports at 127.0.0.1:{receive.address[1]}"):
                Receive(receive.address, other, receive._profiles, [])
            assert not other.exists()
        (tmp_path / inbox.BOOTS).write_text("many\n")
        with pytest.raises(ReceiveError, match="boots"):
            Receive(("127.0.0.1", 0), tmp_path, receive._profiles, [])
        other.mkdir()
        (other / inbox.ENGINE_ID).write_text("not hexadecimal\n")
        with pytest.raises(ReceiveError, match=inbox.ENGINE_ID):
            Receive(("127.0.0.1", 0), other, receive._profiles, [])

    asyncio.run(run())


PEER = Peer("pc-1", "SHA-256", SECRETS[0].decode(), "AES-128", SECRETS[1].decode())
LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"


def test_net_snmp_is_taken_or_refused_clearly(tmp_path: Path) -> None:
    """snmpinform's linkDown is kept and acknowledged; a user or password that is wrong, it hears; snmptrap, which nobody can
    acknowledge, is counted; and what says that it is a report and is none is refused with genErr."""

    async def run() -> None:
        async with running(tmp_path) as (receive, _):
            to = f"udp:127.0.0.1:{receive.address[1]}"

            async def tell(tool: str, peer: Peer, *options: str) -> str:
                arguments = [*peer.options(), "-r", "0", "-t", "30", *options, to, "", LINK_DOWN]
                said = await asyncio.to_thread(net_snmp, tool, *arguments, check=False)
                return said.stderr + said.stdout

            assert "Timeout" not in await tell("snmpinform", PEER)
            assert receive.counts["notice"] == 1
            kept = receive._journal._db.execute("SELECT device, trap FROM notice").fetchall()
            assert kept == [("pc-1", LINK_DOWN)]
            assert "Unknown user name" in await tell("snmpinform", replace(PEER, name="nobody"))
            assert "Authentication failure" in await tell("snmpinform", replace(PEER, auth_secret="otherpass123"))
            assert "Decryption error" in await tell("snmpinform", replace(PEER, priv_secret="otherpass123"))
            await tell("snmptrap", PEER, "-e", "0x8000000001020304")
            await until(lambda: receive.counts["refused"])
            agent = Agent(receive.address)
            ((number, told),) = agent.report([])
            assert "genErr" in await refused(agent, [(number, told._replace(varbinds=told.varbinds[1:]))])
            assert receive.counts["refused"] == 2
            assert "Timeout" in await tell("snmpinform", Peer("pc-1", "SHA-256", SECRETS[0].decode()), "-t", "1")
            assert receive.counts["new"] == 0 and receive.counts["notice"] == 1

    asyncio.run(run())


def test_net_snmp_can_report_too(tmp_path: Path) -> None:
    """The report is plain SNMP: what snmpinform sends as one is taken like ours."""
    kinds = {objects.SERIAL: "C", objects.NUMBER: "u", objects.TIME: "u", objects.CHOICE: "i"}
    values = {"sequence": 7, "base": 7, "oldest": 7, "part": 1, "parts": 1, "time": int(time.time()), "interval": 600,
              "reason": 1, "age": 0}  # fmt: skip

    async def run() -> None:
        async with running(tmp_path) as (receive, pages):
            head = [
                word
                for item in objects.REPORT.objects
                for word in (f"{objects.REPORT.oid(item)}.0", kinds[item.syntax], str(values[item.fact]))
            ]
            body = ["1.3.6.1.2.1.1.5.0", "s", "pc-1.example", "1.3.6.1.2.1.1.2.0", "o", f"{objects.root()}.3.1"]
            to = f"udp:127.0.0.1:{receive.address[1]}"
            await asyncio.to_thread(
                net_snmp, "snmpinform", *PEER.options(), "-r", "0", "-t", "30", to, "4711", str(objects.notification()),
                *head, *body,
            )
            await pages.until(lambda: pages.facts.get("pc-1") is not None)
            assert pages.facts["pc-1"].name == "pc-1.example" and pages.facts["pc-1"].uptime_seconds == 47.11

    asyncio.run(run())


def test_pysnmp_can_report_too(tmp_path: Path) -> None:
    """A report that pysnmp encodes, signs and encrypts is taken and acknowledged."""
    from pysnmp.hlapi.v3arch import asyncio as hlapi
    from pysnmp.proto import rfc1902

    kinds = {objects.SERIAL: rfc1902.Counter64, objects.NUMBER: rfc1902.Gauge32, objects.TIME: rfc1902.Gauge32,
             objects.CHOICE: rfc1902.Integer32}  # fmt: skip
    values = {"sequence": 7, "base": 7, "oldest": 7, "part": 1, "parts": 1, "time": int(time.time()), "interval": 600,
              "reason": 1, "age": 0}  # fmt: skip

    async def run() -> None:
        async with running(tmp_path) as (receive, pages):
            engine = hlapi.SnmpEngine()
            head = [(f"{objects.REPORT.oid(item)}.0", kinds[item.syntax](values[item.fact])) for item in objects.REPORT.objects]
            credential = hlapi.UsmUserData(
                "pc-1", SECRETS[0].decode(), SECRETS[1].decode(),
                authProtocol=hlapi.usmHMAC192SHA256AuthProtocol, privProtocol=hlapi.usmAesCfb128Protocol,
            )  # fmt: skip
            target = await hlapi.UdpTransportTarget.create(receive.address, timeout=30, retries=1)
            what = hlapi.NotificationType(hlapi.ObjectIdentity(str(objects.notification())))
            what.add_varbinds(*head, ("1.3.6.1.2.1.1.5.0", rfc1902.OctetString("pc-1.pysnmp")))
            found = await hlapi.send_notification(
                engine, credential, target, hlapi.ContextData(), "inform", what, lookupMib=False
            )
            engine.close_dispatcher()
            assert not found[0] and not found[1], found
            await pages.until(lambda: pages.facts.get("pc-1") is not None)
            assert pages.facts["pc-1"].name == "pc-1.pysnmp"

    asyncio.run(run())


def test_our_agent_reports_from_start_to_stop(tmp_path: Path) -> None:
    """A real agent process is up within seconds of its start, and off as soon as it is stopped, with the reason."""

    async def run() -> None:
        async with running(tmp_path / "collector") as (receive, pages):
            path = tmp_path / "agent.toml"
            path.write_text(
                f'[agent]\nstate = "state"\n[[push]]\nto = "127.0.0.1:{receive.address[1]}"\nuser = "pc-1"\nauth = "SHA-256"\n'
                f'auth_secret = "{SECRETS[0].decode()}"\npriv = "AES"\npriv_secret = "{SECRETS[1].decode()}"\n'
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "agent", "run", "--config", str(path), cwd=ROOT, env={**os.environ, "PATH": "/nothing"}
            )
            await pages.until(lambda: pages.status.get("pc-1") is not None and pages.status["pc-1"].state is State.UP)
            assert pages.facts["pc-1"].name == socket.gethostname()
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            await pages.until(lambda: pages.status["pc-1"].state is State.OFF)
            assert "its agent was stopped" in pages.status["pc-1"].message

    asyncio.run(run())


def test_a_report_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """An authentic report with a value of no known type is kept, and the machine counts as garbled until a better one comes."""

    async def run() -> None:
        async with running(tmp_path) as (receive, pages):
            agent = Agent(receive.address)
            await agent.send(agent.start(rows(1)))
            await pages.until(lambda: "pc-1" in pages.status)
            ((number, told),) = agent.report([])[:1]
            damaged = bytes.fromhex("300c06082b060102010105004700")
            await agent.send([(number, told._replace(rest=damaged))])
            await pages.until(lambda: pages.status["pc-1"].state is State.GARBLED)
            assert pages.blocks["pc-1"][-1] is None and "type 0x47" in pages.status["pc-1"].message
            await agent.send(agent.report(rows(2)))
            await pages.until(lambda: pages.status["pc-1"].state is State.UP)

    asyncio.run(run())
