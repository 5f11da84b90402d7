"""The profile of a workstation with our agent, written from the table in `objects`: profiles/workstation.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from . import objects
from .objects import CHOICE, GROUPS, TEXT, TRUTH, Group, Object

FACTORS = {
    "MiB": 1 << 20, "MB": 10**6, "GB": 10**9, "MHz": 10**6, "MT/s": 10**6, "Mbit/s": 125_000, "percent": 0.01, "hours": 3600,
    "milliseconds": 0.001, "microseconds": 1e-06, "permille": 0.001, "kbit/s": 125,
}  # fmt: skip
"""A unit of HAIDANG-MIB -> how many of the metric's base unit it is; the others are base units."""

_HEAD = """\
# Made from config/objects.py by `python -m config.workstation`; a test compares the two.
description: Workstations with our agent (HAIDANG-MIB)
extends: [system, if, host-resources, entity-sensor]
# What ENTITY-MIB says of the parts, the agent's own tables say better.
instead: [components]
match:
  - object_id: {products}

objects:
{declared}

facts:
  kind: workstation
  vendor: ["{{hdMachineMaker}}", "{{hdMachineBoardMaker}}"]
  model: ["{{hdMachineModel}}", "{{hdMachineBoardModel}}"]
  serial: ["{{hdMachineSerial}}", "{{hdMachineBoardSerial}}"]
  os_name: "{{hdSystemName}}"
  os_version: [{{from: "{{hdSystemVersion}} ({{hdSystemBuild}})", where: {{hdSystemBuild: "~ ."}}}}, "{{hdSystemVersion}}"]

components:
  - {{name: "{{hdProcessorName}}", kind: cpu, model: "{{hdProcessorModel}}", vendor: "{{hdProcessorMaker}}"}}
  - name: ["{{hdModuleName}}", "memory {{index}}"]
    kind: memory
    model: "{{hdModuleModel}}"
    serial: "{{hdModuleSerial}}"
    vendor: "{{hdModuleMaker}}"
    description: ["{{hdModuleSizeMib}} MiB {{hdModuleType}}", "{{hdModuleSizeMib}} MiB"]
  - name: "{{hdDiskName}}"
    kind: disk
    model: "{{hdDiskModel}}"
    serial: "{{hdDiskSerial}}"
    version: "{{hdDiskFirmware}}"
    description: ["{{hdDiskSizeMb}} MB {{hdDiskMedium}}", "{{hdDiskSizeMb}} MB"]
  - {{name: "{{hdNetworkName}}", kind: network, model: "{{hdNetworkModel}}", description: "{{hdNetworkMedium}}"}}
  - name: "{{hdMonitorName}}"
    kind: monitor
    model: "{{hdMonitorModel}}"
    serial: "{{hdMonitorSerial}}"
    vendor: "{{hdMonitorMaker}}"
    description: "{{hdMonitorYear}}"
  - name: "{{hdPrinterName}}"
    kind: printer
    model: "{{hdPrinterModel}}"
    serial: "{{hdPrinterSerial}}"
    description: "{{hdPrinterConnection}}"
  - name: "{{hdBatteryName}}"
    kind: battery
    model: "{{hdBatteryModel}}"
    serial: "{{hdBatterySerial}}"
    vendor: "{{hdBatteryMaker}}"

metrics:
{metrics}
"""


def text(enterprise: int = objects.ENTERPRISE) -> str:
    """The whole profile."""
    declared = [line for group in GROUPS for item in group.objects for line in _declared(group, item, enterprise)]
    metrics = [line for group in GROUPS for line in (*_infos(group), *_measures(group))]
    return _HEAD.format(
        products=f"{objects.root(enterprise)}.{objects.PRODUCTS}", declared="\n".join(declared), metrics="\n".join(metrics)
    )


def _declared(group: Group, item: Object, enterprise: int) -> Iterator[str]:
    oid = str(group.oid(item, enterprise)) + ("" if group.label else ".0")
    values = ""
    if item.syntax == CHOICE:
        values = ", values: {" + ", ".join(f"{word}: {n}" for n, word in enumerate(item.choices, 1)) + "}"
    shown = ", as: text" if item.syntax == TEXT else ""
    yield f"  {group.object_name(item)}: {{oid: {oid}{values}{shown}, hourly: true}}"


def _infos(group: Group) -> Iterator[str]:
    """Identity: one rule for each `_info` metric, its labels the objects that name it; given when any of them is."""
    infos: dict[str, list[Object]] = {}
    for item in group.objects:
        if item.metric.endswith("_info"):
            infos.setdefault(item.metric, []).append(item)
    for metric, items in infos.items():
        labels = [] if not group.label else [_row_label(group)]
        labels += [f'{item.fact}: "{{{group.object_name(item)}}}"' for item in items if not (group.label and item.fact == "name")]
        given = ", ".join(f'{{from: "{{{group.object_name(item)}}}", map: {{other: "1"}}}}' for item in items)
        yield f"  - metric: {metric}"
        yield f"    labels: {{{', '.join(labels)}}}"
        yield f"    value: [{given}]"


def _measures(group: Group) -> Iterator[str]:
    for item in group.objects:
        if not item.metric or item.metric.endswith("_info"):
            continue
        name = group.object_name(item)
        label = [_row_label(group)] if group.label else []
        if item.syntax == CHOICE:
            for word in item.choices:
                labels = ", ".join([*label, f"{item.fact}: {word}"])
                value = f'{{from: "{{{name}}}", map: {{{word}: "1", other: "0"}}}}'
                yield f"  - {{metric: {item.metric}, labels: {{{labels}}}, value: {value}}}"
            continue
        labels = f", labels: {{{label[0]}}}" if label else ""
        value = f"2 - {name}" if item.syntax == TRUTH else name
        factor = FACTORS.get(item.unit, 1)
        scale = f", scale: {factor}" if factor != 1 else ""
        yield f"  - {{metric: {item.metric}{labels}, value: {value}{scale}}}"


def _row_label(group: Group) -> str:
    name = next(item for item in group.objects if item.fact == "name")
    return f'{group.label}: ["{{{group.object_name(name)}}}", "{group.label} {{index}}"]'


if __name__ == "__main__":
    print(text(), end="")
