"""The whole way of an agent: invited, enrolled over HTTPS, reporting, rotated, revoked; collector and agent as processes."""

from __future__ import annotations

import contextlib
import json
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import certificates
import peers
import pytest

from agent import enrol, enrolment, line
from agent.errors import PortalError, SettingsError
from agent.portal import Portal

HOUSE = Path(__file__).parents[1]
PATIENCE = 120.0
"""Seconds for what takes some on a machine that has nothing else to do."""
pytestmark = pytest.mark.timeout(600)
COLLECTOR = """
[web]
listen = "127.0.0.1:{web}"
tls_certificate = "certificate.pem"
tls_key = "key.pem"
[agents]
listen = "127.0.0.1:{reports}"
interval = "10s"
check_in = "60s"
line_test_seconds = "4s"
line_test_bytes = 600000
[[unit]]
id = "xa"
name = "Xã An Lâm"
"""


class Line:
    """A line to a port of this machine that carries so many bits a second each way."""

    def __init__(self, port: int, rate: float) -> None:
        self.port, self.rate = port, rate
        self.listening = socket.socket()
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what waits would be no line
        self.listening.bind(("127.0.0.1", 0))
        self.listening.listen()
        self.url = f"https://127.0.0.1:{self.listening.getsockname()[1]}"
        self.cut = False
        self.carried = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listening.accept()
                far = socket.socket()
                far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                far.connect(("127.0.0.1", self.port))
                for source, sink in ((near, far), (far, near)):
                    sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        due = time.monotonic()
        with contextlib.suppress(OSError):
            while True:
                waited = bool(select.select([source], [], [], 0)[0])
                if not (data := source.recv(1024)):
                    break
                # what waited already makes up for a thread that had its turn late
                due = (due if waited else max(due, time.monotonic())) + len(data) * 8 / self.rate
                time.sleep(max(0.0, due - time.monotonic()))
                if self.cut:
                    break
                self.carried += len(data)
                sink.sendall(data)
        source.close()
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.listening.close()


class Estate:
    """A collector that receives, in a directory; agents in directories below."""

    def __init__(self, directory: Path, pin: str, stack: ExitStack) -> None:
        self.directory = directory
        self.pin = pin
        self.web, self.reports = peers.free_port(), peers.free_port("udp")
        self._stack = stack
        (directory / "haidang.toml").write_text(COLLECTOR.format(web=self.web, reports=self.reports))

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.web}"

    def haidang(self, *words: str) -> str:
        """What a command of `haidang agent` prints."""
        command = [sys.executable, "-m", "haidang.cli", "agent", *words, "--config", str(self.directory / "haidang.toml")]
        return subprocess.run(command, cwd=HOUSE, check=True, capture_output=True, text=True).stdout

    def agent(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of an agent that has a state of its own."""
        config = self.directory / f"{name}.toml"
        config.write_text(f'[agent]\nstate = "{name}"\n')
        command = [sys.executable, "-m", "agent", *words, "--config", str(config)]
        return subprocess.run(command, cwd=HOUSE, check=False, capture_output=True, text=True)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A process of ours, ended with the test; what it says goes to the file `log`."""
        with open(self.directory / "log", "ab") as log:
            process = subprocess.Popen([sys.executable, "-m", *words], cwd=HOUSE, stdout=log, stderr=log)
        self._stack.callback(peers.end, process)
        return process

    def collect(self) -> subprocess.Popen[bytes]:
        process = self.start("haidang.cli", "collector", "run", "--config", str(self.directory / "haidang.toml"))
        self.until(lambda: "collector started" in self.log() or process.poll() is not None, "the collector runs")
        assert process.poll() is None, self.log()
        self.collector = process
        return process

    def log(self) -> str:
        path = self.directory / "log"
        return path.read_text() if path.exists() else ""

    def invite(self) -> str:
        """A new code."""
        found = re.search(r"enrol \S+ (\S+) --pin (\w+)", self.haidang("invite", "--unit", "xa"))
        assert found is not None and found[2] == self.pin
        return found[1]

    def enrolled(self, name: str) -> str:
        """Enrol an agent; its device id."""
        done = self.agent(name, "enrol", self.url, self.invite(), "--pin", self.pin)
        assert done.returncode == 0, done.stderr
        assert "reports go to 127.0.0.1" in done.stdout
        known = enrolment.load(str(self.directory / name))
        assert known is not None
        return known.device

    def page(self) -> str:
        """The unit's page; empty while it is being put together."""
        try:
            with Portal(self.url, self.pin).download("/metrics/xa") as pieces:
                return b"".join(pieces).decode()
        except PortalError as error:
            if error.status != 503:
                raise
            return ""

    def state(self, device: str) -> str:
        """How a device stands on the page; empty: not there."""
        found = re.search(rf'^haidang_device_state{{device="{device}",unit="xa",state="(\w+)"}} 1$', self.page(), re.M)
        return found[1] if found else ""

    def shown(self) -> str:
        """The unit's page when it is there."""
        self.until(self.page, "the page is there")
        return self.page() or self.shown()

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait, longer than a loaded machine takes."""
        peers.wait_until(condition, f"{what} ({self.directory})", PATIENCE, pause=0.2)


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    with ExitStack() as stack:
        found = Estate(tmp_path, certificates.make(tmp_path), stack)
        found.collect()
        yield found


def test_from_the_invitation_to_the_page(estate: Estate) -> None:
    """One command enrols a machine while its agent runs; it reports at once, says goodbye, and its line was measured."""
    directory = estate.directory
    assert estate.agent("one", "check").returncode == 0
    process = estate.start("agent", "run", "--config", str(directory / "one.toml"))
    estate.until(lambda: "waits: nobody may ask it" in estate.log(), "the agent waits to be enrolled")
    device = estate.enrolled("one")
    estate.until(lambda: estate.state(device) == "up", "its report is on the page")
    line = f'haidang_line_receive_bytes_per_second{{device="{device}"}}'
    estate.until(lambda: line in estate.page(), "the line is known")
    clock = re.search(r"^haidang_agent_clock_offset_seconds\S+ (\S+)", estate.shown(), re.M)
    assert clock is not None and abs(float(clock[1])) < 5
    status = json.loads(estate.agent("one", "status", "--json").stdout)
    assert status["enrolment"]["device"] == device and "trouble" not in status["standing"]
    assert device in estate.haidang("list") and "used up" in estate.haidang("invitations", "--all")
    process.terminate()
    estate.until(lambda: estate.state(device) == "off", "it said goodbye")


def test_rotated_and_revoked(estate: Estate) -> None:
    """New keys are fetched at the next check-in, and the agent goes on with them; a revoked agent soon says so in its status."""
    device = estate.enrolled("one")
    state = estate.directory / "one"
    before = enrolment.load(str(state))
    assert "gets new keys" in estate.haidang("rotate", device)
    enrol.check_in(str(state), 32473)
    after = enrolment.load(str(state))
    assert before is not None and after is not None
    assert after.pushes[0].user.name != before.pushes[0].user.name and after.pushes[0].to == before.pushes[0].to
    estate.start("agent", "run", "--config", str(estate.directory / "one.toml"))
    estate.until(lambda: estate.state(device) == "up", "it reports with its new keys")
    checked = "haidang_line_receive_bytes_per_second{"
    estate.until(lambda: checked in estate.page(), "its first check-in is over, so that only refusals tell")
    assert "is revoked" in estate.haidang("revoke", device)
    estate.until(lambda: "revoked by" in estate.agent("one", "status").stdout, "it asks why its reports are refused")
    assert enrolment.load(str(state)) == after, "what it has stays, for it may be invited again"


@pytest.mark.parametrize("damage", ["engine-boots", "engine-id", "directory"])
def test_a_worn_out_disk_keeps_no_machine_from_reporting(estate: Estate, damage: str) -> None:
    """An agent whose state was damaged, or can be written no longer, reports all the same: who shall hear of it otherwise?"""
    device = estate.enrolled("one")
    state = estate.directory / "one"
    if damage == "directory":
        for name in ("engine-boots.new", "engine-id.new"):
            (state / name).mkdir()
        (state / "spool").write_text("")
    else:
        (state / damage).write_bytes(b"\0\0\0")
    process = estate.start("agent", "run", "--config", str(estate.directory / "one.toml"))
    estate.until(lambda: estate.state(device) == "up", "it reports")
    assert "reports go on under another engine ID" in estate.log() and process.poll() is None


def test_a_copied_disk_is_noticed(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a copy of another one's disk finds out by itself, forgets the other's engine and reports, and becomes a
    device of its own."""
    here = {"serial": ["7XK2LM3"], "mac": ["001b21010203"], "name": ["ketoan-01"]}
    there = {"serial": ["9AB3CD4"], "mac": ["001b21998877"], "name": ["ketoan-01"]}
    directory = str(estate.directory / "one")
    monkeypatch.setattr("agent.identity.said", lambda cards: here)
    first, _ = enrol.enrol(directory, estate.url, estate.invite(), estate.pin, "")
    for name in ("engine-id", "engine-boots", "inventory.ber", "reports.json"):
        Path(directory, name).write_text("8000\n")
    Path(directory, "standing.json").write_text('{"tested": 5}')
    (Path(directory) / "spool" / "x").mkdir(parents=True)
    assert enrol.check(directory) == 0
    monkeypatch.setattr("agent.identity.said", lambda cards: there)
    assert enrol.check(directory) == enrol.OTHER_MACHINE
    enrol.check_in(directory, 32473)
    second = enrolment.load(directory)
    assert second is not None and enrol.check(directory) == 0
    assert (first.device, second.device) == ("ketoan-01", "ketoan-01-2")
    assert second.user != first.user and second.machine["serial"] == ["9AB3CD4"]
    left = {path.name for path in Path(directory).iterdir()}
    assert not {"engine-id", "engine-boots", "inventory.ber", "reports.json", "spool"} & left
    assert enrol.standing_of(directory).tested != 5
    assert "its disk is a copy of that of ketoan-01" in estate.haidang("list")


def test_a_machine_that_enrols_again_is_itself(estate: Estate) -> None:
    """Enrolling once more with the keys still there needs no waiting: the machine is the device it was. Without them, while it is
    at work, it becomes another one, and the person at the machine reads why."""
    device = estate.enrolled("one")
    estate.start("agent", "run", "--config", str(estate.directory / "one.toml"))
    estate.until(lambda: estate.state(device) == "up", "it reports")
    again = estate.agent("one", "enrol", estate.url, estate.invite(), "--pin", estate.pin).stdout
    assert f"enrolled as {device} of" in again and "enrolled again; was" in again
    other = estate.agent("two", "enrol", estate.url, estate.invite(), "--pin", estate.pin).stdout
    assert f"enrolled as {device} of" not in other
    assert re.search(rf"remarks: (says it is|perhaps the machine of device) {device}\b", other)


def test_the_lines_throughput_comes_out(estate: Estate) -> None:
    """Over a line that carries one Mbit/s the test finds about that, each way; a check-in alone is small; a line that is cut is
    said."""
    paced = Line(estate.web, 1e6)
    directory = str(estate.directory / "one")
    enrol.enrol(directory, paced.url, estate.invite(), estate.pin, "")
    estate.until(lambda: "agents taken in before=0 now=1" in estate.log(), "the collector talks with the first agent")
    enrol.check_in(directory, 32473)
    standing = enrol.standing_of(directory)
    # within a tenth where nothing else runs; a loaded machine stops the line's threads and the clocks at both ends at its will
    assert standing.receive_kbits == pytest.approx(1000, rel=0.3), standing
    assert standing.transmit_kbits == pytest.approx(1000, rel=0.3), standing
    assert standing.loss_permille == 0 and standing.trouble == ""
    before, paced.rate = paced.carried, 1e8
    enrol.check_in(directory, 32473)
    assert 0 < paced.carried - before < 8_000, "24 check-ins a day, TLS included, are a fifth of a megabyte at most"
    known = enrolment.load(directory)
    assert known is not None
    paced.cut = True
    with pytest.raises(PortalError, match=r"no secure connection comes about: .*EOF|reset"):
        line.download(Portal(known.url, known.pin, "", known.user, known.token), 1.0)
    paced.close()


def test_what_goes_wrong_is_said(estate: Estate) -> None:
    """A wrong code, another certificate, an address where no collector is, and keys over plain HTTP are told apart in words."""
    directory = str(estate.directory / "one")
    with pytest.raises(PortalError, match="no such code"):
        enrol.enrol(directory, estate.url, "0000-0000-0000", estate.pin, "")
    with pytest.raises(PortalError, match=r"certificate is not the one expected: .*SHA-256 of its key"):
        enrol.enrol(directory, estate.url, estate.invite(), "ab" * 32, "")
    with pytest.raises(PortalError, match=r"certificate is not the one expected.*self-signed"):
        enrol.enrol(directory, estate.url, estate.invite(), "", "")
    with pytest.raises(PortalError, match=r"no collector answers there: .*refused"):
        enrol.enrol(directory, f"https://127.0.0.1:{peers.free_port()}", estate.invite(), "", "")
    with socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(target=lambda: other.accept()[0].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), daemon=True).start()
        with pytest.raises(PortalError, match=r"no secure connection comes about: .*WRONG_VERSION_NUMBER"):
            enrol.enrol(directory, f"https://127.0.0.1:{other.getsockname()[1]}", "0000-0000-0000", estate.pin, "")
    for odd in ("https://[::1", "https://host:99999", "ftp://host", "https://a:b@host", ""):
        with pytest.raises(SettingsError, match="is no address of a collector"):
            enrol.enrol(directory, odd, "0000-0000-0000", estate.pin, "")
    with pytest.raises(SettingsError, match="keys are not sent in the clear"):
        enrol.enrol(directory, "http://10.1.2.3", "0000-0000-0000", "", "")
    with pytest.raises(SettingsError, match="expected the SHA-256 of the certificate's key"):
        enrol.enrol(directory, estate.url, "0000-0000-0000", "abc", "")
    with pytest.raises(SettingsError, match=r"nowhere.pem: cannot be read"):
        enrol.enrol(directory, estate.url, "0000-0000-0000", "", "nowhere.pem")
    assert enrolment.load(directory) is None
    made, _ = enrol.enrol(directory, estate.url, estate.invite(), "", str(estate.directory / "certificate.pem"))
    assert made.ca.endswith("certificate.pem"), "an authority of one's own does as well as a pin"


def test_a_changed_certificate_is_the_agents_trouble(estate: Estate) -> None:
    """A certificate that was renewed for the same key is taken; when the key is another one, the agent keeps its own keys and
    says what it found instead."""
    estate.enrolled("one")
    directory = str(estate.directory / "one")
    known = enrolment.load(directory)
    assert known is not None
    before = ssl.get_server_certificate(("127.0.0.1", estate.web))
    certificates.make(estate.directory, (-1, 700), renewed=True)
    estate.collector.send_signal(signal.SIGHUP)
    estate.until(lambda: ssl.get_server_certificate(("127.0.0.1", estate.web)) != before, "it shows the new certificate")
    assert enrol.check_in(directory, 32473) == 0 and enrol.standing_of(directory).trouble == ""
    enrolment.save(directory, known._replace(pin="cd" * 32))
    enrol.check_in(directory, 32473)
    status = estate.agent("one", "status").stdout
    assert "SHA-256 of its key" in status and "enrolled   as" in status
    assert "clock " not in status, "nobody told the time"


def test_a_pin_holds_through_a_proxy(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment names a proxy the certificate is held against the pin all the same."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def pass_on() -> None:
            with contextlib.suppress(OSError):
                while True:
                    near, _ = proxy.accept()
                    assert near.recv(4096).startswith(b"CONNECT ")
                    near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    far = socket.create_connection(("127.0.0.1", estate.web))
                    for source, sink in ((near, far), (far, near)):
                        threading.Thread(target=carry, args=(source, sink), daemon=True).start()

        def carry(source: socket.socket, sink: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(4096):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)

        threading.Thread(target=pass_on, daemon=True).start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        directory = str(estate.directory / "one")
        with pytest.raises(PortalError, match=r"certificate is not the one expected: .*SHA-256 of its key"):
            enrol.enrol(directory, "https://collector.example.vn:9715", "0000-0000-0000", "ab" * 32, "")
        with pytest.raises(PortalError, match="no such code"):
            enrol.enrol(directory, "https://collector.example.vn:9715", "0000-0000-0000", estate.pin, "")


@pytest.mark.parametrize(("days", "words"), [((2, 4), "not yet valid"), ((-4, -2), "has expired")])
def test_a_certificate_out_of_date_may_be_the_clocks_fault(tmp_path: Path, days: tuple[int, int], words: str) -> None:
    """When a certificate is not valid today the agent says which day it takes today for."""
    certificates.make(tmp_path, days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def shake() -> None:
            with contextlib.suppress(OSError):
                context.wrap_socket(listening.accept()[0], server_side=True)

        threading.Thread(target=shake, daemon=True).start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(PortalError, match=rf"{words}.*this machine's clock says \d{{4}}-\d\d-\d\d \d\d:\d\d"):
            enrol.enrol(str(tmp_path / "one"), url, "0000-0000-0000", "", str(tmp_path / "certificate.pem"))


def test_collectors_that_share_key_and_database_share_agents(tmp_path: Path) -> None:
    """An agent that enrolled at one of two collectors is up on both, and is gone from both once it is revoked."""
    with ExitStack() as stack:
        server = stack.enter_context(peers.postgresql())
        both = []
        for name in ("north", "south"):
            (tmp_path / name).mkdir()
            both.append(Estate(tmp_path / name, certificates.make(tmp_path / name), stack))
        (tmp_path / "key").write_text("k" * 40)
        everywhere = ", ".join(f'"127.0.0.1:{one.reports}"' for one in both)
        for one in both:
            path = one.directory / "haidang.toml"
            shared = f'interval = "10s"\ncollectors = [{everywhere}]\nkey_file = "{tmp_path}/key"'
            text = path.read_text().replace('interval = "10s"', shared)
            path.write_text(f'[collector]\ndatabase = "{server.url("postgresql")}"\n{text}')
            one.collect()
        north, south = both
        assert "reports go to" in north.agent("one", "enrol", north.url, south.invite(), "--pin", north.pin).stdout
        known = enrolment.load(str(north.directory / "one"))
        assert known is not None
        north.start("agent", "run", "--config", str(north.directory / "one.toml"))
        for one in both:
            one.until(lambda one=one: one.state(known.device) == "up", "it is up")
        south.haidang("revoke", known.device)
        for one in both:
            one.until(lambda one=one: one.page() and one.state(known.device) == "", "it is gone")


def test_a_damaged_enrolment_is_said(tmp_path: Path) -> None:
    """An enrolment that was cut or overwritten is an error that names the file and the way out."""
    from agent.errors import StateError

    for content in ("", "[enrolment]\n", "\0\0", "[[push]]\n", "enrolment = 3\n"):
        (tmp_path / enrolment.FILE).write_text(content)
        with pytest.raises(StateError, match=r"enrolment.toml: is damaged .*; enrol again"):
            enrolment.load(str(tmp_path))
