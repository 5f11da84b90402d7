"""What Windows tells of itself at the moment, through psutil and a few calls into the system's libraries.

The same functions as `linux.py`. Those that take `system` can be given recorded answers.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections.abc import Callable, Iterable
from typing import Any

import psutil

from .facts import Host, Interface, Sensor, Space, Times, Traffic

_ETHERNET, _LOOPBACK, _PROP_VIRTUAL, _WIRELESS, _TUNNEL = 6, 24, 53, 71, 131
_KINDS = (
    ("loopback", _LOOPBACK), ("isatap", _TUNNEL), ("teredo", _TUNNEL), ("6to4", _TUNNEL), ("wi-fi", _WIRELESS),
    ("wifi", _WIRELESS), ("wireless", _WIRELESS), ("wlan", _WIRELESS), ("vethernet", _PROP_VIRTUAL),
    ("bluetooth", _PROP_VIRTUAL), ("vpn", _TUNNEL), ("local area connection*", _PROP_VIRTUAL),
)  # fmt: skip
"""psutil knows connections by the names people give them; these are Windows' own beginnings."""
_DUPLEX = {psutil.NIC_DUPLEX_FULL: True, psutil.NIC_DUPLEX_HALF: False}


def host() -> Host:
    """Name, system and start of the machine."""
    release = f"Windows {platform.release()}, version {platform.version()}, {platform.machine()}"
    return Host(socket.gethostname(), release, boot_time())


def boot_time() -> float:
    """Unix seconds at which the system started."""
    return float(psutil.boot_time())


def interfaces(system: Any = psutil, number: Callable[[str], int] | None = None) -> list[Interface]:
    """All network connections, by number."""
    number = number or interface_number
    addresses = system.net_if_addrs()
    found = [_interface(name, stats, addresses.get(name, ()), number(name)) for name, stats in system.net_if_stats().items()]
    return sorted(found, key=lambda interface: interface.number)


def _interface(name: str, stats: Any, addresses: Iterable[Any], number: int) -> Interface:
    mac = next((address.address for address in addresses if address.family == psutil.AF_LINK), "")
    lower = name.lower()
    type = next((kind for start, kind in _KINDS if lower.startswith(start)), _ETHERNET)
    # psutil gives 0 for a speed it does not know, and 2^32-1 million for tunnels.
    speed = stats.speed * 1_000_000 if 0 < stats.speed < 4_000_000 else None
    return Interface(
        number=number,
        name=name,
        type=type,
        mtu=stats.mtu,
        mac=_mac(mac),
        admin=True,
        oper="up" if stats.isup else "down",
        speed_bps=speed if stats.isup else 0,
        full_duplex=_DUPLEX.get(stats.duplex) if stats.isup else None,
        description=name,
        physical=type in (_ETHERNET, _WIRELESS),
    )


def interface_number(name: str) -> int:
    """The ifIndex of a connection; a number of our own, above all of Windows', for one it does not know by this name."""
    if sys.platform == "win32":
        import ctypes

        library, luid, index = ctypes.WinDLL("iphlpapi"), ctypes.c_uint64(), ctypes.c_uint32()
        if not library.ConvertInterfaceAliasToLuid(ctypes.c_wchar_p(name), ctypes.byref(luid)) and not (
            library.ConvertInterfaceLuidToIndex(ctypes.byref(luid), ctypes.byref(index))
        ):
            return index.value
    number = 0
    for octet in name.encode():
        number = (number * 31 + octet) & 0xFFFFFF
    return 0x1000000 + number


def _mac(text: str) -> bytes:
    try:
        mac = bytes.fromhex(text.replace("-", "").replace(":", ""))
    except ValueError:
        return b""
    return mac if len(mac) == 6 and any(mac) else b""


def traffic(system: Any = psutil) -> dict[str, Traffic]:
    """Counters by interface name."""
    return {
        name: Traffic(c.bytes_recv, c.packets_recv, c.errin, c.dropin, c.bytes_sent, c.packets_sent, c.errout, c.dropout)
        for name, c in system.net_io_counters(pernic=True, nowrap=False).items()
    }


def memory(system: Any = psutil) -> list[Space]:
    """Main memory (used: what programs could not get) and page file."""
    main, swap = system.virtual_memory(), system.swap_memory()
    spaces = [Space("Physical memory", "ram", main.total, main.total - main.available)]
    if swap.total:
        spaces.append(Space("Page file", "swap", swap.total, swap.used))
    return spaces


def volumes(system: Any = psutil) -> list[Space]:
    """Drives with a medium in them; network drives belong to their server."""
    spaces: list[Space] = []
    for part in system.disk_partitions(all=False):
        options = part.opts.split(",")
        if "cdrom" in options or "remote" in options or not part.fstype:
            continue
        try:
            usage = system.disk_usage(part.mountpoint)
        except OSError:
            continue
        kind = "removable" if "removable" in options else "fixed"
        spaces.append(Space(part.mountpoint, kind, usage.total, usage.used, 4096, part.fstype, "ro" in options))
    return spaces


def processor_times(system: Any = psutil) -> list[Times]:
    """Busy and idle seconds of each logical processor."""
    # user system idle interrupt dpc; interrupt and dpc are within system time.
    return [Times(times.user + times.system, times.idle) for times in system.cpu_times(percpu=True)]


def processor_names() -> list[str]:
    """The model of each logical processor."""
    return [_processor_name() or "Processor"] * (psutil.cpu_count() or 1)


def _processor_name() -> str:
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
                return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
        except OSError:
            pass
    return os.environ.get("PROCESSOR_IDENTIFIER", "")


def users(system: Any = psutil) -> int:
    """How many users are logged in."""
    return len({user.name for user in system.users()})


def processes() -> int:
    """How many processes there are."""
    return len(psutil.pids())


def sensors(zones: Callable[[], list[tuple[str, int]]] | None = None) -> list[Sensor]:
    """Temperatures of the firmware's thermal zones, in the order of their names; other sensors Windows keeps to their drivers."""
    found = sorted((zones or thermal_zones)())
    return [Sensor(name, kelvin - 273.0) for name, kelvin in found if 210 < kelvin < 520]


def thermal_zones() -> list[tuple[str, int]]:
    """(name, kelvin) of each thermal zone, by the performance counters, which need no privilege (pdh.h)."""
    found: list[tuple[str, int]] = []
    if sys.platform == "win32":
        import ctypes

        class Value(ctypes.Structure):
            _fields_ = [("status", ctypes.c_ulong), ("large", ctypes.c_longlong)]

        class Item(ctypes.Structure):
            _fields_ = [("name", ctypes.c_wchar_p), ("value", Value)]

        pdh, query, counter = ctypes.WinDLL("pdh"), ctypes.c_void_p(), ctypes.c_void_p()
        if pdh.PdhOpenQueryW(None, 0, ctypes.byref(query)):
            return found
        try:
            path, large = "\\Thermal Zone Information(*)\\Temperature", 0x400
            size, count = ctypes.c_ulong(0), ctypes.c_ulong(0)
            if pdh.PdhAddEnglishCounterW(query, path, 0, ctypes.byref(counter)) or pdh.PdhCollectQueryData(query):
                return found
            pdh.PdhGetFormattedCounterArrayW(counter, large, ctypes.byref(size), ctypes.byref(count), None)
            memory = ctypes.create_string_buffer(size.value)
            if size.value and not pdh.PdhGetFormattedCounterArrayW(
                counter, large, ctypes.byref(size), ctypes.byref(count), memory
            ):
                items = (Item * count.value).from_buffer(memory)
                found = [(item.name, item.value.large) for item in items if item.value.status in (0, 1)]
        finally:
            pdh.PdhCloseQuery(query)
    return found
