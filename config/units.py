"""Sensor classes, their base units, and the units devices measure in."""

from __future__ import annotations

from typing import NamedTuple


class SensorClass(NamedTuple):
    """A quantity: the unit of `Sensor.value`, the metric it appears under, and the factor from one to the other."""

    unit: str
    metric: str
    factor: float
    low: float
    high: float
    """Values outside [low, high] are not measurements, whatever the device says."""


SENSOR_CLASSES = {
    "temperature": SensorClass("C", "haidang_sensor_celsius", 1, -100, 1000),
    "humidity": SensorClass("%", "haidang_sensor_humidity_ratio", 0.01, 0, 100),
    "voltage": SensorClass("V", "haidang_sensor_volts", 1, -1e6, 1e6),
    "current": SensorClass("A", "haidang_sensor_amperes", 1, -1e5, 1e5),
    "power": SensorClass("W", "haidang_sensor_watts", 1, -1e8, 1e8),
    "frequency": SensorClass("Hz", "haidang_sensor_hertz", 1, 0, 1000),
    "fanspeed": SensorClass("rpm", "haidang_sensor_fan_rpm", 1, 0, 1e5),
    "load": SensorClass("%", "haidang_sensor_load_ratio", 0.01, 0, 1000),
    "charge": SensorClass("%", "haidang_sensor_charge_ratio", 0.01, 0, 100),
    "runtime": SensorClass("s", "haidang_sensor_runtime_seconds", 1, 0, 1e8),
}
"""Load is a UPS', PDU's or generator's share of its rated power; runtime what is left on battery."""

CONVERSIONS: dict[str, tuple[float, float]] = {
    "C": (1, 0),
    "F": (5 / 9, -160 / 9),
    "K": (1, -273.15),
    "%": (1, 0),
    "V": (1, 0),
    "kV": (1000, 0),
    "mV": (0.001, 0),
    "uV": (1e-6, 0),
    "A": (1, 0),
    "mA": (0.001, 0),
    "uA": (1e-6, 0),
    "W": (1, 0),
    "kW": (1000, 0),
    "mW": (0.001, 0),
    "uW": (1e-6, 0),
    "Hz": (1, 0),
    "kHz": (1000, 0),
    "rpm": (1, 0),
    "s": (1, 0),
    "ms": (0.001, 0),
    "min": (60, 0),
    "h": (3600, 0),
    "B": (1, 0),
    "kB": (1000, 0),
    "KiB": (1024, 0),
    "MB": (1000**2, 0),
    "MiB": (1024**2, 0),
    "GB": (1000**3, 0),
    "GiB": (1024**3, 0),
}
"""Unit -> (factor, offset) to the base unit of its quantity."""

_QUANTITIES = ("C F K", "%", "V kV mV uV", "A mA uA", "W kW mW uW", "Hz kHz", "rpm", "s ms min h", "B kB KiB MB MiB GB GiB")


def siblings(base: str) -> tuple[str, ...]:
    """The units that convert to `base`."""
    return next((tuple(units) for units in map(str.split, _QUANTITIES) if units[0] == base), ())


def conversion(text: str, base: str) -> tuple[float, float]:
    """(scale, offset) of a unit such as ``0.1 A``, ``mV`` or ``0.1 F`` to `base`; raises ValueError with what is allowed."""
    number, _, unit = text.rpartition(" ")
    try:
        count = float(number or 1)
    except ValueError:
        count = 0
    if count <= 0 or unit not in siblings(base):
        raise ValueError(f"not a unit for {base}: {text!r} (expected {', '.join(siblings(base))}, or with a number: 0.1 {base})")
    factor, offset = CONVERSIONS[unit]
    scale = factor * count
    return (int(scale) if scale == int(scale) else round(scale, 15)), offset
