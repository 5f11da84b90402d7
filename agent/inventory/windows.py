"""One look at a Windows machine: hardware, system, protection, from its firmware's tables and CIM classes.

The same functions as `linux.py`.
"""

from __future__ import annotations

import platform
import re
import sys
import time
from datetime import UTC, datetime

from . import cim, firmware, lifecycle, processors, smbios, windows_devices
from .antivirus import FRESH
from .cim import first, instances, moment, number, numbers, text, truth
from .parts import Antivirus, Battery, Machine, Memory, Module, Processor, Security, Software, Stability, System, User, completed
from .source import Source
from .windows_devices import monitors, networks, printers
from .windows_storage import disks, volumes
from .words import serial, told_apart, uuid

__all__ = (
    "antivirus", "batteries", "disks", "machine", "memory", "monitors", "networks", "printers", "processor_packages", "security",
    "software", "stability", "system", "users", "volumes",
)  # fmt: skip

_RSMB = 0x52534D42
_FORMS = {8: "DIMM", 12: "SODIMM", 2: "SIP", 3: "DIP", 7: "SIMM", 11: "RIMM", 13: "SRIMM", 15: "FB-DIMM", 1: ""}
"""Win32_PhysicalMemory.FormFactor, which counts otherwise than SMBIOS."""
_OLD_TYPES = {
    2: "DRAM", 3: "DRAM", 5: "EDO", 9: "RAM", 17: "SDRAM", 20: "DDR", 21: "DDR2", 22: "DDR2 FB-DIMM", 24: "DDR3", 25: "FBD2",
    26: "DDR4",
}  # fmt: skip
_SYSTEM_MEMORY = 3
_STOPPED, _STARTED, _SURPRISED = 41, 6005, 6008
_PROVIDERS = {_STOPPED: "kernel-power", _STARTED: "eventlog", _SURPRISED: "eventlog"}
"""Whose event the number is; others use it for something else."""
_FASTEST_MHZ = 10_000


def firmware_table() -> bytes | None:
    """The raw SMBIOS table of the running system (GetSystemFirmwareTable)."""
    if sys.platform != "win32":
        return None
    import ctypes

    read = ctypes.WinDLL("kernel32").GetSystemFirmwareTable
    size = read(_RSMB, 0, None, 0)
    table = ctypes.create_string_buffer(size)
    return table.raw[: read(_RSMB, 0, table, size)] if size else None


def _records(source: Source) -> list[smbios.Record]:
    table = source.data("/RSMB") if source.recorded else firmware_table()
    return smbios.records(table) if table else []


def machine(source: Source) -> Machine:
    """Maker, model, serial numbers, firmware, chassis."""
    told = firmware.machine(_records(source))
    product, bios = first(source, "Win32_ComputerSystemProduct"), first(source, "Win32_BIOS")
    board = first(source, "Win32_BaseBoard")
    computer, enclosure = first(source, "Win32_ComputerSystem"), first(source, "Win32_SystemEnclosure")
    kinds = numbers(enclosure, "ChassisTypes")
    released = moment(bios, "ReleaseDate")
    asked = Machine(
        maker=text(computer, "Manufacturer") or text(product, "Vendor"),
        model=text(computer, "Model") or text(product, "Name"),
        version=text(product, "Version"),
        serial=serial(text(bios, "SerialNumber")) or serial(text(product, "IdentifyingNumber")),
        uuid=uuid(text(product, "UUID")),
        asset_tag=text(enclosure, "SMBIOSAssetTag"),
        chassis=smbios.CHASSIS_FORMS[kinds[0]] if kinds and 0 <= kinds[0] < len(smbios.CHASSIS_FORMS) else "",
        board_maker=text(board, "Manufacturer"),
        board_model=text(board, "Product"),
        board_serial=serial(text(board, "SerialNumber")),
        bios_maker=text(bios, "Manufacturer"),
        bios_version=text(bios, "SMBIOSBIOSVersion"),
        bios_date=_date(released),
    )
    best = completed(told, asked)
    return best._replace(virtual=firmware.hypervisor(best))


def _date(seconds: int | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds is not None and 0 < seconds < 1 << 33 else ""


def processor_packages(source: Source) -> list[Processor]:
    """Processor packages."""
    found = []
    for n, instance in enumerate(instances(source, "Win32_Processor")):
        model = text(instance, "Name")
        cores = number(instance, "NumberOfCores")
        mhz = processors.clock_mhz(model) or number(instance, "MaxClockSpeed") or 0
        found.append(
            Processor(
                name=text(instance, "SocketDesignation") or f"CPU {n}",
                model=model,
                maker=firmware.maker(text(instance, "Manufacturer")),
                cores=cores,
                threads=number(instance, "NumberOfLogicalProcessors") or cores,
                clock_mhz=mhz if 0 < mhz < _FASTEST_MHZ else None,
                year=processors.year(model, mhz),
            )
        )
    return found or [package._replace(year=processors.year(package.model)) for package in firmware.processors(_records(source))]


def batteries(source: Source) -> list[Battery]:
    """Batteries, their drivers' words completed by the firmware's where both see as many."""
    found, built = windows_devices.batteries(source), firmware.batteries(_records(source))
    if found and len(found) == len(built):
        return [completed(one, other) for one, other in zip(found, built, strict=True)]
    return found or built


def memory(source: Source) -> tuple[Memory, list[Module]]:
    """Main memory as built in."""
    total, modules = firmware.memory(_records(source))
    if modules:
        return total, modules
    asked = [_module(instance) for instance in instances(source, "Win32_PhysicalMemory")]
    own = told_apart(module.serial for module in asked)
    asked = [module._replace(serial=one) for module, one in zip(asked, own, strict=True)]
    arrays = [a for a in instances(source, "Win32_PhysicalMemoryArray") if number(a, "Use") in (None, _SYSTEM_MEMORY)]
    slots = max(sum(number(array, "MemoryDevices") or 0 for array in arrays), len(asked))
    sizes = [module.size_mib for module in asked]
    limit = sum((number(array, "MaxCapacityEx") or number(array, "MaxCapacity") or 0) >> 10 for array in arrays)
    return Memory(
        total_mib=sum(size or 0 for size in sizes) if sizes and None not in sizes else None,
        slots=slots or None,
        free_slots=slots - len(asked) if arrays else None,
        limit_mib=limit or None,
    ), asked


def _module(instance: cim.Instance) -> Module:
    capacity = number(instance, "Capacity")
    kind = number(instance, "SMBIOSMemoryType") or 0
    bank, name = text(instance, "BankLabel"), text(instance, "DeviceLocator")
    return Module(
        name=f"{bank} {name}" if bank and name and bank.lower() not in name.lower() else name or bank,
        size_mib=capacity >> 20 if capacity else None,
        type=smbios.TYPES.get(kind) or _OLD_TYPES.get(number(instance, "MemoryType") or 0, ""),
        form=_FORMS.get(number(instance, "FormFactor") or 0, ""),
        speed_mts=number(instance, "Speed") or None,
        set_speed_mts=number(instance, "ConfiguredClockSpeed") or None,
        maker=firmware.maker(text(instance, "Manufacturer")),
        model=text(instance, "PartNumber"),
        serial=serial(text(instance, "SerialNumber")),
    )


def system(source: Source) -> System:
    """The operating system."""
    told, registry = first(source, "Win32_OperatingSystem"), first(source, "SystemRegistry")
    computer = first(source, "Win32_ComputerSystem")
    source.privileged = truth(registry, "Admin") or False
    name = text(told, "Caption").replace("Microsoft ", "").replace("®", "")
    build = text(told, "BuildNumber")
    server = (number(told, "ProductType") or 1) != 1
    revision = number(registry, "UBR")
    end = lifecycle.support_end("windows-server" if server else "windows", build, _edition(text(registry, "EditionID"), name))
    if end is None:
        source.missing("end of support", f"no date is known for {name} build {build}".rstrip())
    waiting = [
        words
        for key, words in (
            ("ServicingPending", "Windows components"), ("UpdatePending", "Windows Update"), ("RenamesPending", "files in use"),
        )
        if truth(registry, key)
    ]  # fmt: skip
    hotfixes = [moment(fix, "InstalledOn") for fix in instances(source, "Win32_QuickFixEngineering")]
    dates = [date for date in (*hotfixes, moment(first(source, "Updates"), "Time")) if date and date > 0]
    return System(
        name=name,
        version=text(registry, "DisplayVersion") or text(registry, "ReleaseId") or text(told, "Version"),
        build=f"{build}.{revision}" if build and revision is not None else build,
        architecture=text(told, "OSArchitecture") or ("" if source.recorded else platform.machine()),
        installed=moment(told, "InstallDate"),
        support_end=end,
        # A file that waits to be renamed is everyday business; it alone asks for no restart.
        restart_pending=bool(set(waiting) - {"files in use"}) if registry else None,
        restart_reason=", ".join(waiting),
        updated=max(dates, default=None),
        domain=text(computer, "Domain") or text(computer, "Workgroup"),
    )


def _edition(edition: str, name: str) -> str:
    """The words `lifecycle` tells terms by: EditionID is EnterpriseS for what is sold as LTSC."""
    if edition.startswith(("EnterpriseS", "IoTEnterpriseS")) or "LTS" in name:
        return "iot ltsc ltsb" if edition.startswith("IoT") else "ltsc ltsb"
    return f"{edition} {name}"


def security(source: Source) -> Security:
    """Firewall, encryption, secure boot, TPM."""
    registry, tpm = first(source, "SystemRegistry"), instances(source, "Win32_Tpm")
    profiles = [truth(profile, "Enabled") for profile in instances(source, "MSFT_NetFirewallProfile")]
    others = [text(other, "displayName") for other in instances(source, "FirewallProduct") if _on(number(other, "productState"))]
    system_volume = next((volume for volume in volumes(source) if volume.system), None)
    kind = text(registry, "Firmware").lower() or {1: "legacy", 2: "uefi"}.get(number(registry, "FirmwareType") or 0, "")
    uefi = {"uefi": True, "bios": False, "legacy": False}.get(kind)
    refused = any(errors.get("Win32_Tpm") for errors in instances(source, "Errors"))
    return Security(
        firewall=True if others else all(profiles) if profiles and None not in profiles else None,
        firewall_name=", ".join(others) or ("Windows Defender Firewall" if profiles else ""),
        encrypted=system_volume.encrypted if system_volume else None,
        secure_boot=False if uefi is False else truth(registry, "SecureBoot"),
        tpm=bool(tpm) if tpm or (registry and not refused and truth(registry, "Admin")) else None,
        tpm_version=text(tpm[0], "SpecVersion").split(",")[0] if tpm else "",
        uefi=uefi,
    )


def antivirus(source: Source) -> list[Antivirus]:
    """What the security centre has registered, what Defender says of itself, and services of products that register nowhere."""
    defender = first(source, "MSFT_MpComputerStatus")
    found = []
    for product in instances(source, "AntiVirusProduct"):
        state = number(product, "productState")
        listed = Antivirus(
            name=text(product, "displayName"), enabled=_on(state), current=not state & 0x10 if state is not None else None
        )
        found.append(completed(listed, _defender(defender)) if "Defender" in listed.name and defender else listed)
    # A Defender that another product pushed aside says that it is not running.
    if defender and truth(defender, "AntivirusEnabled") and not any("Defender" in product.name for product in found):
        found.append(_defender(defender))
    return found + _services(source, " ".join(product.name for product in found).lower())


def _on(state: int | None) -> bool | None:
    """The security centre's productState: 0x1000 is on, 0x0000 off, 0x2000 snoozed, 0x3000 expired; 0x10 is out of date."""
    return (state >> 12) & 0xF == 1 if state is not None else None


def _defender(told: cim.Instance) -> Antivirus:
    updated, stale = moment(told, "AntivirusSignatureLastUpdated"), truth(told, "DefenderSignaturesOutOfDate")
    if stale is None and updated is not None:
        stale = time.time() - updated > FRESH
    return Antivirus(
        name="Microsoft Defender",
        version=text(told, "AMProductVersion"),
        enabled=truth(told, "RealTimeProtectionEnabled"),
        current=not stale if stale is not None else None,
        updated=updated,
    )


def _services(source: Source, known: str) -> list[Antivirus]:
    running: dict[str, bool] = {}
    for service in instances(source, "AntivirusServices"):
        path = text(service, "PathName").lower()
        maker = next((maker for maker in cim.SERVICES if f"\\{maker.lower()}" in path), "")
        if maker and maker.lower() not in known:
            running[maker] = running.get(maker, False) or text(service, "State").lower() == "running"
    return [Antivirus(name=maker, enabled=on) for maker, on in running.items()]


def stability(source: Source) -> Stability:
    """Starts of the last 30 days, and those nobody asked for (events 41 of Kernel-Power and 6008 of EventLog)."""
    boot = moment(first(source, "Win32_OperatingSystem"), "LastBootUpTime")
    told = [event for event in instances(source, "Events") if _own(event)]
    if "Events" not in cim.answers(source):
        source.missing("unexpected restarts", "the event log System could not be read")
        return Stability(boot_time=boot)
    surprises: list[tuple[int, str]] = []
    for event in sorted(told, key=lambda event: moment(event, "Time") or 0):
        when, kind = moment(event, "Time") or 0, number(event, "Id")
        if kind == _STARTED:
            continue
        # Both events are written for one such restart, seconds apart; 41 knows more.
        if surprises and when - surprises[-1][0] <= 300:
            surprises[-1] = (surprises[-1][0], _reason(event) if kind == _STOPPED else surprises[-1][1])
        else:
            surprises.append((when, _reason(event)))
    return Stability(
        boot_time=boot,
        unexpected=len(surprises),
        last_unexpected=surprises[-1][0] if surprises else None,
        last_reason=surprises[-1][1] if surprises else "",
        starts=sum(number(event, "Id") == _STARTED for event in told),
    )


def _own(event: cim.Instance) -> bool:
    provider, expected = text(event, "Provider").lower(), _PROVIDERS.get(number(event, "Id") or 0)
    return expected is not None and (not provider or expected in provider)


def _reason(event: cim.Instance) -> str:
    """Kernel-Power's event tells a crash from a held button from a lost line."""
    if number(event, "Id") == _SURPRISED:
        return "the last shutdown was unexpected (event 6008)"
    code = number(event, "Bugcheck")
    if code:
        return f"Windows stopped with error 0x{code:X} (event 41)"
    if number(event, "PowerButton"):
        return "somebody held the power button (event 41)"
    return "power was lost or Windows hung (event 41)"


def software(source: Source) -> list[Software]:
    """Installed programs, from the uninstall keys of the registry."""
    found = []
    for instance in cim.software(source):
        date = text(instance, "Date")
        shown = f"{date[:4]}-{date[4:6]}-{date[6:8]}" if re.fullmatch(r"\d{8}", date) else ""
        found.append(Software(text(instance, "Name"), text(instance, "Version"), text(instance, "Maker"), shown))
    return [program for program in found if program.name]


def users(source: Source) -> list[User]:
    """Users logged in."""
    import psutil

    return [User(user.name, int(user.started)) for user in psutil.users()]
