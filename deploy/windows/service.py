"""haidang-agent-service.exe: the launcher as a Windows service, which keeps haidang-agent.exe running.

Only what Windows asks of a service stands here; versions, restarts and the goodbye are `agent.launch.Keeper`'s, as on Linux.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import servicemanager
import win32service
import win32serviceutil

from agent.launch import FAREWELL, Keeper
from agent.settings import CONFIG, state_directory

LARGEST = 1 << 20
"""Octets of the journal, after which it begins anew and the one before is kept beside it."""


class AgentService(win32serviceutil.ServiceFramework):  # type: ignore[misc]
    """Started, stopped and told of the shutdown by Windows' service control manager."""

    _svc_name_ = "HaidangAgent"
    _svc_display_name_ = "Hai Dang agent"

    def __init__(self, arguments: Any) -> None:
        super().__init__(arguments)
        self._journal = open(_journal(), "ab", buffering=0)  # noqa: SIM115 - it is open as long as the service runs
        base = os.path.dirname(sys.executable)
        directory = os.path.join(state_directory(), "versions")
        self._keeper = Keeper(base, directory, ["run", "--config", CONFIG], say=self._say, output=self._journal)

    def _say(self, message: str) -> None:
        self._journal.write(f"haidang-agent: {message}\n".encode())

    def GetAcceptedControls(self) -> int:
        """Preshutdown comes while the network is still there, shutdown when it may be gone."""
        accepted: int = super().GetAcceptedControls() | win32service.SERVICE_ACCEPT_PRESHUTDOWN
        return accepted & ~int(win32service.SERVICE_ACCEPT_SHUTDOWN)

    def SvcOtherEx(self, control: int, event_type: int, data: Any) -> None:
        """The machine goes down."""
        if control == win32service.SERVICE_CONTROL_PRESHUTDOWN:
            self._end(True)

    def SvcStop(self) -> None:
        """The service alone is stopped."""
        self._end(False)

    def _end(self, going_down: bool) -> None:
        self.ReportServiceStatus(win32service.SERVICE_STOP_PENDING, waitHint=round(FAREWELL * 1000) + 5000)
        self._keeper.end(going_down)

    def SvcDoRun(self) -> None:
        """Run until told to end."""
        self._keeper.run()


def _journal() -> str:
    directory = state_directory()
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, "agent.log")
    if os.path.exists(path) and os.path.getsize(path) > LARGEST:
        os.replace(path, path + ".old")
    return path


if __name__ == "__main__":
    servicemanager.Initialize()
    servicemanager.PrepareToHostSingle(AgentService)
    servicemanager.StartServiceCtrlDispatcher()
