"""Why the agent ends: it alone was stopped, the machine is going down, or it is going down for want of power."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from .report import OUTAGE, SHUTDOWN, STOPPED

_SIGNS = ("/run/nologin", "/run/systemd/shutdown/scheduled")
"""systemd lets nobody log in from the moment it takes the machine down."""
_POWER_SIGNS = ("/etc/killpower", "/etc/apcupsd/powerfail")
"""What NUT and apcupsd leave when they take the machine down because their UPS runs empty."""
_PATIENCE = 1.0


def reason(told: bool = False) -> int:
    """hdReportReason of the farewell; `told`: it is known that the machine is going down.

    A power cut without battery or UPS leaves no time for a farewell: the next start tells of it.
    """
    if not (told or _going_down()):
        return STOPPED
    battery = None
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError):
        pass  # no such reading on this system
    unplugged = battery is not None and battery.power_plugged is False
    return OUTAGE if unplugged or any(map(os.path.exists, _POWER_SIGNS)) else SHUTDOWN


def _going_down() -> bool:
    if sys.platform == "win32":
        import ctypes

        return bool(ctypes.windll.user32.GetSystemMetrics(0x2000))  # SM_SHUTTINGDOWN
    if any(map(os.path.exists, _SIGNS)):
        return True
    try:
        asked = subprocess.run(
            ["systemctl", "is-system-running"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.stdout.strip() == b"stopping"
