"""Agents in the collector: who may report, kept up with what people and enrolment change, and their devices beside the polled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from config.profiles import Profiles
from config.settings import Settings
from snmp.usm import User

from .errors import CollectorError
from .estate.agents import Agents
from .model import Device, Sink
from .polling.receive import Receive

log = logging.getLogger(__name__)

LOOK_EVERY = 10.0
"""Seconds between two looks at what people have changed."""
SOON = 0.5
"""Seconds within which an agent that enrolled may report; those that enrol together are taken in together."""

Reporting = Mapping[str, tuple[Device, Sequence[User]]]


class Reporters:
    """Takes the reports of enrolled agents. `arrange(devices)` is called when there are others than before.

    Made on the event loop it runs on; raises ReceiveError.
    """

    def __init__(
        self,
        settings: Settings,
        profiles: Profiles,
        agents: Agents,
        sinks: Sequence[Sink],
        arrange: Callable[[list[Device]], None],
    ) -> None:
        listen = settings.agents.listen
        assert listen is not None
        self.agents = agents
        self.devices: list[Device] = []
        self.receive = Receive((listen.host, listen.port), settings.collector.state_directory, profiles, sinks)
        self._settings = settings
        self._arrange = arrange
        self._found: Reporting | None = None
        self._looking: asyncio.Task[None] | None = None
        self._again = False
        self._timer = asyncio.get_running_loop().call_soon(self.look)

    def settle(self, settings: Settings) -> None:
        """Take (new) settings."""
        self._settings = settings
        self.look()

    def changed(self) -> None:
        """An agent enrolled, or its keys changed: look soon."""
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(SOON, self.look)

    def look(self) -> None:
        """See who may report now."""
        self._timer.cancel()
        if self._looking is not None:
            self._again = True
            return
        self._looking = asyncio.get_running_loop().create_task(self._look())
        self._looking.add_done_callback(self._looked)

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looking = None
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error("agents not arranged", exc_info=error)
        again, self._again = self._again, False
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(SOON if again else LOOK_EVERY, self.look)

    async def _look(self) -> None:
        settings = self._settings
        try:
            every = await asyncio.to_thread(self.agents.reporting)
        except CollectorError as error:
            log.warning("agents not read reason=%r", str(error))
            return
        found = allowed(settings, every)
        if found == self._found:
            return
        before, self._found = self._found, found
        if before is None or before.keys() != found.keys():
            log.info("agents taken in before=%d now=%d", len(before or ()), len(found))
        self.devices = [device for device, _ in found.values()]
        # The pages learn of a device before its reports are taken.
        self._arrange(self.devices)
        self.receive.arrange(found)

    async def stop(self) -> None:
        """Take no more reports."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        self._timer.cancel()
        await self.receive.stop()


def allowed(settings: Settings, every: Reporting) -> Reporting:
    """The agents that may report under these settings: those of a unit that is gone, or with a polled device's id, may not."""
    polled = {device.id for device in settings.devices}
    found = {}
    for key, (device, users) in every.items():
        if device.unit not in settings.units:
            log.warning("agent not taken in device=%s reason='no such unit in the settings' unit=%s", key, device.unit)
        elif key in polled:
            log.warning("agent not taken in device=%s reason='the settings have a device of this id'", key)
        else:
            found[key] = device, users
    return found
