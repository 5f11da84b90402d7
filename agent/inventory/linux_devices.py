"""Network cards, monitors, printers and batteries of a Linux machine."""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
from collections.abc import Callable
from urllib.parse import parse_qs, unquote

from ..errors import Unreadable
from . import edid, firmware
from .parts import Battery, Monitor, Network, Printer
from .source import Source
from .words import clean, serial

_SIOCETHTOOL = 0x8946
_GLINKSETTINGS = 0x4C
_MBPS = {
    10: (0, 1, 92, 99, 100), 100: (2, 3, 67, 90, 91), 1000: (4, 5, 17, 41, 68), 2500: (15, 47), 5000: (48,),
    10000: (12, 18, 19, 20, 42, 43, 44, 45, 46), 20000: (21, 22), 25000: (31, 32, 33), 40000: (23, 24, 25, 26),
    50000: (34, 35, 40, 52, 53, 54, 55, 56), 56000: (27, 28, 29, 30), 100000: (36, 37, 38, 39, 57, 58, 59, 60, 61),
    200000: (62, 63, 64, 65, 66), 400000: (69, 70, 71, 72, 73),
}  # fmt: skip
"""Mbit/s -> the bits of linux/ethtool.h's ethtool_link_mode_bit_indices."""
_PCI_IDS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")

Modes = Callable[[str], tuple[int, int]]
"""Name of an interface -> bits of the link modes it can, bits of those its partner offers."""


def link_modes(name: str) -> tuple[int, int]:
    """ETHTOOL_GLINKSETTINGS of the running kernel, which needs no privilege; zeros where the driver does not know."""
    if sys.platform != "linux":
        return 0, 0
    import ctypes
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        words = 0
        # Asked for no words, the kernel answers how many it has, as a negative number.
        for _ in range(2):
            request = ctypes.create_string_buffer(struct.pack("=I", _GLINKSETTINGS).ljust(48 + 12 * 128, b"\0"))
            struct.pack_into("=b", request, 18, words)
            try:
                fcntl.ioctl(sock, _SIOCETHTOOL, struct.pack("16sP16x", name.encode()[:15], ctypes.addressof(request)))
            except OSError:
                return 0, 0
            words = -struct.unpack_from("=b", request, 18)[0] or words
            if struct.unpack_from("=b", request, 18)[0] > 0:
                break
        size = abs(words) * 4
        masks = request.raw[48 : 48 + 3 * size]
        return int.from_bytes(masks[:size], "little"), int.from_bytes(masks[2 * size :], "little")


def fastest(modes: int) -> int | None:
    """The highest speed among link modes in Mbit/s."""
    return max((speed for speed, bits in _MBPS.items() if any(modes >> bit & 1 for bit in bits)), default=None)


def networks(source: Source, modes: Modes | None = None) -> list[Network]:
    """Network cards; bridges, tunnels and the loopback are none. The running kernel is not asked about a recording."""
    modes = modes or (link_modes if not source.recorded else lambda name: (0, 0))
    wireless = {line.split(":")[0].strip(): line for line in source.text("/proc/net/wireless").splitlines() if ":" in line}
    names: dict[str, tuple[str, str]] = {}
    found = []
    for name in source.names("/sys/class/net"):
        at = f"/sys/class/net/{name}/"
        number = source.number(at + "ifindex")
        if not 0 < (number or 0) < 1 << 31 or not source.exists(at + "device"):
            continue
        radio = source.exists(at + "wireless") or source.exists(at + "phy80211")
        bus = os.path.basename(source.target(at + "device/subsystem"))
        supported, offered = modes(name) if not radio else (0, 0)
        quality, dbm = _signal(source, name, wireless.get(name, "")) if radio else (None, None)
        names = names or _pci_names(source)
        found.append(
            Network(
                number=number or 0,
                name=name,
                medium=_medium(source, at, bus, radio),
                model=_model(source, at, names),
                driver=os.path.basename(source.target(at + "device/driver")),
                limit_mbps=fastest(supported),
                partner_limit_mbps=fastest(offered),
                signal_dbm=dbm,
                signal_percent=quality,
                bus=bus,
            )
        )
    return sorted(found, key=lambda network: network.number)


def _medium(source: Source, at: str, bus: str, radio: bool) -> str:
    if radio:
        return "wireless"
    if "DEVTYPE=wwan" in source.text(at + "uevent"):
        return "mobile"
    return "virtual" if bus in ("virtio", "xen", "vmbus") else "wired"


def _signal(source: Source, name: str, line: str) -> tuple[int | None, int | None]:
    """(percent, dBm) from /proc/net/wireless, which newer drivers do not fill any more, else from iw."""
    words = line.partition(":")[2].split()
    try:
        link, level = (float(word.rstrip(".")) for word in words[1:3])
        if -200 < level < 0:
            return _percent(round(level)), round(level)
        if link > 0:
            return min(round(link / 70 * 100), 100), None
    except ValueError:
        pass
    if source.text(f"/sys/class/net/{name}/operstate") != "up":
        return None, None
    try:
        found = re.search(r"signal:\s*(-\d{1,3})", source.run(["iw", "dev", name, "link"]))
    except Unreadable as error:
        source.missing(f"signal of {name}", f"{error}; the driver does not tell it elsewhere")
        return None, None
    return (_percent(int(found[1])), int(found[1])) if found else (None, None)


def _percent(dbm: int) -> int:
    """As Windows makes percent of dBm."""
    return max(0, min(2 * (dbm + 100), 100))


def _pci_names(source: Source) -> dict[str, tuple[str, str]]:
    """vendor:device -> names, of the cards in this machine only."""
    wanted = set()
    for name in source.names("/sys/class/net"):
        at = f"/sys/class/net/{name}/device/"
        vendor, device = source.text(at + "vendor")[2:], source.text(at + "device")[2:]
        if vendor and device:
            wanted.add(f"{vendor}:{device}")
    text = next((text for text in map(source.text, _PCI_IDS if wanted else ()) if text), "")
    found: dict[str, tuple[str, str]] = {}
    vendors = {pair[:4] for pair in wanted}
    vendor = title = ""
    for line in text.splitlines():
        if not line or line[0] == "#" or line.startswith("\t\t"):
            continue
        if line[0] != "\t":
            vendor, title = line[:4], line[6:]
        elif vendor in vendors and f"{vendor}:{line[1:5]}" in wanted:
            found[f"{vendor}:{line[1:5]}"] = title, line[7:]
    return found


def _model(source: Source, at: str, names: dict[str, tuple[str, str]]) -> str:
    vendor, device = source.text(at + "device/vendor")[2:], source.text(at + "device/device")[2:]
    if f"{vendor}:{device}" in names:
        return clean(" ".join(names[f"{vendor}:{device}"]))
    usb = os.path.dirname(source.target(at + "device"))
    product = clean(f"{source.text(usb + '/manufacturer')} {source.text(usb + '/product')}") if usb else ""
    return product or (f"{vendor}:{device}" if vendor and device else "")


def monitors(source: Source) -> list[Monitor]:
    """Monitors that are connected."""
    found = []
    for name in source.names("/sys/class/drm"):
        at = f"/sys/class/drm/{name}/"
        if "-" in name and source.text(at + "status") == "connected":
            connector = name.partition("-")[2]
            monitor = edid.monitor(source.data(at + "edid") or b"", connector)
            if monitor is None:
                source.missing(f"monitor {connector}", "it is connected, but tells nothing of itself (no EDID)")
            else:
                found.append(monitor)
    if not source.names("/sys/class/drm"):
        source.missing("monitors", "the kernel shows no graphics card")
    return found


def printers(source: Source) -> list[Printer]:
    """CUPS' queues, and printers on USB that have none."""
    found: list[Printer] = []
    try:
        queues = source.run(["lpstat", "-v"])
        default = source.run(["lpstat", "-d"]).rpartition(":")[2].strip()
    except Unreadable as error:
        queues = default = ""
        source.missing("printers", f"{error}; only printers on USB are seen")
    for line in queues.splitlines():
        if line.startswith("device for ") and ": " in line:
            name, _, uri = line.removeprefix("device for ").partition(": ")
            found.append(_queue(source, name, uri.strip(), name == default))
    known = {printer.serial for printer in found if printer.serial}
    return found + [printer for printer in _usb_printers(source) if printer.serial not in known and not _queued(printer, found)]


_CONNECTIONS = {
    "usb": "usb", "hp": "usb", "hpfax": "usb", "parallel": "parallel", "serial": "serial", "smb": "shared", "ipp": "network",
    "ipps": "network", "http": "network", "https": "network", "socket": "network", "lpd": "network", "dnssd": "network",
    "implicitclass": "network",
}  # fmt: skip
"""CUPS' backends; what is not listed writes files."""


def _queue(source: Source, name: str, uri: str, default: bool) -> Printer:
    scheme, _, rest = uri.partition(":")
    path, _, query = rest.partition("?")
    words = parse_qs(query)
    kind = _CONNECTIONS.get(scheme, "virtual")
    host = path.removeprefix("//").partition("/")[0].rpartition("@")[2]
    if scheme in ("hp", "hpfax") and path.startswith("/net/"):
        kind, host = "network", words.get("ip", words.get("hostname", [""]))[0]
    model = clean(unquote(path.strip("/")).replace("/", " ")) if scheme == "usb" else _model_of_queue(source, name)
    return Printer(
        name=name,
        model=model,
        connection=kind,
        port=unquote(host) if kind in ("network", "shared") else scheme,
        default=default,
        serial=serial(words.get("serial", [""])[0]),
    )


def _model_of_queue(source: Source, name: str) -> str:
    try:
        found = re.search(r"printer-make-and-model=(?:'([^']*)'|(\S+))", source.run(["lpoptions", "-p", name]))
    except Unreadable:
        return ""
    return clean(found[1] or found[2]) if found else ""


def _queued(printer: Printer, queues: list[Printer]) -> bool:
    return any(queue.connection == "usb" and queue.model and queue.model.lower() in printer.model.lower() for queue in queues)


def _usb_printers(source: Source) -> list[Printer]:
    """Devices with an interface of class 7 (USB printer class)."""
    found = []
    base = "/sys/bus/usb/devices"
    for name in source.names(base):
        if ":" not in name or source.text(f"{base}/{name}/bInterfaceClass") != "07":
            continue
        at = f"{base}/{name.partition(':')[0]}/"
        maker, product = clean(source.text(at + "manufacturer")), clean(source.text(at + "product"))
        model = product if product.lower().startswith(maker.lower()) else f"{maker} {product}"
        found.append(
            Printer(name=product or name, model=model, connection="usb", port="usb", serial=serial(source.text(at + "serial")))
        )
    return found


def batteries(source: Source) -> list[Battery]:
    """Batteries of the machine itself; those of mice and keyboards are not."""
    found = []
    base = "/sys/class/power_supply/"
    for name in source.names(base):
        at = f"{base}{name}/"
        if source.text(at + "type") != "Battery" or source.text(at + "scope") == "Device" or source.text(at + "present") == "0":
            continue
        volts = source.number(at + "voltage_min_design") or source.number(at + "voltage_now") or 0
        design, full = _mwh(source, at, "full_design", volts), _mwh(source, at, "full", volts)
        cycles = source.number(at + "cycle_count") or 0
        found.append(
            Battery(
                name=name,
                maker=clean(source.text(at + "manufacturer")),
                model=clean(source.text(at + "model_name")),
                serial=serial(source.text(at + "serial_number")),
                chemistry=firmware.chemistry(clean(source.text(at + "technology"))),
                design_mwh=design,
                full_mwh=full,
                health_percent=min(round(100 * full / design), 100) if design and full is not None else None,
                cycles=cycles if cycles > 0 else None,
            )
        )
    return found


def _mwh(source: Source, at: str, what: str, microvolts: int) -> int | None:
    """Energy in mWh, from microwatt-hours or from microampere-hours and the voltage."""
    energy = source.number(f"{at}energy_{what}")
    if energy:
        return energy // 1000
    charge = source.number(f"{at}charge_{what}")
    return charge * microvolts // 1_000_000_000 if charge and microvolts else None
