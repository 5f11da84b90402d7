"""Every metric name stands here once, with type, unit, help, labels, and whether it bears the time of its poll.

Names follow Prometheus' practice: `haidang_<thing>_<unit>[_total]`, base units, states as 0/1, identity in `_info`. What only a
workstation's agent tells comes from the table of HAIDANG-MIB (`objects.py`), where it stands once already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from .objects import CHOICE, GROUPS, Group


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family. `labels` are all its labels, in page order; `unit` is "" for states and counts.

    `polled`: its values travel in blocks and bear the time of their poll. The others are made by the pages themselves
    from states, facts and the collector's own counts, and bear none.
    """

    name: str
    type: Literal["gauge", "counter"]
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    polled: bool = False

    @property
    def series_labels(self) -> tuple[str, ...]:
        """The labels a `Series` of this metric carries: `device` is added on the page."""
        return tuple(label for label in self.labels if label != "device")


_UNITS = (
    "seconds", "bytes_per_second", "bytes", "ratio", "celsius", "volts", "amperes", "watts", "hertz", "rpm", "dbm",
)  # fmt: skip


def _metric(name: str, help: str, *labels: str, polled: bool = False) -> Metric:
    body = name.removesuffix("_total")
    unit = next((unit for unit in _UNITS if body.endswith("_" + unit)), "")
    return Metric(name, "gauge" if body == name else "counter", unit, help, labels, polled)


def _polled(name: str, help: str, *labels: str) -> Metric:
    return _metric(name, help, "device", *labels, polled=True)


def _of_group(group: Group) -> Iterator[Metric]:
    """The metrics of one group of HAIDANG-MIB's objects; those that share an `_info` metric become its labels."""
    own = (group.label,) if group.label else ()
    infos: dict[str, tuple[str, ...]] = {}
    for item in group.objects:
        if item.metric.endswith("_info"):
            infos[item.metric] = (*infos.get(item.metric, own), *(() if item.fact == "name" and own else (item.fact,)))
        elif item.metric:
            yield _polled(item.metric, item.help, *own, *((item.fact,) if item.syntax == CHOICE else ()))
    for name, labels in infos.items():
        told = [item for item in group.objects if item.metric == name]
        what = told[0].help if len(told) == 1 else f"{', '.join(item.fact for item in told)}."
        yield _polled(name, f"{group.help.rstrip('.')}: {what}", *labels)


_METRICS = (
    # What the pages say of a device, polled or not.
    _metric("haidang_device_state", "Whether the device is in this state: 1 for one state, 0 for the others.",
            "device", "unit", "state"),
    _metric("haidang_device_answer_seconds", "How long the device's last answered poll took.", "device", "unit"),
    _metric("haidang_device_requests_total", "Requests sent to the device, repetitions included.", "device", "unit"),
    _metric("haidang_device_retries_total", "Requests repeated because no answer came in time.", "device", "unit"),
    _metric("haidang_device_info", "What the device is.",
            "device", "unit", "name", "address", "kind", "vendor", "model", "serial", "os", "os_version", "profile"),
    _metric("haidang_interface_info", "What the interface is called and is: alias as configured, MAC, IANA ifType.",
            "device", "interface", "alias", "mac", "type"),
    # Units.
    _metric("haidang_unit_info", "What the unit (an office) is called, its kind and the unit above it.",
            "unit", "name", "kind", "parent"),
    _metric("haidang_unit_reachable", "Whether anything in the unit answers; absent while nothing is known.", "unit"),
    _metric("haidang_unit_devices", "Devices of the unit by state.", "unit", "state"),
    _metric("haidang_unit_cycle_seconds", "How long the unit's last cycle took.", "unit"),
    _metric("haidang_unit_cycle_overruns_total", "Cycles of the unit that did not end within the interval.", "unit"),
    _metric("haidang_unit_answer_seconds", "Median of how long the answered polls of the unit's last cycle took.", "unit"),
    _metric("haidang_unit_loss_ratio",
            "Part of the messages to answering devices that had to be repeated in the unit's last cycle.", "unit"),
    _metric("haidang_unit_requests_total", "Messages sent to the unit's devices, repetitions included.", "unit"),
    _metric("haidang_unit_retries_total", "Messages to the unit's devices repeated because no answer came in time.", "unit"),
    _metric("haidang_unit_sent_bytes_total", "Bytes sent over the unit's line, IP headers included.", "unit"),
    _metric("haidang_unit_received_bytes_total", "Bytes received over the unit's line, IP headers included.", "unit"),
    _metric("haidang_unit_contracted_bytes_per_second", "Contracted bandwidth of the unit's line.", "unit"),
    _metric("haidang_unit_committed_bytes_per_second", "Bandwidth the carrier commits to on the unit's line.", "unit"),
    # What hangs on what (surveys of switches and routers).
    _metric("haidang_link_info", "What hangs on the interface, by LLDP, CDP, MNDP, forwarding tables or ARP.",
            "device", "interface", "remote_device", "remote_interface", "protocol"),
    _metric("haidang_port_machines", "Machines known to hang on the interface, strangers included; several on one share a "
            "switch that cannot be asked.", "device", "interface"),
    _metric("haidang_port_degraded", "Whether the interface runs worse than it did (past), than both ends can (allowed), than "
            "the other end says (peer), or not full duplex.", "device", "interface", "reason"),
    _metric("haidang_port_expected_bytes_per_second", "Speed that a degraded interface should have; 125000000 is 1 Gbit/s.",
            "device", "interface"),
    _metric("haidang_unit_survey_timestamp_seconds", "When the unit's switches and routers were last asked what hangs on them.",
            "unit"),
    # The device itself.
    _polled("haidang_device_uptime_seconds", "Time since the device's management restarted."),
    _polled("haidang_host_uptime_seconds", "Time since the host's operating system started."),
    # Interfaces (IF-MIB, EtherLike-MIB).
    _polled("haidang_interface_up", "Whether the interface is operationally up.", "interface"),
    _polled("haidang_interface_admin_up", "Whether the interface is switched on in the configuration.", "interface"),
    # Bytes, not bits: Prometheus' base unit (promtool refuses bits), and rate(receive_bytes_total) / speed is the load.
    _polled("haidang_interface_speed_bytes_per_second", "Speed of the interface; 125000000 is 1 Gbit/s.", "interface"),
    _polled("haidang_interface_full_duplex", "Whether the interface runs full duplex; absent where unknown.", "interface"),
    _polled("haidang_interface_receive_bytes_total", "Bytes received.", "interface"),
    _polled("haidang_interface_transmit_bytes_total", "Bytes sent.", "interface"),
    _polled("haidang_interface_receive_errors_total", "Packets received with errors.", "interface"),
    _polled("haidang_interface_transmit_errors_total", "Packets not sent because of errors.", "interface"),
    _polled("haidang_interface_receive_discards_total", "Packets discarded though received without error.", "interface"),
    _polled("haidang_interface_transmit_discards_total", "Packets discarded though they could have been sent.", "interface"),
    # Processors, memory, storage (HOST-RESOURCES-MIB and vendors' own).
    _polled("haidang_processor_load_ratio", "Load of the processor over the last minute or so, 0 to 1.", "processor"),
    _polled("haidang_memory_size_bytes", "Size of the memory.", "memory"),
    _polled("haidang_memory_used_bytes", "Used part of the memory.", "memory"),
    _polled("haidang_memory_used_ratio", "Used part of the memory, 0 to 1, by devices that tell no size.", "memory"),
    _polled("haidang_storage_size_bytes", "Size of the volume.", "storage"),
    _polled("haidang_storage_used_bytes", "Used part of the volume.", "storage"),
    _polled("haidang_storage_used_ratio", "Used part of the volume, 0 to 1, by devices that tell no size.", "storage"),
    # Sensors, UPS, printers' supplies.
    _polled("haidang_sensor_celsius", "Temperature.", "sensor"),
    _polled("haidang_sensor_humidity_ratio", "Relative humidity, 0 to 1.", "sensor"),
    _polled("haidang_sensor_volts", "Voltage.", "sensor"),
    _polled("haidang_sensor_amperes", "Current.", "sensor"),
    _polled("haidang_sensor_watts", "Power.", "sensor"),
    _polled("haidang_sensor_hertz", "Frequency.", "sensor"),
    _polled("haidang_sensor_fan_rpm", "Speed of the fan in revolutions a minute.", "sensor"),
    _polled("haidang_sensor_load_ratio", "Load of a UPS, PDU or generator, 1 being its rating.", "sensor"),
    _polled("haidang_sensor_charge_ratio", "Charge of the battery, 0 to 1.", "sensor"),
    _polled("haidang_sensor_runtime_seconds", "Time left on battery at the present load.", "sensor"),
    _polled("haidang_supply_level_ratio", "Level of a printer's supply, 0 to 1; absent where it is not measured.",
            "supply", "kind"),
    _polled("haidang_supply_state", "Whether the supply's level is measured, some, unknown or unlimited (RFC 3805).",
            "supply", "kind", "state"),
    # Workstations with our agent.
    *(metric for group in GROUPS for metric in _of_group(group)),
    # The collector's own health.
    _metric("haidang_collector_info", "Version of the collector.", "version"),
    _metric("haidang_collector_interval_seconds", "The interval in which every device is to be polled once."),
    _metric("haidang_collector_cycle_seconds", "The longest of the units' last cycles."),
    _metric("haidang_collector_cycles_total", "Cycles of units that ended."),
    _metric("haidang_collector_cycle_overruns_total", "Cycles of units that did not end within the interval."),
    _metric("haidang_collector_packets_sent_total", "SNMP packets sent."),
    _metric("haidang_collector_packets_received_total", "SNMP packets received, those that fit no request included."),
    _metric("haidang_collector_sent_bytes_total", "Bytes of SNMP packets sent."),
    _metric("haidang_collector_received_bytes_total", "Bytes of SNMP packets received."),
    _metric("haidang_collector_retries_total", "Requests repeated because no answer came in time."),
    _metric("haidang_collector_reports_total",
            "Parts of reports that agents sent, by what became of them: new, late (new, but too late for a page), known, "
            "notice (a notification of another kind), refused, overflow, unauthenticated.", "result"),
    _metric("haidang_collector_reporters", "Machines whose agents may send reports."),
    _metric("haidang_collector_late_reports_total",
            "Late reports by what became of them: written, refused (by the remote storage), incomplete (parts never came).",
            "result"),
    _metric("haidang_collector_late_reports_waiting", "Late reports that are not yet written to the remote storage."),
    _metric("haidang_collector_late_samples_total", "Samples of late reports written to the remote storage."),
    _metric("haidang_collector_late_failures_total", "Attempts to write late reports that failed and are repeated."),
    _metric("haidang_collector_errors_total", "Polls that did not end well, and packets that fit nothing, by kind.", "kind"),
    _metric("haidang_collector_socket_dropped_total",
            "Packets the kernel dropped because the socket's buffer was full; raise sysctl net.core.rmem_max if this rises."),
    _metric("haidang_collector_socket_buffer_bytes", "Size of the socket's receive buffer; sysctl net.core.rmem_max bounds it."),
    _metric("haidang_collector_devices", "Devices by state.", "state"),
    _metric("haidang_collector_units", "Units in the settings."),
    _metric("haidang_collector_values", "Polled values on all pages."),
)  # fmt: skip

CATALOGUE = MappingProxyType({metric.name: metric for metric in _METRICS})
"""All metrics by name, in page order."""
