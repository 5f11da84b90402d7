"""Coroutines over the client: get, getnext, getbulk, walk. Whole tables with all their columns together: `snmp.table`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

from . import ber, message
from .client import Client, Pending, Request, Target
from .errors import DecodeError, SnmpError, StatusError, Timeout, WalkError
from .message import Pdu, VarBind
from .oid import OID
from .security import Community

_ANYTHING = Request(message.GET_NEXT, message.encode_names([OID((1, 3, 6, 1, 2, 1, 1))]))


async def ask(client: Client, target: Target, request: Request) -> Pdu:
    """One request and its answer, whatever its error-status; raises SnmpError."""
    future: asyncio.Future[Pdu] = client.loop.create_future()

    def done(answer: Pdu | SnmpError, _: Pending) -> None:
        if future.done():
            return
        if isinstance(answer, SnmpError):
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

    Requests that are too big for the device are split, objects it left out are asked for again; raises SnmpError.
    """
    return await _split(client, target, message.GET, names)


async def get_next(client: Client, target: Target, names: Sequence[OID]) -> list[VarBind]:
    """The objects that follow those named, in order; END_OF_MIB_VIEW after the last one; raises SnmpError.

    One that the device cannot tell costs itself alone: in its place stands the name that was asked, with NULL.
    """
    return await _split(client, target, message.GET_NEXT, names)


async def _split(client: Client, target: Target, kind: int, names: Sequence[OID]) -> list[VarBind]:
    missing = ber.NO_SUCH_OBJECT if kind == message.GET else ber.END_OF_MIB_VIEW
    answers = {i: VarBind(name, missing, None) for i, name in enumerate(names)}
    left = list(range(len(names)))
    omitted: set[int] = set()
    most = target.names
    while left:
        some = left[: min(most, target.names)]
        asked = [names[i] for i in some]
        try:
            pdu = await ask(client, target, Request(kind, message.encode_names(asked)))
        except (Timeout, DecodeError):
            if len(some) > 1 and await _answers(client, target, Request(kind, message.encode_names(asked[:1]))):
                target.names = len(some) // 2  # it was the number of names
                continue
            # the first alone fails: an object that breaks the agent, or is there no agent any more?
            if kind == message.GET or len(names) == 1 or not await _answers(client, target, _ANYTHING):
                raise
            answers[some[0]] = VarBind(asked[0], ber.NULL, None)
            left.remove(some[0])
            continue
        status, index = pdu.error_status, pdu.error_index
        done: set[int] = set()
        if status == message.NO_ERROR:
            found = _belonging(kind, asked, message.decode_varbinds(pdu.body))
            for i, binding in found.items():
                answers[some[i]] = binding
                done.add(some[i])
            if done & omitted:
                target.names = most  # what it left out before was only too much
            omitted.update(set(some) - done)
            if found and len(found) < len(some):
                most = len(found)
        elif status in (message.NO_SUCH_NAME, message.GEN_ERR) and 1 <= index <= len(some):
            # v1 refuses the whole request for one object (RFC 1157 4.1.2), and so do some agents' genErr: ask without it
            done.add(some[index - 1])
        elif status not in (message.NO_SUCH_NAME, message.GEN_ERR) and (status != message.TOO_BIG or len(names) == 1):
            raise StatusError(status, index)  # among several values one that alone is too big is as good as missing
        if not done:
            if len(some) > 1:
                most = len(some) // 2
                continue
            done.add(some[0])
            most = target.names
        if kind == message.GET_NEXT and status in (message.GEN_ERR, message.TOO_BIG):
            answers.update((i, VarBind(names[i], ber.NULL, None)) for i in done)
        left = [i for i in left if i not in done]
    return list(answers.values())


async def _answers(client: Client, target: Target, request: Request) -> bool:
    try:
        await ask(client, target, request)
    except (Timeout, DecodeError):
        return False
    return True


def _belonging(kind: int, names: Sequence[OID], found: Sequence[VarBind]) -> dict[int, VarBind]:
    """Which of the names each varbind answers.

    For GET its own name tells. For GETNEXT only its place does, so there must be one for each, in an order that fits: of
    two names the greater one has no lesser successor. A single name's successor is not less than it, or absent.
    """
    if kind == message.GET:
        by_name = {binding.oid: binding for binding in found}
        return {i: by_name[name] for i, name in enumerate(names) if name in by_name}
    if len(found) < len(names):
        return {}
    pairs = sorted((name, binding.tag == ber.END_OF_MIB_VIEW, binding.oid) for name, binding in zip(names, found, strict=False))
    for one, other in pairwise(pairs):
        if one[1:] > other[1:] and one[0] < other[0] and not (one[1] and other[1]):
            return {}
    if any(oid <= name and not ended for name, ended, oid in pairs):
        return {}
    return dict(enumerate(found[: len(names)]))


async def get_bulk(
    client: Client, target: Target, names: Sequence[OID], *, non_repeaters: int = 0, max_repetitions: int = 10
) -> list[VarBind]:
    """One GETBULK, as answered, with fewer repetitions when they are too big; raises SnmpError. Not for v1, which has none."""
    pdu = await ask(client, target, Request(message.GET_BULK, message.encode_names(names), non_repeaters, max_repetitions))
    if pdu.error_status == message.TOO_BIG and max_repetitions > 1:
        return await get_bulk(client, target, names, non_repeaters=non_repeaters, max_repetitions=max_repetitions // 2)
    if pdu.error_status:
        raise StatusError(pdu.error_status, pdu.error_index)
    return message.decode_varbinds(pdu.body)


async def walk(client: Client, target: Target, root: OID, *, max_repetitions: int = 25) -> AsyncIterator[VarBind]:
    """Everything below `root` in order; raises SnmpError, WalkError when the device steps back.

    A device that cannot answer so many repetitions is asked for fewer, in the end for one object at a time.
    """
    cursor = root
    repetitions = 0 if is_v1(target) else max_repetitions
    while True:
        try:
            if repetitions:
                found = await get_bulk(client, target, [cursor], max_repetitions=repetitions)
            else:
                found = await get_next(client, target, [cursor])
        except (StatusError, Timeout, DecodeError):
            if not repetitions or (cursor == root and await _is_gone(client, target, root)):
                raise
            repetitions = repetitions // 5
            continue
        if not found:
            return
        for binding in found:
            if binding.tag == ber.END_OF_MIB_VIEW or not root.covers(binding.oid):
                return
            if binding.oid == cursor and binding.tag == ber.NULL:
                raise WalkError(f"{target.address} cannot tell what follows {cursor}")
            if binding.oid <= cursor:
                raise WalkError(f"{target.address} answered {binding.oid} after {cursor}: its objects are out of order")
            cursor = binding.oid
            yield binding


async def _is_gone(client: Client, target: Target, name: OID) -> bool:
    """Does the device not even answer the plainest question?"""
    try:
        await get_next(client, target, [name])
    except (StatusError, DecodeError):
        return False
    except SnmpError:
        return True
    return False


def is_v1(target: Target) -> bool:
    """Is the device spoken to in SNMPv1, which has no GETBULK?"""
    return isinstance(target.credential, Community) and target.credential.version == message.V1
