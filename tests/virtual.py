"""An event loop whose clock jumps to the next timer when no socket has anything to say: minutes pass in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")
CLOCKS = ("snmp.client.monotonic",)
"""Where the code under test reads the monotonic clock itself."""


class _Selector(selectors.BaseSelector):
    """The system's selector, which lets virtual time pass instead of waiting."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now = 1000.0
        self.threads = 0
        """Calls under way in threads: time stands still for them."""
        self._last = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._last.bind(("127.0.0.1", 0))
        self._last.connect(self._last.getsockname())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self.threads:
            return self._real.select(5)
        # The loopback keeps the order: what was sent before this datagram has arrived when it has.
        self._last.send(b"")
        self._last.recv(1)
        ready = self._real.select(0)
        if not ready:
            self.now += timeout
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._last.close()
        self._real.close()


class Loop(asyncio.SelectorEventLoop):
    """See the module. `failures` holds what callbacks raised."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)
        self.failures: list[BaseException] = []
        self.set_exception_handler(self._failed)

    def time(self) -> float:
        return self._clock.now

    def pass_(self, seconds: float) -> None:
        """Let the clock go on without anything happening, as when the process stood still."""
        self._clock.now += seconds

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        """As usual; no virtual time passes until it is done."""
        self._clock.threads += 1
        future: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._returned)
        return future

    def _returned(self, _: object) -> None:
        self._clock.threads -= 1

    def _failed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.failures.append(context.get("exception") or RuntimeError(context["message"]))


def run(work: Callable[[], Awaitable[T]], *, may_fail: bool = False) -> T:
    """Run a coroutine function in virtual time; raises what a callback raised, unless it `may_fail`."""
    loop = Loop()
    patches = [patch(name, loop.time) for name in CLOCKS]

    async def whole() -> T:
        return await work()

    try:
        for one in patches:
            one.start()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            result = runner.run(whole())
    finally:
        for one in patches:
            one.stop()
    if loop.failures and not may_fail:
        raise loop.failures[0]
    return result


def clock() -> Loop:
    """The running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    return loop
