"""The client: what it accepts, what it says when nothing acceptable comes, and whom it never keeps waiting."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import peers
import pytest
from devices import DESCR, NAME, Device, listening, reply, responder, silent, system, text
from mutation import mutated
from virtual import clock, run

from snmp import message, v3
from snmp.client import Client, Line, Pending, Request, Target
from snmp.errors import DecodeError, PortClosed, SnmpError, Timeout, Unreachable, WrongDigest
from snmp.message import Pdu
from snmp.security import Community
from snmp.session import ask
from snmp.usm import User

PUBLIC = Community(b"public")
GET_NAME = Request(message.GET, message.encode_names([NAME]))
SEALED = User(b"sealed", "SHA-1", b"authpass1234", "AES-128", b"privpass1234")


def to(device: Device, **options: Any) -> Target:
    return Target(device.host, device.port, options.pop("credential", PUBLIC), **options)


async def outcome(client: Client, target: Target, request: Request = GET_NAME) -> bytes | SnmpError:
    """The value of the one object asked for, or the error."""
    try:
        (binding,) = message.decode_varbinds((await ask(client, target, request)).body)
    except SnmpError as e:
        return e
    assert isinstance(binding.value, bytes)
    return binding.value


def asking(
    answer: Callable[[bytes, Any], bytes | Iterable[bytes] | None], **options: Any
) -> tuple[bytes | SnmpError, float, Device, Client]:
    """Ask a device that answers so: (outcome, seconds it took, device, client)."""

    async def work() -> tuple[bytes | SnmpError, float, Device, Client]:
        client = Client()
        async with listening(answer) as device:
            began = clock().time()
            found = await outcome(client, to(device, **options))
            took = clock().time() - began
            assert client.waiting == 0
            client.close()
            return found, took, device, client

    return run(work)


def answered(data: bytes, source: Any) -> bytes:
    return reply(data, [text()])


# what is accepted


def test_an_answer_is_accepted_and_its_time_measured() -> None:
    """One request, one answer, and the round trip is the wait for the next one."""

    async def work() -> None:
        client = Client()
        async with listening(answered) as device:
            device.delay = 0.1
            target = to(device)
            assert target.patience() == 2.0
            assert await outcome(client, target) == b"lighthouse"
            assert target.srtt == pytest.approx(0.1, abs=0.01)
            assert target.patience() == pytest.approx(0.3, abs=0.02)
        client.close()

    run(work)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"request_id": 5}, "the id of no request under way"),
        ({"community": b"private"}, "another community, version or request id"),
    ],
)
def test_an_answer_to_something_else_is_not_accepted(wrong: dict[str, Any], says: str) -> None:
    """An answer with another request id or community is dropped, and the time-out says what came."""
    found, took, device, client = asking(lambda data, _: reply(data, [text()], **wrong))
    assert isinstance(found, Timeout)
    assert says in str(found)
    assert device.requests() == client.counters.unexpected == 3
    assert took == pytest.approx(2 + 4 + 8, rel=0.1)


def test_an_answer_in_another_version_is_not_accepted() -> None:
    """A v1 answer to a v2c question is none."""

    def answer(data: bytes, _: Any) -> bytes:
        pdu = message.decode_community(data)[2]
        assert isinstance(pdu, Pdu)
        return message.encode_community(
            message.V1, b"public", message.encode_pdu(pdu._replace(type=message.RESPONSE, body=message.encode_varbinds([text()])))
        )

    found, *_ = asking(answer)
    assert isinstance(found, Timeout)


def test_a_request_is_no_answer() -> None:
    """A device that sends our own message back has not answered."""
    found, *_ = asking(lambda data, _: data)
    assert isinstance(found, Timeout)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9"])
def test_an_answer_from_elsewhere_is_not_accepted(host: str) -> None:
    """An answer from another port, or from another address, is dropped, and the time-out names where it came from."""

    async def work() -> None:
        client = Client()
        async with listening(silent, host) as other:

            def answer(data: bytes, source: Any) -> None:
                other.send(reply(data, [text()]), source)

            async with listening(answer) as device:
                found = await outcome(client, to(device))
                assert isinstance(found, Timeout)
                assert f"an answer came from {host} port {other.port}" in str(found)
        client.close()

    run(work)


def test_ipv6_answers_are_recognised_however_the_address_is_written() -> None:
    """`0:0::1` is where `::1` answers from."""
    peers.require_ipv6()

    async def work() -> None:
        client = Client()
        async with listening(answered, "::1") as device:
            assert await outcome(client, Target("0:0:0::1", device.port, PUBLIC)) == b"lighthouse"
        client.close()

    run(work)


def test_an_answer_given_twice_counts_once() -> None:
    """The second copy of an answer is dropped, and the next request is not disturbed."""
    calls = []

    async def work() -> None:
        client = Client()
        async with listening(lambda data, _: [answered(data, _)] * 2) as device:
            target = to(device)
            done = asyncio.Event()

            def note(answer: Pdu | SnmpError, _: Pending) -> None:
                calls.append(answer)
                done.set()

            client.submit(target, GET_NAME, note)
            await done.wait()
            assert await outcome(client, target) == b"lighthouse"
            await asyncio.sleep(10)
            assert client.counters.unexpected == 2
        client.close()

    run(work)
    assert len(calls) == 1


def test_an_answer_that_is_late_is_taken_all_the_same() -> None:
    """The answer to the first try, coming after the second was sent, is accepted; the other one is dropped."""

    async def work() -> None:
        client = Client()
        async with listening(answered) as device:
            target = to(device, timeout=1.0)
            device.delay = 1.5
            began = clock().time()
            assert await outcome(client, target) == b"lighthouse"
            assert clock().time() - began == pytest.approx(1.5, abs=0.01)
            assert device.requests() == 2
            await asyncio.sleep(5)
            assert client.counters.unexpected == 1
            assert target.srtt == 0, "nobody knows which try was answered"
        client.close()

    run(work)


def test_an_answer_is_taken_while_the_retry_waits_for_the_line() -> None:
    """A retry that has no room on the line yet does not turn the late answer to the first try away."""

    class Slow:
        sent = 0

        def pace(self, size: int) -> float:
            self.sent += 1
            return 0.0 if self.sent == 1 else 10.0

        def carried(self, size: int) -> None:
            pass

    async def work() -> None:
        client = Client()
        async with listening(answered) as device:
            device.delay = 2.5
            began = clock().time()
            assert await outcome(client, to(device, line=Slow())) == b"lighthouse"
            assert clock().time() - began == pytest.approx(2.5, abs=0.01)
            assert device.requests() == 1
        client.close()

    run(work)


# what is said when nothing acceptable comes


def test_a_silent_device_times_out() -> None:
    """Three tries, each waited for twice as long as the one before, then a Timeout that names the device."""
    found, took, device, client = asking(silent)
    assert isinstance(found, Timeout)
    assert str(found) == f"no answer from 127.0.0.1 port {device.port}, asked 3 times"
    gaps = [b[0] - a[0] for a, b in zip(device.asked, device.asked[1:], strict=False)]
    assert gaps == [pytest.approx(2.1, abs=0.11), pytest.approx(4.2, abs=0.22)]
    assert took == pytest.approx(14.7, abs=0.8)
    assert (client.counters.retries, client.counters.timeouts) == (2, 1)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_closed_port_is_told_at_once(address: str) -> None:
    """The machine's own ICMP error ends the request without waiting, and names the port."""
    if address == "::1":
        peers.require_ipv6()

    async def work() -> None:
        client = Client()
        async with listening(silent) as device:
            port = device.port
        began = clock().time()
        found = await outcome(client, Target(address, port, PUBLIC))
        assert isinstance(found, PortClosed)
        assert str(found).startswith(f"{address} port {port}: Connection refused: the machine is there")
        assert clock().time() - began < 0.1
        client.close()

    run(work)


def test_a_closed_port_harms_nobody_else() -> None:
    """Requests to living devices among many closed ports are all answered, none is blamed for the other."""

    async def work() -> None:
        client = Client()
        async with listening(silent) as gone:
            closed = gone.port
        async with listening(answered) as device:
            targets = [Target("127.0.0.1", closed, PUBLIC) if i % 2 else to(device) for i in range(100)]
            found = await asyncio.gather(*(outcome(client, target) for target in targets))
        assert all(one == b"lighthouse" for one in found[::2])
        assert all(isinstance(one, PortClosed) for one in found[1::2])
        client.close()

    run(work)


def test_no_route_is_unreachable() -> None:
    """Without a route (in a network namespace of its own) the request fails at once with the system's word."""
    program = """
        import asyncio
        from snmp.client import Client, Target
        from snmp.errors import Unreachable
        from snmp.security import Community
        from snmp.session import get

        async def work():
            try:
                await get(Client(), Target("192.0.2.1", 161, Community(b"public")), [(1, 3, 6, 1, 2, 1, 1, 5, 0)])
            except Unreachable as e:
                print(e)

        asyncio.run(work())
    """
    house = Path(__file__).resolve().parents[2]
    made = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"no network namespace can be made here: {made.stderr.decode().strip()}")
    result = subprocess.run(
        ["unshare", "-rn", sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, timeout=30, cwd=house, check=True,
    )  # fmt: skip
    assert result.stdout.strip() == "192.0.2.1 port 161: Network is unreachable"


def test_a_name_is_not_looked_up_while_others_wait() -> None:
    """A target whose name was not resolved fails at once: the system's resolver would stop everybody."""

    async def work() -> None:
        client = Client()
        found = await outcome(client, Target("switch.example", 161, PUBLIC))
        assert isinstance(found, Unreachable)
        assert str(found) == "switch.example port 161: no address is known for this name"
        client.close()

    run(work)


@pytest.mark.parametrize("garbage", [b"\0", b"hello, world", b"\x30\x82", bytes(1400), b"\x30\x0b\x02\x01\x01\x04\x06public"])
def test_garbage_is_told_from_silence(garbage: bytes) -> None:
    """What is no SNMP message at all, from the device that was asked, is an error of its own."""
    found, *_ = asking(lambda data, _: garbage)
    assert isinstance(found, DecodeError)
    assert "answers with what is no SNMP message" in str(found)


@pytest.mark.parametrize(("kept", "added"), [(-12, b"\xff" * 12), (-1, b"")])
def test_garbage_behind_the_right_id_ends_the_request(kept: int, added: bytes) -> None:
    """A message that begins well and cannot be read is the device's answer: it is not asked again."""
    found, took, device, _ = asking(lambda data, _: reply(data, [text()])[:kept] + added)
    assert isinstance(found, DecodeError)
    assert (device.requests(), took) == (1, pytest.approx(0, abs=0.01))


def test_garbage_of_the_past_is_forgotten() -> None:
    """A device that sent garbage yesterday and nothing today is silent today."""

    async def work() -> None:
        client = Client()
        async with listening(lambda data, _: b"garbage") as device:
            target = to(device)
            assert isinstance(await outcome(client, target), DecodeError)
            client_end = client._sockets[target.family].getsockname()
            device.send(b"garbage", ("127.0.0.1", client_end[1]))
            await asyncio.sleep(1)
            device.answer = silent
            assert isinstance(await outcome(client, target), Timeout)
        client.close()

    run(work)


# how often it asks


def test_a_dead_device_costs_the_retries_of_one_request() -> None:
    """Of four requests to a silent device only one is repeated; all end with its time-out."""

    async def work() -> None:
        client = Client()
        async with listening(silent) as device:
            target = to(device)
            found = await asyncio.gather(*(outcome(client, target) for _ in range(4)))
            assert all(isinstance(one, Timeout) for one in found)
            assert device.requests() == 4 + 2
            assert (client.waiting, target.pilot, target.parked) == (0, None, None)
        client.close()

    run(work)


def test_what_was_lost_is_asked_again_when_the_device_answers() -> None:
    """A burst lost whole is repeated by its first, and by the others as soon as that one is answered."""

    async def work() -> None:
        client = Client()
        async with listening(answered) as device:
            target = to(device)
            device.drop = 4
            began = clock().time()
            found = await asyncio.gather(*(outcome(client, target) for _ in range(4)))
            assert found == [b"lighthouse"] * 4
            assert clock().time() - began < 2.3
            assert device.requests() == 8
        client.close()

    run(work)


def test_one_loss_among_answers_is_repeated_at_once() -> None:
    """A device that answered the others is alive: what is missing is asked again without waiting for a pilot."""

    async def work() -> None:
        client = Client()
        async with listening(answered) as device:
            target = to(device)
            device.delay = 0.001
            assert await outcome(client, target) == b"lighthouse"
            device.drop = 2
            began = clock().time()
            assert await asyncio.gather(*(outcome(client, target) for _ in range(4))) == [b"lighthouse"] * 4
            assert clock().time() - began < 0.25, "both lost ones after the floor of patience"
        client.close()

    run(work)


def test_a_cancelled_pilot_leaves_the_others_their_chance() -> None:
    """When the request that is repeated for all is given up by its asker, the others go on."""

    async def work() -> None:
        client = Client()
        async with listening(silent) as device:
            target = to(device)
            tasks = [asyncio.ensure_future(outcome(client, target)) for _ in range(3)]
            await asyncio.sleep(2.5)
            assert target.pilot is not None
            client.cancel(target.pilot)
            device.answer = answered
            await asyncio.sleep(0.1)
            assert sum(task.done() for task in tasks) == 2
            assert (client.waiting, target.pilot) == (0, None)
            for task in tasks:
                task.cancel()
        client.close()

    run(work)


def test_a_device_that_became_slow_is_asked_once_again() -> None:
    """After a retry the wait stays longer until a round trip can be measured: no request is sent twice for ever."""

    async def work() -> None:
        client = Client()
        async with listening(answered) as device:
            target = to(device)
            device.delay = 0.001
            for _ in range(8):
                await outcome(client, target)
            assert target.patience() < 0.3
            device.delay = 0.9
            before = device.requests()
            for _ in range(10):
                assert await outcome(client, target) == b"lighthouse"
            assert device.requests() - before < 10 + 6
            assert target.patience() > 0.9
        client.close()

    run(work)


def test_patience_stays_within_its_bounds() -> None:
    """From a floor for the fast to the time-out for the slow, doubled with each try up to four time-outs."""
    target = Target("192.0.2.1", 161, PUBLIC, timeout=3.0)
    for _ in range(50):
        target.measured(0.001)
    assert target.patience() == 0.2
    assert [target.patience(tries) for tries in (2, 3, 9)] == [0.4, 0.8, 12.0]
    for _ in range(50):
        target.measured(7.0)
    assert target.patience() == 3.0
    for _ in range(99):
        target.unmeasured()
    assert (target.patience(1), target.patience(2), target.patience(3), target.patience(4)) == (3.0, 6.0, 12.0, 12.0)


def test_a_dead_device_delays_nobody() -> None:
    """A hundred living devices are answered at once while a dead, a garbling and a refusing one are asked beside them."""

    async def work() -> None:
        client = Client()
        async with (
            listening(silent) as dead,
            listening(lambda data, _: b"garbage") as garbling,
            listening(answered) as living,
        ):
            bad = [asyncio.ensure_future(outcome(client, to(one))) for one in (dead, garbling)]
            began = clock().time()
            found = await asyncio.gather(*(outcome(client, to(living)) for _ in range(100)))
            assert found == [b"lighthouse"] * 100
            assert clock().time() - began < 0.1
            assert [type(one) for one in await asyncio.gather(*bad)] == [Timeout, DecodeError]
        client.close()

    run(work)


def test_what_one_asker_does_wrong_harms_no_other() -> None:
    """A callback that raises stops neither the timer nor the reader."""

    async def work() -> None:
        client = Client()

        def broken(answer: Pdu | SnmpError, _: Pending) -> None:
            raise ZeroDivisionError

        async with listening(silent) as dead, listening(answered) as living:
            for device in (dead, living, dead, living):
                client.submit(to(device), GET_NAME, broken)
            found = await asyncio.gather(*(outcome(client, to(one)) for one in (dead, living, dead, living)))
            assert [type(one) for one in found] == [Timeout, bytes, Timeout, bytes]
            await asyncio.sleep(30)
            assert client.waiting == 0
        client.close()

    run(work, may_fail=True)


class Metered:
    """A line with room for one packet every `gap` seconds, that keeps what it was told."""

    def __init__(self, gap: float) -> None:
        self.gap, self.due = gap, 0.0
        self.sizes: list[int] = []
        self.back: list[int] = []

    def pace(self, size: int) -> float:
        now = clock().time()
        self.sizes.append(size)
        self.due = max(self.due, now) + self.gap
        return self.due - now - self.gap

    def carried(self, size: int) -> None:
        self.back.append(size)


def test_packets_wait_for_their_line() -> None:
    """Twenty requests leave one after the other as the line says, and the line is told of every answer."""

    async def work() -> None:
        client = Client()
        line = Metered(0.1)
        metered: Line = line
        async with listening(answered) as device:
            targets = [to(device, line=metered) for _ in range(20)]
            assert await asyncio.gather(*(outcome(client, target) for target in targets)) == [b"lighthouse"] * 20
            times = [when for when, _ in device.asked]
            assert times == [pytest.approx(times[0] + 0.1 * i, abs=0.005) for i in range(20)]
            assert len(line.back) == 20
            real = len(device.asked[0][1])
            assert abs(line.sizes[0] - real) < 12
            assert targets[-1].srtt < 0.01, "waiting for the line is not the device's time"
        client.close()

    run(work)


def test_requests_that_waited_for_the_line_know_the_engine() -> None:
    """In v3 what waits for the line is sealed when it leaves, with what was learnt meanwhile."""

    async def work() -> None:
        client = Client()
        async with listening(responder(system(), [SEALED]).answer) as device:
            target = to(device, credential=SEALED, line=Metered(0.1))
            assert await asyncio.gather(*(outcome(client, target) for _ in range(4))) == [b"lighthouse"] * 4
            empty = [data for _, data in device.asked if not v3.decode(data).engine_id]
            assert len(empty) == 1
            assert device.requests() == 5
            line = target.line
            assert isinstance(line, Metered)
            assert abs(line.sizes[-1] - len(device.asked[-1][1])) < 40
        client.close()

    run(work)


# ends


def test_a_cancelled_request_is_forgotten() -> None:
    """Its callback is never called, its answer is unexpected, and nothing is kept of it."""

    async def work() -> None:
        client = Client()
        async with listening(answered) as device:
            device.delay = 1.0
            calls: list[object] = []
            pending = client.submit(to(device), GET_NAME, lambda answer, _: calls.append(answer))
            await asyncio.sleep(0)  # it is sent
            client.cancel(pending)
            client.cancel(client.submit(to(device), GET_NAME, lambda answer, _: calls.append(answer)))
            await asyncio.sleep(30)
            assert device.requests() == 1, "what is forgotten before it is sent is not sent"
            assert (calls, client.waiting, client.counters.unexpected) == ([], 0, 1)
            assert not client._events
        client.close()

    run(work)


def test_closing_ends_what_is_under_way() -> None:
    """Requests under way end with a Timeout that says so, and a closed client sends nothing any more."""

    async def work() -> None:
        client = Client()
        async with listening(silent) as device:
            target = to(device)
            tasks = [asyncio.ensure_future(outcome(client, target)) for _ in range(3)]
            await asyncio.sleep(0.1)
            client.close()
            found = await asyncio.gather(*tasks)
            assert all(str(one) == "the client was closed" for one in found)
            after = await outcome(client, target)
            assert isinstance(after, Unreachable)
            assert "the client is closed" in str(after)
            await asyncio.sleep(30)
            assert device.requests() == 3
            assert client.waiting == 0

    run(work)


def test_nothing_is_kept_of_what_was_answered() -> None:
    """After ten thousand requests no timer, no request and no stranger is left over."""

    async def work() -> None:
        client = Client()
        async with listening(answered) as device:
            target = to(device)
            for _ in range(100):
                await asyncio.gather(*(outcome(client, target) for _ in range(100)))
            await asyncio.sleep(10)
            assert (client.waiting, len(client._events)) == (0, 0)
            assert client.counters.received == client.counters.sent == 10_000
            assert client.dropped() == 0
            assert client.receive_buffer() > 0
        client.close()

    run(work)


# hostile bytes


def test_damaged_answers_are_dropped() -> None:
    """50,000 damaged answers to what is under way, and as many to what is not: no exception, nothing accepted that does
    not bear the community and id that were asked, nothing kept."""

    async def work() -> None:
        client = Client()
        lead = b"\x02\x01\x01\x04\x06public"
        async with listening(silent) as device, listening(silent) as other:
            target = to(device, timeout=1e6, retries=0)
            accepted = malformed = 0
            last = b""

            def done(answer: Pdu | SnmpError, pending: Pending) -> None:
                nonlocal accepted, malformed
                if isinstance(answer, Pdu):
                    accepted += 1
                    assert lead in last
                    assert pending.id.to_bytes(4, "big") in last
                else:
                    assert isinstance(answer, DecodeError)
                    malformed += 1
                under_way.discard(pending)

            under_way: set[Pending] = set()
            end: Any = None
            count = 0
            while count < 50_000:
                while len(under_way) < 8:
                    under_way.add(client.submit(target, GET_NAME, done))
                await asyncio.sleep(0)
                if end is None:
                    end = ("127.0.0.1", client._sockets[target.family].getsockname()[1])
                answers = [reply(p.data, [text(), text(DESCR, b"x" * 20)]) for p in under_way]
                for packet in mutated(answers, 64, count):
                    for sender, data in ((device, packet), (other, answers[0])):
                        if not data:
                            continue
                        last = packet
                        sender.send(data, end)
                        received = client.counters.received
                        client._readable(client._sockets[target.family])
                        assert client.counters.received == received + 1
                    count += 1
                assert client.waiting == len(under_way) <= 8
            assert accepted > 100, "damage to a value alone cannot be noticed in v2c"
            assert malformed > 100
            assert len(client._strange) <= 2
        client.close()

    run(work)


def test_damaged_v3_answers_are_dropped() -> None:
    """Of signed answers that were damaged none is accepted; damaged Reports end a request at worst."""

    async def work() -> None:
        client = Client()
        async with listening(responder(system(), [SEALED]).answer) as device:
            target = to(device, credential=SEALED, timeout=1e6, retries=0)
            wrong = to(device, credential=SEALED._replace(auth_secret=b"wrong password"), timeout=1e6, retries=0)
            assert await outcome(client, target) == b"lighthouse"
            assert isinstance(await outcome(client, wrong), WrongDigest)
            sock = client._sockets[target.family]
            end = ("127.0.0.1", sock.getsockname()[1])
            agent, device.answer = device.answer, silent
            ended: list[tuple[Pdu | SnmpError, bytes]] = []
            whole: dict[int, bytes] = {}
            packet = b""

            def done(answer: Pdu | SnmpError, pending: Pending) -> None:
                ended.append((answer, packet))
                if isinstance(answer, Pdu):
                    assert packet == whole[pending.id]

            for batch in range(400):
                pending = client.submit(target, GET_NAME, done)
                other = client.submit(wrong, GET_NAME, done)
                await asyncio.sleep(0)
                answers = []
                for one in (pending, other):
                    made = agent(one.data, end)
                    assert isinstance(made, bytes)
                    whole[one.id] = made
                    answers.append(made)
                for packet in mutated(answers, 125, batch):
                    device.send(packet, end)
                    client._readable(sock)
                client.cancel(pending)
                client.cancel(other)
                for _ in range(4):
                    await asyncio.sleep(0)  # the device takes one datagram a turn
                assert client.waiting == 0
            assert sum(isinstance(answer, Pdu) for answer, _ in ended) < 20
            device.answer = agent
            assert await outcome(client, target) == b"lighthouse", "what damaged Reports said of its engine is mended"
        client.close()

    run(work)


def test_a_flood_of_strangers_fills_nothing() -> None:
    """Packets from thousands of sources are counted and not remembered beyond a bound."""

    async def work() -> None:
        client = Client()
        for i in range(20_000):
            client._wonder((f"10.0.{i >> 8}.{i & 255}", i), bool(i % 2), "noise")
        assert len(client._strange) <= 1024
        client.close()

    run(work)


def test_numbers_of_the_wire_stay_four_octets() -> None:
    """Request ids go round within what takes four octets, so that requests can be encoded beforehand."""

    async def work() -> None:
        client = Client()
        async with listening(answered) as device:
            client._next_id = 0x7FFFFFFE
            target = to(device)
            for _ in range(4):
                assert await outcome(client, target) == b"lighthouse"
            ids = [message.peek_id(data) for _, data in device.asked]
            assert ids == [0x7FFFFFFE, 0x7FFFFFFF, 0x01000000, 0x01000001]
            assert len({len(data) for _, data in device.asked}) == 1
        client.close()

    run(work)
