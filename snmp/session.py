"""Coroutines over the client: get, getnext, getbulk, walk, and whole tables with all their columns together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence

from . import ber, message
from .client import Client, Pending, Request, Target
from .errors import StatusError, Timeout, WalkError
from .message import Pdu, VarBind
from .oid import OID
from .security import Community

MAX_NAMES = 24
"""Names in one request: with values of usual length the answer stays below 1,400 bytes."""
VARBINDS = 48
"""Varbinds asked for in one GETBULK, for the same reason."""
MAX_ROWS = 20000
"""Rows of one table: more is a device that counts on for ever, or a routing table nobody asked for."""

Rows = dict[OID, dict[tuple[int, ...], VarBind]]
"""Column -> index -> varbind."""


async def ask(client: Client, target: Target, request: Request) -> Pdu:
    """One request and its answer, whatever its error-status; raises SnmpError."""
    future: asyncio.Future[Pdu] = client.loop.create_future()

    def done(answer: Pdu | Exception, _: Pending) -> None:
        if future.done():
            return
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    pending = client.submit(target, request, done)
    try:
        return await future
    finally:
        client.cancel(pending)


async def get(client: Client, target: Target, names: Sequence[OID]) -> list[VarBind]:
    """The objects named, in order; what the device lacks has tag NO_SUCH_OBJECT or NO_SUCH_INSTANCE.

    Requests that are too big for the device are split; raises SnmpError.
    """
    return await _split(client, target, message.GET, names)


async def get_next(client: Client, target: Target, names: Sequence[OID]) -> list[VarBind]:
    """The objects that follow those named, in order; END_OF_MIB_VIEW after the last one."""
    return await _split(client, target, message.GET_NEXT, names)


async def _split(client: Client, target: Target, kind: int, names: Sequence[OID]) -> list[VarBind]:
    if not names:
        return []
    if len(names) > MAX_NAMES:
        out: list[VarBind] = []
        for start in range(0, len(names), MAX_NAMES):
            out += await _split(client, target, kind, names[start : start + MAX_NAMES])
        return out
    absent: set[int] = set()
    missing = ber.NO_SUCH_OBJECT if kind == message.GET else ber.END_OF_MIB_VIEW
    while len(absent) < len(names):
        left = [i for i in range(len(names)) if i not in absent]
        pdu = await ask(client, target, Request(kind, message.encode_names(names[i] for i in left)))
        status, index = pdu.error_status, pdu.error_index
        if status == message.NO_ERROR:
            found = message.decode_varbinds(pdu.body)
            answers = dict(zip(left, found, strict=False))
            return [answers.get(i) or VarBind(name, missing, None) for i, name in enumerate(names)]
        if status == message.TOO_BIG and len(left) > 1:
            half = len(names) // 2
            return await _split(client, target, kind, names[:half]) + await _split(client, target, kind, names[half:])
        if status in (message.NO_SUCH_NAME, message.GEN_ERR) and 1 <= index <= len(left):
            # v1 refuses the whole request for one object (RFC 1157 4.1.2), and so do some agents' genErr: ask without it
            absent.add(left[index - 1])
            continue
        if status == message.GEN_ERR and len(left) > 1:
            half = len(names) // 2
            return await _split(client, target, kind, names[:half]) + await _split(client, target, kind, names[half:])
        if status in (message.NO_SUCH_NAME, message.GEN_ERR):
            break
        raise StatusError(status, index)
    return [VarBind(name, missing, None) for name in names]


async def get_bulk(
    client: Client, target: Target, names: Sequence[OID], *, non_repeaters: int = 0, max_repetitions: int = 10
) -> list[VarBind]:
    """One GETBULK, as answered; raises SnmpError. Not for v1, which has none."""
    pdu = await ask(client, target, Request(message.GET_BULK, message.encode_names(names), non_repeaters, max_repetitions))
    if pdu.error_status == message.TOO_BIG and max_repetitions > 1:
        return await get_bulk(client, target, names, non_repeaters=non_repeaters, max_repetitions=max_repetitions // 2)
    if pdu.error_status:
        raise StatusError(pdu.error_status, pdu.error_index)
    return message.decode_varbinds(pdu.body)


async def walk(client: Client, target: Target, root: OID, *, max_repetitions: int = 25) -> AsyncIterator[VarBind]:
    """Everything below `root` in order; raises SnmpError, WalkError when the device steps back."""
    cursor = root
    bulk = not _is_v1(target)
    while True:
        if bulk:
            found = await get_bulk(client, target, [cursor], max_repetitions=max_repetitions)
        else:
            found = await get_next(client, target, [cursor])
        if not found:
            return
        for binding in found:
            if binding.tag == ber.END_OF_MIB_VIEW or not root.covers(binding.oid):
                return
            if binding.oid <= cursor:
                raise WalkError(f"{target.address} answered {binding.oid} after {cursor}: its objects are out of order")
            cursor = binding.oid
            yield binding


class _Column:
    __slots__ = ("cursor", "ended", "name", "rows")

    def __init__(self, name: OID) -> None:
        self.name = name
        self.cursor = name
        self.ended = False
        self.rows: dict[tuple[int, ...], VarBind] = {}

    def take(self, binding: VarBind) -> bool:
        """Keep a row; False when the column has ended (or the device repeats itself, which ends it as well)."""
        oid = binding.oid
        if binding.tag in ber.EXCEPTIONS or not self.name.covers(oid) or oid <= self.cursor or len(self.rows) >= MAX_ROWS:
            self.ended = True
            return False
        self.rows[oid[len(self.name) :]] = binding
        self.cursor = oid
        return True


async def table(client: Client, target: Target, columns: Iterable[OID], *, together: int = 12) -> Rows:
    """Walk several columns side by side, `together` of them in a request, until all have ended.

    A device that fails on many columns or large answers is asked for less: half the columns, then one row at a time.
    """
    names = list(columns)
    out: Rows = {}
    width = max(1, min(together, len(names)))
    budget = VARBINDS
    start = 0
    while start < len(names):
        group = [_Column(name) for name in names[start : start + width]]
        try:
            await _walk_group(client, target, group, budget)
        except (StatusError, Timeout):
            if width == 1 and budget == 1:
                raise
            if any(column.rows for column in group) or width == 1:
                budget = max(1, budget // 4)
            width = max(1, width // 2)
            continue
        for column in group:
            out[column.name] = column.rows
        start += width
    return out


async def _walk_group(client: Client, target: Target, group: list[_Column], budget: int) -> None:
    bulk = not _is_v1(target)
    while active := [column for column in group if not column.ended]:
        names = [column.cursor for column in active]
        if bulk:
            found = await get_bulk(client, target, names, max_repetitions=max(1, budget // len(active)))
        else:
            found = await get_next(client, target, names)
        if not found:
            return
        moved = False
        for i, binding in enumerate(found):
            column = active[i % len(active)]
            if not column.ended:
                moved |= column.take(binding) or column.ended
        if not moved:
            return


def _is_v1(target: Target) -> bool:
    return isinstance(target.credential, Community) and target.credential.version == message.V1
