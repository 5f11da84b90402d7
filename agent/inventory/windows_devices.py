"""Network cards, monitors, printers and batteries of a Windows machine."""

from __future__ import annotations

import base64
import binascii
import re

from . import edid
from .cim import Instance, instances, number, text, truth
from .parts import Battery, Monitor, Network, Printer
from .smbios import CHEMISTRIES
from .source import Source
from .words import serial

_WIRELESS, _MOBILE = (1, 9), (8,)
"""NdisPhysicalMedium: wireless LAN and native 802.11; wireless WAN."""
_CONNECTED = 1
_SPEED = re.compile(r"([\d.,]+)\s*([GM])(?:bps|bit|b/s)?", re.IGNORECASE)
_CARD_BUSES = ("pci", "usb", "pcmcia", "vmbus", "sd")
_RADIO = re.compile(r"wireless|wi-?fi|802\.11|wlan|centrino", re.IGNORECASE)
_VIRTUAL_PORTS = ("PORTPROMPT:", "XPSPORT:", "SHRFAX:", "FILE:", "NUL:", "MICROSOFT.OFFICE.ONENOTE", "PDF")


def networks(source: Source) -> list[Network]:
    """Network cards that are hardware."""
    fastest = {
        text(setting, "Name"): _fastest(setting)
        for setting in instances(source, "MSFT_NetAdapterAdvancedPropertySettingData")
        if text(setting, "RegistryKeyword").lower() == "*speedduplex"
    }
    signals = _signals(source)
    found = []
    for card in instances(source, "MSFT_NetAdapter"):
        n, name = number(card, "InterfaceIndex"), text(card, "Name")
        if not n or not 0 < n < 1 << 31 or truth(card, "Virtual") or truth(card, "HardwareInterface") is False:
            continue
        medium = number(card, "NdisPhysicalMedium")
        bus = text(card, "PnPDeviceID").partition("\\")[0].lower()
        kind = "wireless" if medium in _WIRELESS else "mobile" if medium in _MOBILE else "virtual" if bus == "vmbus" else "wired"
        percent = signals.get(name) if kind == "wireless" else None
        if kind == "wireless" and percent is None and number(card, "MediaConnectState") == _CONNECTED:
            source.missing(f"signal of {name}", "netsh does not tell it; Windows 11 asks for the location service to be on")
        found.append(
            Network(
                number=n,
                name=name,
                medium=kind,
                model=text(card, "InterfaceDescription"),
                driver=text(card, "DriverName").rpartition("\\")[2],
                limit_mbps=fastest.get(name),
                # How Windows makes percent of dBm, the other way round.
                signal_dbm=round(percent / 2 - 100) if percent is not None else None,
                signal_percent=percent,
                bus=bus,
            )
        )
    return sorted(found or _older(source), key=lambda network: network.number)


def _older(source: Source) -> list[Network]:
    """Before Windows 8 there is Win32_NetworkAdapter only; a card is one of a bus that has plugs."""
    found = []
    for card in instances(source, "Win32_NetworkAdapter"):
        n = number(card, "InterfaceIndex") or number(card, "Index")
        bus = text(card, "PNPDeviceID").partition("\\")[0].lower()
        if not n or not 0 < n < 1 << 31 or bus not in _CARD_BUSES or truth(card, "PhysicalAdapter") is False:
            continue
        model = text(card, "Name")
        radio = number(card, "AdapterTypeID") == 9 or _RADIO.search(model) is not None
        found.append(
            Network(
                number=n,
                name=text(card, "NetConnectionID") or model,
                medium="wireless" if radio else "virtual" if bus == "vmbus" else "wired",
                model=model,
                driver=text(card, "ServiceName"),
                bus=bus,
            )
        )
    return found


def _fastest(setting: Instance) -> int | None:
    """The fastest of the speeds a driver lets one choose, such as "1.0 Gbps Full Duplex"."""
    values = setting.get("ValidDisplayValues")
    speeds = []
    for value in values if isinstance(values, list) else [values]:
        match = _SPEED.search(value) if isinstance(value, str) else None
        if match:
            try:
                speeds.append(float(match[1].replace(",", ".")) * (1000 if match[2].upper() == "G" else 1))
            except ValueError:
                continue
    return round(max(speeds)) if speeds else None


def _signals(source: Source) -> dict[str, int]:
    """netsh's page in whatever language: a block's first value is the interface's name, its only percentage the signal."""
    found: dict[str, int] = {}
    name = ""
    for line in (str(instance.get("Line", "")) for instance in instances(source, "Wireless")):
        key, colon, value = line.partition(" : ")
        if not colon:
            name = "" if not line.strip() else name
        elif not name and key.strip():
            name = value.strip()
        elif re.fullmatch(r"\d{1,3}%", value.strip()):
            found[name] = min(int(value.strip()[:-1]), 100)
    return found


def monitors(source: Source) -> list[Monitor]:
    """Monitors that are connected: their EDID, or what WMI made of it."""
    found = []
    data = {text(instance, "InstanceName"): instance for instance in instances(source, "Edid")}
    sizes = {text(instance, "InstanceName"): instance for instance in instances(source, "WmiMonitorBasicDisplayParams")}
    for n, told in enumerate((m for m in instances(source, "WmiMonitorID") if truth(m, "Active") is not False), 1):
        instance = text(told, "InstanceName")
        try:
            monitor = edid.monitor(base64.b64decode(text(data.get(instance, {}), "Data"), validate=True), f"monitor {n}")
        except (binascii.Error, ValueError):
            monitor = None
        size = sizes.get(instance, {})
        letters, year = text(told, "ManufacturerName"), number(told, "YearOfManufacture")
        found.append(
            monitor
            or Monitor(
                name=f"monitor {n}",
                maker=edid.MAKERS.get(letters, letters),
                model=text(told, "UserFriendlyName") or f"{letters}{text(told, 'ProductCodeID')}",
                serial=serial(text(told, "SerialNumberID")),
                year=year if year and year > 1990 else None,
                width_mm=(number(size, "MaxHorizontalImageSize") or 0) * 10 or None,
                height_mm=(number(size, "MaxVerticalImageSize") or 0) * 10 or None,
            )
        )
    return found


def printers(source: Source) -> list[Printer]:
    """Printers this machine prints on; those that only write files are called virtual."""
    found = []
    for printer in instances(source, "Win32_Printer"):
        port = text(printer, "PortName")
        found.append(
            Printer(
                name=text(printer, "Name"),
                model=text(printer, "DriverName"),
                connection=_connection(printer, port.upper()),
                port=port,
                default=truth(printer, "Default"),
            )
        )
    return found


def _connection(printer: Instance, port: str) -> str:
    driver = text(printer, "DriverName").upper()
    if port.startswith(_VIRTUAL_PORTS) or "PDF" in driver or "XPS" in driver or "ONENOTE" in driver or "FAX" in driver:
        return "virtual"
    if truth(printer, "Network") or text(printer, "ServerName") or port.startswith("\\\\"):
        return "shared"
    for start, kind in (("USB", "usb"), ("DOT4", "usb"), ("LPT", "parallel"), ("COM", "serial")):
        if port.startswith(start):
            return kind
    return "network" if re.match(r"(IP_|WSD|TCP|HTTP|IPP)|\d+\.\d+\.\d+\.\d+", port) else ""


def batteries(source: Source) -> list[Battery]:
    """Batteries: what their drivers say, by instance."""
    full = {text(i, "InstanceName"): number(i, "FullChargedCapacity") for i in instances(source, "BatteryFullChargedCapacity")}
    cycles = {text(i, "InstanceName"): number(i, "CycleCount") for i in instances(source, "BatteryCycleCount")}
    plain = instances(source, "Win32_Battery")
    found = []
    for n, told in enumerate(instances(source, "BatteryStaticData")):
        instance = text(told, "InstanceName")
        design, now = number(told, "DesignedCapacity"), full.get(instance)
        kind = number(plain[n], "Chemistry") or 0 if n < len(plain) else 0
        found.append(
            Battery(
                name=f"battery {n + 1}",
                maker=text(told, "ManufactureName"),
                model=text(told, "DeviceName"),
                serial=serial(text(told, "SerialNumber")),
                chemistry=CHEMISTRIES[kind] if 0 <= kind < len(CHEMISTRIES) else "",
                design_mwh=design or None,
                full_mwh=now,
                health_percent=min(round(100 * now / design), 100) if design and now is not None else None,
                cycles=cycles.get(instance) or None,  # 0: the battery does not count
            )
        )
    return found or [Battery(name=text(b, "Name") or f"battery {n}") for n, b in enumerate(plain, 1)]
