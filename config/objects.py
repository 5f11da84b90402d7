"""HAIDANG-MIB in one table: from it come the agent's tree, the collector's workstation profile, the metrics and the MIB text.

Arcs are for ever: a new object takes the next free arc of its group, one given up leaves its arc unused.
"""

from __future__ import annotations

from typing import NamedTuple

from snmp.oid import OID

ENTERPRISE = 32473
"""RFC 5612: the number for documentation. A province that owns a number of its own puts it in the settings."""

TEXT = "text"
NUMBER = "number"
INTEGER = "integer"
TIME = "time"
TRUTH = "truth"
CHOICE = "choice"
SERIAL = "serial"
"""A Counter64 that names a thing."""

NOTIFICATIONS, OBJECTS, CONFORMANCE, PRODUCTS = range(4)


class Object(NamedTuple):
    """One object. `fact` is the attribute of the agent's fact it carries, `metric` the metric it becomes ("": none).

    A metric that ends in `_info` takes the object as the label `fact`; a CHOICE becomes one 0/1 series for each word.
    """

    arc: int
    fact: str
    syntax: str
    unit: str
    metric: str
    help: str
    choices: tuple[str, ...] = ()


class Group(NamedTuple):
    """Objects that belong together: scalars when `label` is empty, else a table whose rows are told apart by that label."""

    arc: int
    name: str
    fact: str
    label: str
    help: str
    objects: tuple[Object, ...]

    def object_name(self, item: Object) -> str:
        """The descriptor of an object in the MIB, such as hdDiskModel."""
        return self.name + "".join(word[0].upper() + word[1:] for word in item.fact.split("_"))

    def oid(self, item: Object, enterprise: int = ENTERPRISE) -> OID:
        """The object's identifier, without instance."""
        within = (1, item.arc) if self.label else (item.arc,)
        return OID((*root(enterprise), OBJECTS, self.arc, *within))


def root(enterprise: int = ENTERPRISE) -> OID:
    """Where the module stands."""
    return OID((1, 3, 6, 1, 4, 1, enterprise, 1))


def _text(arc: int, fact: str, help: str, metric: str = "") -> Object:
    return Object(arc, fact, TEXT, "", metric, help)


def _number(arc: int, fact: str, unit: str, metric: str, help: str) -> Object:
    return Object(arc, fact, NUMBER, unit, metric, help)


def _integer(arc: int, fact: str, unit: str, metric: str, help: str) -> Object:
    return Object(arc, fact, INTEGER, unit, metric, help)


def _time(arc: int, fact: str, metric: str, help: str) -> Object:
    return Object(arc, fact, TIME, "seconds", metric, help)


def _truth(arc: int, fact: str, metric: str, help: str) -> Object:
    return Object(arc, fact, TRUTH, "", metric, help)


def _choice(arc: int, fact: str, choices: str, metric: str, help: str) -> Object:
    return Object(arc, fact, CHOICE, "", metric, help, tuple(choices.split()))


GROUPS = (
    Group(1, "hdAgent", "agent", "", "The agent itself.", (
        _text(1, "version", "Version of the agent.", "haidang_agent_info"),
        _time(2, "inventory_time", "haidang_agent_inventory_timestamp_seconds", "When the hardware was last read."),
        _number(3, "inventory_milliseconds", "milliseconds", "haidang_agent_inventory_seconds", "How long reading it took."),
        _truth(4, "privileged", "haidang_agent_privileged", "Whether the agent may read what only an administrator may."),
    )),
    Group(2, "hdMachine", "machine", "", "The machine as its maker describes it (SMBIOS types 0 to 3).", (
        _text(1, "maker", "Manufacturer of the machine.", "haidang_machine_info"),
        _text(2, "model", "Product name.", "haidang_machine_info"),
        _text(3, "version", "Version or marketing name of the product.", "haidang_machine_info"),
        _text(4, "serial", "Serial number of the machine.", "haidang_machine_info"),
        _text(5, "uuid", "UUID of the machine, lower case.", "haidang_machine_info"),
        _text(6, "sku", "The maker's order number."),
        _text(7, "asset_tag", "Asset tag its owner wrote into the firmware.", "haidang_machine_info"),
        _text(8, "chassis", "Form of the chassis, such as desktop, tower, notebook, server.", "haidang_machine_info"),
        _text(9, "board_maker", "Manufacturer of the main board.", "haidang_machine_info"),
        _text(10, "board_model", "Product name of the main board.", "haidang_machine_info"),
        _text(11, "board_serial", "Serial number of the main board.", "haidang_machine_info"),
        _text(12, "bios_maker", "Who wrote the firmware."),
        _text(13, "bios_version", "Version of the firmware.", "haidang_machine_info"),
        _text(14, "bios_date", "Date of the firmware, YYYY-MM-DD.", "haidang_machine_info"),
        _text(15, "virtual", "The hypervisor the machine runs on; absent on real hardware.", "haidang_machine_info"),
    )),
    Group(3, "hdProcessor", "processors", "processor", "Processor packages.", (
        _text(2, "name", "Socket or number of the package."),
        _text(3, "model", "Processor as it names itself.", "haidang_processor_info"),
        _text(4, "maker", "Manufacturer.", "haidang_processor_info"),
        _number(5, "cores", "cores", "haidang_processor_cores", "Cores of the package."),
        _number(6, "threads", "threads", "haidang_processor_threads", "Hardware threads of the package."),
        _number(7, "clock_mhz", "MHz", "haidang_processor_clock_hertz", "Nominal clock."),
        _number(8, "year", "", "haidang_processor_year", "Year in which the processor's generation came out."),
    )),
    Group(4, "hdMemory", "memory", "", "Main memory as built in (SMBIOS types 16 and 17).", (
        _number(1, "total_mib", "MiB", "haidang_memory_installed_bytes", "Memory built in."),
        _number(2, "slots", "", "haidang_memory_slots", "Places for memory modules."),
        _number(3, "free_slots", "", "haidang_memory_free_slots", "Places without a module."),
        _number(4, "limit_mib", "MiB", "haidang_memory_limit_bytes", "The most memory the board takes."),
    )),
    Group(5, "hdModule", "modules", "module", "Memory modules.", (
        _text(2, "name", "Slot the module sits in."),
        _number(3, "size_mib", "MiB", "haidang_memory_module_size_bytes", "Size of the module."),
        _text(4, "type", "Kind of memory, such as DDR4.", "haidang_memory_module_info"),
        _text(5, "form", "Form, such as DIMM or SODIMM.", "haidang_memory_module_info"),
        _number(6, "speed_mts", "MT/s", "haidang_memory_module_transfers_per_second", "Transfers the module is made for."),
        _number(7, "set_speed_mts", "MT/s", "", "Transfers it is set to."),
        _text(8, "maker", "Manufacturer of the module.", "haidang_memory_module_info"),
        _text(9, "model", "Part number.", "haidang_memory_module_info"),
        _text(10, "serial", "Serial number.", "haidang_memory_module_info"),
    )),
    Group(6, "hdDisk", "disks", "disk", "Disks.", (
        _text(2, "name", "Name the operating system gives the disk."),
        _text(3, "model", "Model.", "haidang_disk_info"),
        _text(4, "serial", "Serial number.", "haidang_disk_info"),
        _text(5, "firmware", "Firmware revision.", "haidang_disk_info"),
        _number(6, "size_mb", "MB", "haidang_disk_size_bytes", "Size of the disk; its maker's mega is 10^6."),
        _choice(7, "medium", "hdd ssd optical virtual card", "haidang_disk_medium", "What it stores on; absent when unknown."),
        _text(8, "bus", "How it is attached, such as sata, nvme, usb, virtio.", "haidang_disk_info"),
        _number(9, "rpm", "revolutions/minute", "", "Rotation rate of a hard disk."),
        _truth(10, "removable", "", "Whether it is made to be taken out."),
        _truth(11, "system", "haidang_disk_system", "Whether the operating system starts from it."),
        _choice(12, "health", "good warning failing", "haidang_disk_health", "Verdict over SMART; absent when unreadable."),
        _text(13, "health_reason", "The attributes that decided the verdict.", "haidang_disk_health_info"),
        _number(14, "wear_percent", "percent", "haidang_disk_wear_ratio", "Share of the rated writes used up."),
        _integer(15, "celsius", "degrees Celsius", "haidang_disk_celsius", "Temperature."),
        _number(16, "hours", "hours", "haidang_disk_powered_seconds", "Time under power since it was made."),
        _number(17, "cycles", "", "haidang_disk_power_cycles", "How often it was switched on."),
        _number(18, "reallocated", "sectors", "haidang_disk_reallocated_sectors", "Sectors replaced by spare ones."),
        _number(19, "pending", "sectors", "haidang_disk_pending_sectors", "Sectors that could not be read and wait."),
        _number(20, "uncorrectable", "errors", "haidang_disk_uncorrectable_errors", "Errors the disk could not correct."),
        _number(21, "written_gb", "GB", "haidang_disk_written_bytes", "Written since it was made."),
    )),
    Group(7, "hdVolume", "volumes", "storage", "Volumes; sizes stand in hrStorageTable under the same name.", (
        _text(2, "name", "Mount point or drive letter."),
        _text(3, "label", "Label of the volume."),
        _text(4, "filesystem", "File system.", "haidang_storage_info"),
        _text(5, "disk", "Disk it lies on (hdDiskName).", "haidang_storage_info"),
        _truth(6, "encrypted", "haidang_storage_encrypted", "Whether it lies encrypted on the disk."),
        _truth(7, "system", "haidang_storage_system", "Whether the operating system lies on it."),
    )),
    Group(8, "hdNetwork", "networks", "interface", "Network cards, indexed by ifIndex; IF-MIB and EtherLike-MIB say the rest.", (
        _text(2, "name", "Name of the interface (ifName)."),
        _choice(3, "medium", "wired wireless virtual mobile", "haidang_interface_medium", "What it sends over."),
        _text(4, "model", "Model of the card.", "haidang_interface_card_info"),
        _text(5, "driver", "Driver.", "haidang_interface_card_info"),
        _number(6, "limit_mbps", "Mbit/s", "haidang_interface_speed_limit_bytes_per_second", "The fastest the card can."),
        _number(7, "partner_limit_mbps", "Mbit/s", "haidang_interface_partner_limit_bytes_per_second",
                "The fastest the other end of the cable offers."),
        _integer(8, "signal_dbm", "dBm", "haidang_interface_signal_dbm", "Strength of the radio signal."),
        _number(9, "signal_percent", "percent", "haidang_interface_signal_ratio", "Quality of the radio signal."),
        _text(10, "bus", "How it is attached, such as pci or usb.", "haidang_interface_card_info"),
    )),
    Group(9, "hdMonitor", "monitors", "monitor", "Monitors (EDID).", (
        _text(2, "name", "Connector or number."),
        _text(3, "maker", "Manufacturer.", "haidang_monitor_info"),
        _text(4, "model", "Model.", "haidang_monitor_info"),
        _text(5, "serial", "Serial number.", "haidang_monitor_info"),
        _number(6, "year", "", "haidang_monitor_year", "Year it was made."),
        _number(7, "width_px", "pixels", "", "Width of the picture it is made for."),
        _number(8, "height_px", "pixels", "", "Height of the picture it is made for."),
        _number(9, "width_mm", "millimeters", "", "Width of the screen."),
        _number(10, "height_mm", "millimeters", "", "Height of the screen."),
    )),
    Group(10, "hdPrinter", "printers", "printer", "Printers this machine prints on.", (
        _text(2, "name", "Name of the queue."),
        _text(3, "model", "Model or driver.", "haidang_printer_info"),
        _choice(4, "connection", "usb network parallel serial virtual shared", "haidang_printer_connection",
                "How it is attached."),
        _text(5, "port", "Port or address.", "haidang_printer_info"),
        _truth(6, "default", "", "Whether it is the one printed on unless another is chosen."),
        _text(7, "serial", "Serial number, where the connection tells it.", "haidang_printer_info"),
    )),
    Group(11, "hdBattery", "batteries", "battery", "Batteries.", (
        _text(2, "name", "Name or number."),
        _text(3, "maker", "Manufacturer.", "haidang_battery_info"),
        _text(4, "model", "Model.", "haidang_battery_info"),
        _text(5, "serial", "Serial number.", "haidang_battery_info"),
        _text(6, "chemistry", "Chemistry, such as Li-ion.", "haidang_battery_info"),
        _number(7, "design_mwh", "mWh", "", "Capacity when new."),
        _number(8, "full_mwh", "mWh", "", "Capacity of a full charge now."),
        _number(9, "health_percent", "percent", "haidang_battery_health_ratio", "Capacity now as a share of that when new."),
        _number(10, "cycles", "", "haidang_battery_cycles", "Charge cycles."),
    )),
    Group(12, "hdSystem", "system", "", "The operating system.", (
        _text(1, "name", "Name and edition.", "haidang_os_info"),
        _text(2, "version", "Version, such as 12 or 22H2.", "haidang_os_info"),
        _text(3, "build", "Build or kernel.", "haidang_os_info"),
        _text(4, "architecture", "Processor architecture.", "haidang_os_info"),
        _time(5, "installed", "haidang_os_installed_timestamp_seconds", "When it was installed."),
        _time(6, "support_end", "haidang_os_support_end_timestamp_seconds", "When free security updates end or ended."),
        _truth(7, "restart_pending", "haidang_os_restart_pending", "Whether an update waits for a restart."),
        _text(8, "restart_reason", "What waits for the restart.", "haidang_os_restart_info"),
        _time(9, "updated", "haidang_os_updated_timestamp_seconds", "When the last update was installed."),
        _text(10, "domain", "Domain or workgroup."),
    )),
    Group(13, "hdSecurity", "security", "", "Protection of the machine.", (
        _truth(1, "firewall", "haidang_firewall_enabled", "Whether a firewall guards every network it is in."),
        _text(2, "firewall_name", "Which firewall.", "haidang_protection_info"),
        _truth(3, "encrypted", "haidang_system_volume_encrypted", "Whether the system volume is encrypted."),
        _truth(4, "secure_boot", "haidang_secure_boot_enabled", "Whether the firmware starts signed systems only."),
        _truth(5, "tpm", "haidang_tpm_present", "Whether there is a TPM."),
        _text(6, "tpm_version", "Version of the TPM's specification.", "haidang_protection_info"),
        _truth(7, "uefi", "", "Whether the system was started through UEFI."),
    )),
    Group(14, "hdAntivirus", "antivirus", "antivirus", "Antivirus products.", (
        _text(2, "name", "Product."),
        _text(3, "version", "Version.", "haidang_antivirus_info"),
        _truth(4, "enabled", "haidang_antivirus_enabled", "Whether it guards the machine now."),
        _truth(5, "current", "haidang_antivirus_current", "Whether its signatures are up to date."),
        _time(6, "updated", "haidang_antivirus_updated_timestamp_seconds", "Date of its signatures."),
    )),
    Group(15, "hdStability", "stability", "", "How steadily the machine runs.", (
        _time(1, "boot_time", "haidang_boot_timestamp_seconds", "When it was last started."),
        _number(2, "unexpected", "", "haidang_unexpected_restarts", "Restarts in the last 30 days nobody asked for."),
        _time(3, "last_unexpected", "haidang_unexpected_restart_timestamp_seconds", "When that happened last."),
        _text(4, "last_reason", "What the system says of it.", "haidang_unexpected_restart_info"),
        _number(5, "starts", "", "haidang_starts", "Starts in the last 30 days."),
    )),
    Group(16, "hdLimit", "limits", "limit", "What the agent could not see.", (
        _text(2, "name", "What is missing.", "haidang_agent_limit_info"),
        _text(3, "reason", "Why, and what would help.", "haidang_agent_limit_info"),
    )),
    Group(17, "hdSoftware", "software", "software", "Installed software; empty unless the settings ask for it.", (
        _text(2, "name", "Name."),
        _text(3, "version", "Version."),
        _text(4, "maker", "Publisher."),
        _text(5, "installed", "Date of installation, YYYY-MM-DD."),
    )),
    Group(18, "hdUser", "users", "user", "Users logged in; empty unless the settings ask for it.", (
        _text(2, "name", "User name."),
        _time(3, "since", "", "Since when."),
    )),
    Group(20, "hdStanding", "standing", "", "How the agent stands with its collector, and the line between them.", (
        _time(1, "checked", "haidang_agent_checked_timestamp_seconds", "When it last asked its collector over HTTPS."),
        _integer(2, "clock_milliseconds", "milliseconds", "haidang_agent_clock_offset_seconds",
                 "How far the machine's clock is ahead of the collector's."),
        _text(3, "trouble", "Why the collector could not be asked.", "haidang_agent_trouble_info"),
        _time(4, "tested", "haidang_line_tested_timestamp_seconds", "When the line to the collector was last tested."),
        _number(5, "round_trip_microseconds", "microseconds", "haidang_line_round_trip_seconds",
                "Median of the test's round trips."),
        _number(6, "jitter_microseconds", "microseconds", "haidang_line_jitter_seconds",
                "Mean difference between one round trip and the next (RFC 3550's way)."),
        _number(7, "loss_permille", "permille", "haidang_line_loss_ratio", "Part of the test's packets that did not come back."),
        _number(8, "receive_kbits", "kbit/s", "haidang_line_receive_bytes_per_second", "Throughput from the collector."),
        _number(9, "transmit_kbits", "kbit/s", "haidang_line_transmit_bytes_per_second", "Throughput to the collector."),
        _text(10, "update", "What became of the last new version of the agent.", "haidang_agent_update_info"),
    )),
)  # fmt: skip

REPORT = Group(19, "hdReport", "report", "", "What a pushed report says of itself; only notifications carry it.", (
    Object(1, "sequence", SERIAL, "", "", "Names this part among all an agent ever sends; later ones are greater."),
    Object(2, "base", SERIAL, "", "", "First part of the full report that this one differs from; a full one names itself."),
    Object(3, "oldest", SERIAL, "", "", "The agent holds no part older than this one."),
    _number(4, "part", "", "", "Number of this part within its report, from 1."),
    _number(5, "parts", "", "", "Parts of this report."),
    _time(6, "time", "", "When the agent observed what this report holds."),
    _number(7, "interval", "", "", "Seconds between two reports; 0 when the agent ends."),
    _choice(8, "reason", "start daily interval change shutdown stopped threshold outage", "",
            "Why the agent reports now; outage: the machine is going down for want of mains power."),
    _number(9, "age", "seconds", "", "How long ago that was when it was sent, by a clock nobody sets; 4294967295: unknown."),
))  # fmt: skip
"""The first varbinds of every report, in this order; the objects that changed follow, those that are gone as noSuchInstance."""

REPORT_ARC = 1
"""The notification hdReportSent, below `NOTIFICATIONS`."""


def notification(enterprise: int = ENTERPRISE) -> OID:
    """The snmpTrapOID of a report."""
    return OID((*root(enterprise), NOTIFICATIONS, REPORT_ARC))
