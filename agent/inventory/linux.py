"""One look at a Linux machine: hardware, system, protection. `windows.py` has the same functions."""

from __future__ import annotations

import os

from ..errors import Unreadable
from ..linux import os_release
from . import antivirus as products
from . import dmidecode, firmware, lifecycle, linux_devices, processors, smbios
from .linux_devices import monitors, networks, printers
from .linux_restarts import stability, started
from .linux_storage import disks, volumes
from .parts import Antivirus, Battery, Machine, Memory, Module, Processor, Security, Software, System, User
from .source import Source
from .words import clean, serial, uuid

__all__ = (
    "antivirus", "batteries", "disks", "machine", "memory", "monitors", "networks", "printers", "processor_packages", "security",
    "software", "stability", "system", "users", "volumes",
)  # fmt: skip

_TABLE = "/sys/firmware/dmi/tables/DMI"
_DMI = "/sys/class/dmi/id/"
_ROOT_NEEDED = "only root may read the firmware's tables; run the agent as root or give it CAP_DAC_READ_SEARCH"
_NO_TABLES = "the firmware has no SMBIOS tables"
_DEVICE_TREE = "/proc/device-tree/"
_SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def records(source: Source) -> list[smbios.Record]:
    """The firmware's structures, none where they may not be seen."""
    table = source.data(_TABLE)
    if table is None:
        # Kernels before 4.2 keep the tables to themselves; dmidecode finds them in memory.
        if source.exists(_TABLE) or not source.exists(_DMI) or not source.privileged:
            return []
        try:
            return dmidecode.records(source.run(["dmidecode"]))
        except Unreadable:
            return []
    entry = source.data("/sys/firmware/dmi/tables/smbios_entry_point") or b""
    return smbios.records(table, smbios.version(entry))


def machine(source: Source) -> Machine:
    """Maker, model, serial numbers, firmware, chassis."""
    found = records(source)
    if found:
        told = firmware.machine(found)
    elif source.exists(_DMI):
        told = _machine_from_files(source)
        if not source.exists(_TABLE):
            source.missing("serial numbers", "this kernel does not show the firmware's tables; dmidecode would, run as root")
        elif not told.serial:
            source.missing("serial numbers", _ROOT_NEEDED)
    else:
        told = _machine_from_device_tree(source)
        if not told.model:
            source.missing("machine", _NO_TABLES)
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
        uuid=uuid(source.text(_DMI + "product_uuid")),
        sku=text("product_sku"),
        asset_tag=text("chassis_asset_tag"),
        chassis=smbios.CHASSIS_FORMS[kind] if 0 <= kind < len(smbios.CHASSIS_FORMS) else "",
        board_maker=text("board_vendor"),
        board_model=text("board_name"),
        board_serial=serial(text("board_serial")),
        bios_maker=text("bios_vendor"),
        bios_version=text("bios_version"),
        bios_date=firmware.iso_date(text("bios_date")),
    )


def _machine_from_device_tree(source: Source) -> Machine:
    """Boards with an Arm processor mostly have a device tree instead of SMBIOS (its root node's standard properties)."""
    model = clean(source.text(_DEVICE_TREE + "model"))
    maker = clean(source.text(_DEVICE_TREE + "compatible").split("\0")[0].partition(",")[0])
    return Machine(
        maker=maker if model else "",
        model=model,
        serial=serial(source.text(_DEVICE_TREE + "serial-number")),
        chassis=clean(source.text(_DEVICE_TREE + "chassis-type")),
    )


def _hypervisor(source: Source, told: Machine) -> str:
    named = firmware.hypervisor(told)
    if named:
        return named
    flags = next((line for line in source.text("/proc/cpuinfo").splitlines() if line.startswith("flags")), "")
    return "unnamed hypervisor" if " hypervisor" in flags else ""


def processor_packages(source: Source) -> list[Processor]:
    """Processor packages: counts and names from the kernel, sockets and clocks from the firmware."""
    sockets = firmware.processors(records(source))
    packages: dict[str, list[dict[str, str]]] = {}
    for block in source.text("/proc/cpuinfo").split("\n\n"):
        values = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in block.splitlines())}
        if "processor" in values:
            packages.setdefault(_package(source, values), []).append(values)
    found = [
        _processor(source, n, threads, sockets[n] if n < len(sockets) else Processor())
        for n, threads in enumerate(packages.values())
    ]
    return found or [package._replace(year=processors.year(package.model)) for package in sockets]


def _package(source: Source, values: dict[str, str]) -> str:
    told = values.get("physical id") or values.get("package")
    at = f"/sys/devices/system/cpu/cpu{values['processor']}/topology/physical_package_id"
    return told or str(max(source.number(at) or 0, 0))


def _processor(source: Source, n: int, threads: list[dict[str, str]], told: Processor) -> Processor:
    first = threads[0]
    maker, core = processors.arm_core(first.get("cpu implementer", ""), first.get("cpu part", ""))
    # Arm's kernels name no model; the firmware does where there is one, else the core is all that is known.
    model = " ".join((first.get("model name") or first.get("cpu model") or told.model or core).split())
    return Processor(
        name=told.name or f"CPU {n}",
        model=model,
        maker=firmware.maker(first.get("vendor_id", "")) or told.maker or maker,
        cores=len({thread.get("core id") or thread.get("core") or thread["processor"] for thread in threads}),
        threads=len(threads),
        clock_mhz=processors.clock_mhz(model) or told.clock_mhz or _fastest(source),
        year=processors.year(model) or processors.year(told.model) or processors.year(core),
    )


def _fastest(source: Source) -> int | None:
    at = "/sys/devices/system/cpu/cpu0/cpufreq/"
    khz = source.number(at + "base_frequency") or source.number(at + "cpuinfo_max_freq")
    return khz // 1000 if khz else None


def batteries(source: Source) -> list[Battery]:
    """Batteries of the machine itself, as the kernel knows them, else as the firmware does."""
    return linux_devices.batteries(source) or firmware.batteries(records(source))


def memory(source: Source) -> tuple[Memory, list[Module]]:
    """Main memory as built in."""
    found, modules = firmware.memory(records(source))
    if not modules and source.data(_TABLE) is None:
        reason = _ROOT_NEEDED if source.exists(_TABLE) or source.exists(_DMI) else _NO_TABLES
        source.missing("memory modules", reason)
    return found, modules


def system(source: Source) -> System:
    """The operating system."""
    words = os_release(source.root)
    name, version = words.get("NAME", "Linux"), words.get("VERSION_ID", "")
    pending, reason = _restart(source)
    kernel = source.text("/proc/sys/kernel/osrelease") or ("" if source.root else os.uname().release)
    end = lifecycle.support_end(words.get("ID", ""), version, f"{words.get('VARIANT_ID', '')} {name}")
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
    newer = [name for name in kernels if (source.changed(f"/boot/{name}") or 0) > started(source)]
    return (True, f"kernel {newer[-1].partition('-')[2]}") if newer else (False, "")


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
        except Unreadable:
            source.missing("firewall", "neither nft nor iptables is installed to list the kernel's rules")
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
