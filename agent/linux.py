"""What Linux tells of itself at the moment, in /proc, /sys and /run. `windows.py` has the same functions.

`root` is put before every path, so that recorded trees can be read. psutil reads the same files, but with what it imports takes
a megabyte and a half of the resident process.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from .facts import Host, Interface, Sensor, Space, Times, Traffic

_ETHERNET, _PPP, _LOOPBACK, _PROP_VIRTUAL, _WIRELESS, _TUNNEL, _VLAN, _LAG, _BRIDGE, _WWAN, _OTHER = (
    6, 23, 24, 53, 71, 131, 135, 161, 209, 243, 1,
)  # fmt: skip
_BY_DEVTYPE = {
    "wlan": _WIRELESS, "bridge": _BRIDGE, "vlan": _VLAN, "bond": _LAG, "wwan": _WWAN, "vxlan": _TUNNEL, "wireguard": _TUNNEL,
}  # fmt: skip
_BY_HARDWARE = {1: _ETHERNET, 512: _PPP, 768: _TUNNEL, 769: _TUNNEL, 772: _LOOPBACK, 776: _TUNNEL, 778: _TUNNEL, 65534: _TUNNEL}
"""linux/if_arp.h -> IANAifType."""
_OPER = {"up": "up", "down": "down", "testing": "testing", "dormant": "dormant", "notpresent": "notPresent"}
_OPER["lowerlayerdown"] = "lowerLayerDown"
_UP, _PROMISCUOUS = 0x1, 0x100
"""IFF_ flags of linux/if.h. Loopback and tunnels have no operstate; they are as IFF_UP says."""

_UNSEEN = frozenset(("squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs"))
"""File systems of images: always full, never anybody's problem."""
_MEMORY = frozenset(("MemTotal", "MemAvailable", "MemFree", "Cached", "Buffers", "SwapTotal", "SwapFree"))
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_USER_PROCESS = 7
"""ut_type of utmp(5)."""
_CARD_SECONDS = 60.0
_WATCHED_OCTETS = 16384
_ALMOST_A_PAGE = 3072
_REMOVABLE = ("/media/", "/run/media/", "/mnt/usb")


def host(root: str = "") -> Host:
    """Name, system and start of the machine."""
    system = os.uname()
    name = os_release(root).get("PRETTY_NAME", "Linux")
    return Host(system.nodename, f"{name}, {system.sysname} {system.release} {system.machine}", boot_time())


def boot_time() -> float:
    """Unix seconds at which the system started, as exact as its clock."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def os_release(root: str = "") -> dict[str, str]:
    """The words of os-release(5)."""
    text = read(root + "/etc/os-release") or read(root + "/usr/lib/os-release")
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}


def interfaces(root: str = "") -> list[Interface]:
    """All network interfaces, by number."""
    base = root + "/sys/class/net/"
    found = [_interface(f"{base}{name}/", name) for name in _list(base)]
    present = sorted((interface for interface in found if interface is not None), key=lambda interface: interface.number)
    for at in _cards.keys() - {f"{base}{interface.name}/" for interface in present}:
        if at.startswith(base):
            del _cards[at]
    return present


class _Card(NamedTuple):
    """What of an interface stays while its link does: asking the driver for it costs more than all the rest."""

    interface: Interface
    until: float


_cards: dict[str, _Card] = {}


def _interface(at: str, name: str) -> Interface | None:
    number = _whole(watch(at + "ifindex"))
    if number is None:
        return None
    flags = int(watch(at + "flags") or "0", 16)
    admin = bool(flags & _UP)
    oper = _OPER.get(watch(at + "operstate")) or ("up" if admin else "down")
    changes = _whole(watch(at + "carrier_changes")) or 0
    now = time.monotonic()
    card = _cards.get(at)
    if card is None or now > card.until or (card.interface.number, card.interface.changes) != (number, changes):
        card = _cards[at] = _Card(_card(at, name, number, changes), now + _CARD_SECONDS)
    known = card.interface
    up = oper == "up"
    return known._replace(
        admin=admin,
        oper=oper,
        speed_bps=known.speed_bps if up else 0,
        full_duplex=known.full_duplex if up else None,
        promiscuous=bool(flags & _PROMISCUOUS),
    )


def _card(at: str, name: str, number: int, changes: int) -> Interface:
    uevent = read(at + "uevent")
    kind = next((line[8:] for line in uevent.splitlines() if line.startswith("DEVTYPE=")), "")
    hardware = _number(at + "type") or 0
    type = _BY_DEVTYPE.get(kind) or _BY_HARDWARE.get(hardware, _OTHER)
    physical = os.path.exists(at + "device")
    if type == _ETHERNET and not physical:
        type = _PROP_VIRTUAL
    speed, duplex = _number(at + "speed"), read(at + "duplex")
    return Interface(
        number=number,
        name=name,
        type=type,
        mtu=_number(at + "mtu") or 0,
        mac=_mac(read(at + "address")) if hardware in (1, 772) else b"",
        admin=False,
        oper="",
        # -1 and 2^32-1 both mean that the driver does not know.
        speed_bps=None if speed is None or not 0 <= speed < 0xFFFFFFFF else speed * 1_000_000,
        full_duplex=duplex == "full" if duplex in ("full", "half") else None,
        alias=read(at + "ifalias"),
        description=name,
        physical=physical,
        changes=changes,
    )


def _mac(text: str) -> bytes:
    try:
        mac = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        return b""
    return mac if any(mac) else b""


def traffic(root: str = "") -> dict[str, Traffic]:
    """Counters by interface name."""
    found: dict[str, Traffic] = {}
    for line in watch(root + "/proc/net/dev").splitlines()[2:]:
        name, _, rest = line.rpartition(":")
        n = [int(word) for word in rest.split()]
        if len(n) >= 16:
            found[name.strip()] = Traffic(n[0], n[1], n[2], n[3] + n[4], n[8], n[9], n[10], n[11], n[7])
    return found


def memory(root: str = "") -> list[Space]:
    """Main memory (used: what programs could not get, as psutil's `total - available`) and swap space."""
    kib: dict[str, int] = {}
    for line in watch(root + "/proc/meminfo").splitlines():
        key, _, rest = line.partition(":")
        if key in _MEMORY:
            kib[key] = int(rest.split()[0])
            if len(kib) == len(_MEMORY):
                break
    total = kib.get("MemTotal", 0)
    # Kernels before 3.14 do not say what is available.
    available = kib.get("MemAvailable", kib.get("MemFree", 0) + kib.get("Cached", 0) + kib.get("Buffers", 0))
    spaces = [Space("Physical memory", "ram", total << 10, max(total - available, 0) << 10)]
    swap = kib.get("SwapTotal", 0)
    if swap:
        spaces.append(Space("Swap space", "swap", swap << 10, max(swap - kib.get("SwapFree", 0), 0) << 10))
    return spaces


def volumes(root: str = "", usage: Callable[[str], os.statvfs_result] = os.statvfs) -> list[Space]:
    """Mounted file systems that lie on disks, one row a device."""
    spaces: list[Space] = []
    seen: set[str] = set()
    for line in read(root + "/proc/self/mounts", 1 << 20).splitlines():
        device, mount, filesystem, options = line.split(" ", 4)[:4]
        if device[:5] != "/dev/" or device in seen or filesystem in _UNSEEN or device[:9] == "/dev/loop":
            continue
        mount = unescaped(mount)
        try:
            stat = usage(mount)
        except OSError:
            continue
        # A file mounted into a container is not a volume.
        if not stat.f_blocks or not os.path.isdir(root + mount):
            continue
        seen.add(device)
        kind = "removable" if mount.startswith(_REMOVABLE) else "fixed"
        size = stat.f_frsize
        used = stat.f_blocks - stat.f_bfree
        spaces.append(Space(mount, kind, stat.f_blocks * size, used * size, size, filesystem, "ro" in options.split(",")))
    return spaces


def unescaped(mount: str) -> str:
    """A mount point as the table of mounts writes it, with its blanks back (getmntent(3))."""
    if "\\" not in mount:
        return mount
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        mount = mount.replace(code, character)
    return mount


def processor_times(root: str = "") -> list[Times]:
    """Busy and idle seconds of each logical processor (proc(5))."""
    lines = watch(root + "/proc/stat").splitlines()
    return [_times(line.split()[1:9]) for line in lines if line[:3] == "cpu" and line[3:4].isdigit()]


def _times(ticks: Iterable[str]) -> Times:
    # user nice system idle iowait irq softirq steal; guest time is within user time. A disk's slowness is no load.
    n = [int(word) / _TICKS for word in ticks]
    idle = n[3] + (n[4] if len(n) > 4 else 0.0)
    return Times(sum(n) - idle, idle)


def processor_names(root: str = "") -> list[str]:
    """The model of each logical processor."""
    lines = read(root + "/proc/cpuinfo", 1 << 22).splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names or ["Processor"] * (os.cpu_count() or 1)


def users(root: str = "") -> int:
    """How many sessions of users there are: systemd's, or where it does not run those of utmp(5)."""
    base = root + "/run/systemd/sessions"
    if os.path.isdir(base):
        found = [read(f"{base}/{name}").splitlines() for name in _list(base) if not name.endswith(".ref")]
        return sum("CLASS=user" in words and "STATE=closing" not in words for words in found)
    data = read_octets(root + "/run/utmp", 1 << 20)
    # struct utmp begins with its type; it has 384 octets, on 64-bit machines that never ran 32-bit programs 400
    size = 384 if len(data) % 384 == 0 else 400
    return sum(int.from_bytes(data[at : at + 2], sys.byteorder) == _USER_PROCESS for at in range(0, len(data), size))


def processes(root: str = "") -> int:
    """How many processes there are."""
    return sum(map(str.isdigit, _list(root + "/proc")))


def sensors(root: str = "") -> list[Sensor]:
    """Temperatures, in the order of their names."""
    found: list[Sensor] = []
    base = root + "/sys/class/hwmon"
    for chip in sorted(_list(base), key=lambda name: (len(name), name)):
        at = f"{base}/{chip}/"
        for file in sorted(name for name in _list(at) if name.startswith("temp") and name.endswith("_input")):
            value = _number(at + file)
            label = read(at + file[:-5] + "label") or file[:-6]
            if value is not None and -60_000 < value < 250_000 and value:
                found.append(Sensor(f"{read(at + 'name') or chip} {label}", value / 1000))
    if not found:
        base = root + "/sys/class/thermal"
        for zone in sorted(name for name in _list(base) if name.startswith("thermal_zone")):
            value = _number(f"{base}/{zone}/temp")
            if value and -60_000 < value < 250_000:
                found.append(Sensor(read(f"{base}/{zone}/type") or zone, value / 1000))
    return found


def read(path: str, limit: int = 65536) -> str:
    """A small file's text without the blanks around it; empty when it cannot be read."""
    return read_octets(path, limit).decode("utf-8", "replace").strip()


def read_octets(path: str, limit: int) -> bytes:
    """A file's content up to a limit; empty when it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        data = os.read(descriptor, limit)
        # /proc hands out a page at a time.
        while len(data) < limit and len(data) % 4096 == 0 and (more := os.read(descriptor, limit - len(data))):
            data += more
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return data


_watched: dict[str, int] = {}
_MOST_WATCHED = 200


def watch(path: str) -> str:
    """As `read`, for what is read every few seconds: the file stays open, since opening costs five times the reading."""
    for _ in range(2):
        descriptor = _watched.get(path)
        if descriptor is None:
            if len(_watched) >= _MOST_WATCHED:
                return read(path)
            try:
                descriptor = _watched[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return ""
        try:
            data = os.pread(descriptor, _WATCHED_OCTETS, 0)
            # the kernel hands out whole lines, of a page at most
            while len(data) > _ALMOST_A_PAGE and (more := os.pread(descriptor, _WATCHED_OCTETS, len(data))):
                data += more
        except OSError:
            # What it belonged to is gone; another of the same name may have come.
            os.close(_watched.pop(path))
            continue
        return data.decode("utf-8", "replace").strip()
    return ""


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _number(path: str) -> int | None:
    return _whole(read(path))


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
