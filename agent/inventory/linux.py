"""One look at a Linux machine: hardware, system, protection. `windows.py` has the same functions."""

from __future__ import annotations

import os
import struct
import time

from ..errors import Unreadable
from ..linux import boot_time, os_release
from . import antivirus as products
from . import lifecycle, processors, smbios
from .linux_devices import batteries, monitors, networks, printers
from .linux_storage import disks, volumes
from .parts import Antivirus, Machine, Memory, Module, Processor, Security, Software, Stability, System, User
from .source import Source
from .words import clean, serial

__all__ = (
    "antivirus", "batteries", "disks", "machine", "memory", "monitors", "networks", "printers", "processor_packages", "security",
    "software", "stability", "system", "users", "volumes",
)  # fmt: skip

_TABLE = "/sys/firmware/dmi/tables/DMI"
_DMI = "/sys/class/dmi/id/"
_ROOT_NEEDED = "only root may read the firmware's tables; run the agent as root or give it CAP_DAC_READ_SEARCH"
_SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_UTMP = 384
_RUN_LEVEL, _BOOT = 1, 2
_MONTH = 30 * 86400


def _records(source: Source) -> list[smbios.Record]:
    table = source.data(_TABLE)
    if table is None:
        return []
    entry = source.data("/sys/firmware/dmi/tables/smbios_entry_point") or b""
    version = (entry[7], entry[8]) if entry[:5] == b"_SM3_" else (entry[6], entry[7]) if len(entry) > 7 else (3, 0)
    return smbios.records(table, version)


def machine(source: Source) -> Machine:
    """Maker, model, serial numbers, firmware, chassis."""
    found = _records(source)
    if found:
        told = smbios.machine(found)
    elif source.exists(_DMI):
        told = _machine_from_files(source)
        if not source.exists(_TABLE):
            source.missing("serial numbers", "this kernel does not show the firmware's tables")
        elif not told.serial:
            source.missing("serial numbers", _ROOT_NEEDED)
    else:
        told = Machine()
        source.missing("machine", "the firmware has no SMBIOS tables")
    return told._replace(virtual=_hypervisor(source, told))


def _machine_from_files(source: Source) -> Machine:
    def text(name: str) -> str:
        return clean(source.text(_DMI + name))

    kind = source.number(_DMI + "chassis_type") or 0
    return Machine(
        maker=text("sys_vendor"),
        model=text("product_name"),
        version=text("product_version"),
        serial=serial(text("product_serial")),
        uuid=text("product_uuid").lower(),
        sku=text("product_sku"),
        asset_tag=text("chassis_asset_tag"),
        chassis=smbios.CHASSIS_FORMS[kind] if kind < len(smbios.CHASSIS_FORMS) else "",
        board_maker=text("board_vendor"),
        board_model=text("board_name"),
        board_serial=serial(text("board_serial")),
        bios_maker=text("bios_vendor"),
        bios_version=text("bios_version"),
        bios_date=smbios.iso_date(text("bios_date")),
    )


def _hypervisor(source: Source, told: Machine) -> str:
    named = smbios.hypervisor(told)
    if named:
        return named
    flags = next((line for line in source.text("/proc/cpuinfo").splitlines() if line.startswith("flags")), "")
    return "unnamed hypervisor" if " hypervisor" in flags else ""


def processor_packages(source: Source) -> list[Processor]:
    """Processor packages: counts and names from the kernel, sockets and clocks from the firmware."""
    firmware = smbios.processors(_records(source))
    packages: dict[str, list[dict[str, str]]] = {}
    for block in source.text("/proc/cpuinfo").split("\n\n"):
        values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in block.splitlines())}
        if "processor" in values:
            packages.setdefault(values.get("physical id", "0"), []).append(values)
    found: list[Processor] = []
    for n, threads in enumerate(packages.values()):
        told = firmware[n] if n < len(firmware) else Processor()
        model = threads[0].get("model name") or threads[0].get("Model") or told.model
        cores = len({thread.get("core id", thread["processor"]) for thread in threads})
        found.append(
            Processor(
                name=told.name or f"CPU {n}",
                model=" ".join(model.split()),
                maker=smbios.maker(threads[0].get("vendor_id", "")) or told.maker,
                cores=cores,
                threads=len(threads),
                clock_mhz=processors.clock_mhz(model) or told.clock_mhz or _fastest(source),
                year=processors.year(model) or processors.year(told.model),
            )
        )
    return found or [package._replace(year=processors.year(package.model)) for package in firmware]


def _fastest(source: Source) -> int | None:
    khz = source.number("/sys/devices/system/cpu/cpu0/cpufreq/base_frequency")
    return khz // 1000 if khz else None


def memory(source: Source) -> tuple[Memory, list[Module]]:
    """Main memory as built in."""
    found, modules = smbios.memory(_records(source))
    if not modules and source.data(_TABLE) is None:
        reason = _ROOT_NEEDED if source.exists(_TABLE) else "the firmware has no SMBIOS tables"
        source.missing("memory modules", reason)
    return found, modules


def system(source: Source) -> System:
    """The operating system."""
    words = os_release(source.root)
    name, version = words.get("NAME", "Linux"), words.get("VERSION_ID", "")
    pending, reason = _restart(source)
    kernel = source.text("/proc/sys/kernel/osrelease") or ("" if source.root else os.uname().release)
    end = lifecycle.support_end(words.get("ID", ""), version, words.get("VARIANT_ID", ""))
    if end is None:
        source.missing("end of support", f"no date is known for {name} {version}".rstrip())
    dates = [source.changed(path) for path in ("/lost+found", "/var/log/installer", "/etc/machine-id")]
    updates = [source.changed(path) for path in ("/var/lib/dpkg/status", "/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/Packages")]
    return System(
        name=name,
        version=version or words.get("BUILD_ID", ""),
        build=kernel,
        architecture=os.uname().machine,
        installed=min((date for date in dates if date), default=None),
        support_end=end,
        restart_pending=pending,
        restart_reason=reason,
        updated=max((date for date in updates if date), default=None),
    )


def _restart(source: Source) -> tuple[bool | None, str]:
    """Debian says so in a file; everywhere, a kernel installed after the start waits for the next one."""
    if source.exists("/run/reboot-required"):
        packages = sorted(set(source.text("/run/reboot-required.pkgs").split()))
        return True, ", ".join(packages) or "an update"
    kernels = [name for name in source.names("/boot") if name.startswith("vmlinuz")]
    if not kernels:
        return None, ""
    newer = [name for name in kernels if (source.changed(f"/boot/{name}") or 0) > _started(source)]
    return (True, f"kernel {newer[-1].partition('-')[2]}") if newer else (False, "")


def _started(source: Source) -> float:
    line = next((line for line in source.text("/proc/stat").splitlines() if line.startswith("btime ")), "")
    return float(line.split()[1]) if line else boot_time()


def security(source: Source) -> Security:
    """Firewall, encryption, secure boot, TPM."""
    uefi = source.exists("/sys/firmware/efi")
    variable = source.data(_SECURE_BOOT)
    tpm = source.names("/sys/class/tpm")
    major = source.text(f"/sys/class/tpm/{tpm[0]}/tpm_version_major") if tpm else ""
    root = next((volume for volume in volumes(source) if volume.system), None)
    firewall, name = _firewall(source)
    return Security(
        firewall=firewall,
        firewall_name=name,
        encrypted=root.encrypted if root else None,
        secure_boot=bool(variable[-1]) if variable else False if not uefi and source.exists("/sys/firmware") else None,
        tpm=bool(tpm) if source.exists("/sys/class") else None,
        tpm_version={"2": "2.0", "1": "1.2"}.get(major, ""),
        uefi=uefi if source.exists("/sys/firmware") else None,
    )


def _firewall(source: Source) -> tuple[bool | None, str]:
    if "ENABLED=yes" in source.text("/etc/ufw/ufw.conf").splitlines():
        return True, "ufw"
    if source.exists("/run/firewalld"):
        return True, "firewalld"
    if not source.privileged:
        source.missing("firewall", "only root may list the kernel's rules; give the agent CAP_NET_ADMIN")
        return None, ""
    try:
        rules = source.run(["nft", "list", "ruleset"])
    except Unreadable:
        try:
            rules = source.run(["iptables", "-S", "INPUT"])
        except Unreadable as error:
            source.missing("firewall", str(error))
            return None, ""
        guarded = "-P INPUT DROP" in rules or "-P INPUT REJECT" in rules or "-j DROP" in rules or "-j REJECT" in rules
        return guarded, "iptables" if guarded else ""
    if "Operation not permitted" in rules:
        source.missing("firewall", "nft: Operation not permitted")
        return None, ""
    chains = rules.split("chain ")
    guarded = any("hook input" in chain and ("policy drop" in chain or "drop" in chain or "reject" in chain) for chain in chains)
    return guarded, "nftables" if guarded else ""


def antivirus(source: Source) -> list[Antivirus]:
    """Antivirus products that are installed."""
    return products.on_linux(source)


def stability(source: Source) -> Stability:
    """Starts of the last 30 days, and those no shutdown came before (wtmp, utmp(5))."""
    boot = int(_started(source))
    data = source.data("/var/log/wtmp", 1 << 26)
    if not data:
        source.missing("unexpected restarts", "there is no record of starts and shutdowns in /var/log/wtmp")
        return Stability(boot_time=boot)
    starts: list[tuple[int, bool]] = []
    asked = True
    for at in range(0, len(data) - _UTMP + 1, _UTMP):
        kind = struct.unpack_from("<h", data, at)[0]
        user = data[at + 44 : at + 76].split(b"\0")[0]
        if kind == _RUN_LEVEL and user == b"shutdown":
            asked = True
        elif kind == _BOOT:
            starts.append((struct.unpack_from("<i", data, at + 340)[0], asked))
            asked = False
    recent = [(when, asked) for when, asked in starts if when > time.time() - _MONTH]
    # The first record of a fresh file has nothing before it to judge by.
    surprises = [when for when, asked in recent if not asked]
    return Stability(
        boot_time=boot,
        unexpected=len(surprises),
        last_unexpected=surprises[-1] if surprises else None,
        last_reason="no shutdown was recorded before this start" if surprises else "",
        starts=len(recent),
    )


def software(source: Source) -> list[Software]:
    """Installed packages."""
    for command in (
        ["dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Maintainer}\t\n"],
        ["rpm", "-qa", "--qf", "%{NAME}\t%{VERSION}-%{RELEASE}\t%{VENDOR}\t%{INSTALLTIME:day}\n"],
    ):
        try:
            lines = source.run(command).splitlines()
        except Unreadable:
            continue
        return [Software(*(line.split("\t") + [""] * 4)[:4]) for line in lines if "\t" in line]
    source.missing("software", "neither dpkg nor rpm is installed")
    return []


def users(source: Source) -> list[User]:
    """Users logged in."""
    import psutil

    return [User(user.name, int(user.started)) for user in psutil.users()]
