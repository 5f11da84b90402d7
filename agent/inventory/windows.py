"""One look at a Windows machine: hardware, system, protection, from its firmware's tables and CIM classes.

The same functions as `linux.py`.
"""

from __future__ import annotations

import platform
import re
import sys
from datetime import UTC, datetime

from . import cim, lifecycle, processors, smbios
from .cim import first, instances, moment, number, numbers, text, truth
from .parts import Antivirus, Machine, Memory, Module, Processor, Security, Software, Stability, System, User, completed
from .source import Source
from .windows_devices import batteries, monitors, networks, printers
from .windows_storage import disks, volumes
from .words import serial, told_apart

__all__ = (
    "antivirus", "batteries", "disks", "machine", "memory", "monitors", "networks", "printers", "processor_packages", "security",
    "software", "stability", "system", "users", "volumes",
)  # fmt: skip

_RSMB = 0x52534D42
_FORMS = {8: "DIMM", 12: "SODIMM", 2: "SIP", 3: "DIP", 7: "SIMM", 11: "RIMM", 13: "SRIMM", 15: "FB-DIMM", 1: ""}
"""Win32_PhysicalMemory.FormFactor, which counts otherwise than SMBIOS."""
_OLD_TYPES = {17: "SDRAM", 20: "DDR", 21: "DDR2", 22: "DDR2 FB-DIMM", 24: "DDR3", 25: "FBD2", 26: "DDR4"}
_SYSTEM_MEMORY = 3
_UNEXPECTED = {
    41: "Windows started again without having shut down (event 41)",
    6008: "the last shutdown was unexpected (event 6008)",
}
_STARTED = 6005


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
    told = smbios.machine(_records(source))
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
        uuid=_uuid(text(product, "UUID")),
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
    return best._replace(virtual=smbios.hypervisor(best))


def _uuid(found: str) -> str:
    lower = found.lower()
    plain = lower.replace("-", "")
    return lower if re.fullmatch(r"[0-9a-f]{32}", plain) and len(set(plain)) > 1 else ""


def _date(seconds: int | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds is not None and 0 < seconds < 1 << 33 else ""


def processor_packages(source: Source) -> list[Processor]:
    """Processor packages."""
    found = []
    for n, instance in enumerate(instances(source, "Win32_Processor")):
        model = text(instance, "Name")
        cores = number(instance, "NumberOfCores")
        mhz = processors.clock_mhz(model) or number(instance, "MaxClockSpeed")
        found.append(
            Processor(
                name=text(instance, "SocketDesignation") or f"CPU {n}",
                model=model,
                maker=smbios.maker(text(instance, "Manufacturer")),
                cores=cores,
                threads=number(instance, "NumberOfLogicalProcessors") or cores,
                clock_mhz=mhz,
                year=processors.year(model, mhz),
            )
        )
    return found or [package._replace(year=processors.year(package.model)) for package in smbios.processors(_records(source))]


def memory(source: Source) -> tuple[Memory, list[Module]]:
    """Main memory as built in."""
    total, modules = smbios.memory(_records(source))
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
        maker=smbios.maker(text(instance, "Manufacturer")),
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
        return "iot" if edition.startswith("IoT") else "ltsc ltsb"
    return f"{edition} {name}"


def security(source: Source) -> Security:
    """Firewall, encryption, secure boot, TPM."""
    registry, tpm = first(source, "SystemRegistry"), instances(source, "Win32_Tpm")
    profiles = [truth(profile, "Enabled") for profile in instances(source, "MSFT_NetFirewallProfile")]
    system_volume = next((volume for volume in volumes(source) if volume.system), None)
    firmware = text(registry, "Firmware").lower()
    refused = any(errors.get("Win32_Tpm") for errors in instances(source, "Errors"))
    return Security(
        firewall=all(profiles) if profiles and None not in profiles else None,
        firewall_name="Windows Defender Firewall" if profiles else "",
        encrypted=system_volume.encrypted if system_volume else None,
        secure_boot=truth(registry, "SecureBoot") if "SecureBoot" in registry else None,
        tpm=bool(tpm) if tpm or (registry and not refused and truth(registry, "Admin")) else None,
        tpm_version=text(tpm[0], "SpecVersion").split(",")[0] if tpm else "",
        uefi={"uefi": True, "legacy": False}.get(firmware),
    )


def antivirus(source: Source) -> list[Antivirus]:
    """What the security centre has registered (there is none on servers). productState: 0x1000 on, 0x10 signatures old."""
    found = []
    for product in instances(source, "AntiVirusProduct"):
        state = number(product, "productState")
        found.append(
            Antivirus(
                name=text(product, "displayName"),
                enabled=(state >> 12) & 0xF == 1 if state is not None else None,
                current=not state & 0x10 if state is not None else None,
            )
        )
    return found


def stability(source: Source) -> Stability:
    """Starts of the last 30 days, and those nobody asked for (events 41 and 6008)."""
    boot = moment(first(source, "Win32_OperatingSystem"), "LastBootUpTime")
    if "Events" not in cim.answers(source):
        source.missing("unexpected restarts", "the event log System could not be read")
        return Stability(boot_time=boot)
    events = sorted((moment(event, "Time") or 0, number(event, "Id") or 0) for event in instances(source, "Events"))
    surprises: list[tuple[int, int]] = []
    for when, kind in events:
        # Both events are written for one such restart, seconds apart.
        if kind in _UNEXPECTED and (not surprises or when - surprises[-1][0] > 300):
            surprises.append((when, kind))
    return Stability(
        boot_time=boot,
        unexpected=len(surprises),
        last_unexpected=surprises[-1][0] if surprises else None,
        last_reason=_UNEXPECTED[surprises[-1][1]] if surprises else "",
        starts=sum(kind == _STARTED for _, kind in events),
    )


def software(source: Source) -> list[Software]:
    """Installed programs, from the uninstall keys of the registry."""
    found = []
    for instance in instances(source, "Software"):
        date = text(instance, "Date")
        shown = f"{date[:4]}-{date[4:6]}-{date[6:8]}" if re.fullmatch(r"\d{8}", date) else ""
        found.append(Software(text(instance, "Name"), text(instance, "Version"), text(instance, "Maker"), shown))
    return [program for program in found if program.name]


def users(source: Source) -> list[User]:
    """Users logged in."""
    import psutil

    return [User(user.name, int(user.started)) for user in psutil.users()]
