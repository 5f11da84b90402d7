"""Poll many devices for one workload, each time up to the rendered page, through the product's own path.

    python -m bench.poll --port P --devices N --first I --proto v2c|v3 --workload work.json --cycles K --page FILE

Device i is an address of 127/8 (`address`). Everything the workload names is asked in every cycle. The first cycle learns;
K more follow. The page of the last one is left in FILE; the last line printed is
{"devices": N, "cycles": K, "values": per cycle, "errors": E}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import zlib
from pathlib import Path
from typing import Any

from collector.model import Device, Outcome, Unit
from collector.polling.plan import Plan
from collector.polling.questions import Cells, ask_for
from collector.polling.watch import Asking, Result, Watch
from collector.service import collect_seldom
from config.profiles import Profile, Profiles
from exporters.page import text_of
from exporters.prometheus import Pages
from snmp import ber, session
from snmp.client import Client, Credential, Target
from snmp.oid import OID
from snmp.security import Community
from snmp.table import MANNERS, walk_columns
from snmp.usm import User

PROFILE = "bench-work"
AT_ONCE = 64
"""More overflow the one socket that stands for all the devices."""
IN_A_UNIT = 18


def address(i: int) -> str:
    """The i-th device: an address of 127/8 whose last octet is never 0."""
    return f"127.{1 + (i >> 16)}.{i >> 8 & 255}.{i & 255}" if i & 255 else f"127.{100 + (i >> 16)}.{i >> 8 & 255}.254"


def credential(proto: str, workload: dict[str, Any]) -> Credential:
    """How the workload's devices are spoken to."""
    if proto == "v2c":
        return Community(workload["community"].encode())
    v3 = workload["v3"]
    return User(v3["user"].encode(), "SHA-1", v3["auth_sha"].encode(), "AES-128", v3["priv_aes128"].encode())


async def learn(client: Client, target: Target, profile: Profile, workload: dict[str, Any]) -> tuple[Plan, int]:
    """A plan that asks all of the workload every time, and how many values that is."""
    cells: Cells = {}
    for binding in await session.get(client, target, [OID.parse(name) for name in workload["scalars"]]):
        if binding.tag not in ber.EXCEPTIONS:
            cells[OID(binding.oid[:-1])] = {(0,): binding}
    cells.update(await walk_columns(client, target, [OID.parse(name) for name in workload["columns"]]))
    scalars = {OID.parse(name.removesuffix(".0")) for name in workload["scalars"]}
    best = MANNERS[0].within(target.security.room)
    questions = tuple(ask_for(cells, best, closed=scalars))
    return Plan(profile, questions, zlib.compress(b"")), sum(map(len, cells.values()))


async def run(args: argparse.Namespace) -> dict[str, int]:
    workload = json.loads(Path(args.workload).read_text())
    profiles = Profiles.load([Path(__file__).parent / "profiles"])
    client = Client()
    asking = Asking(client, profiles)
    how = credential(args.proto, workload)
    devices = [Device(address(i), address(i), args.port, args.proto, f"unit-{(i - args.first) // IN_A_UNIT}")
               for i in range(args.first, args.first + args.devices)]  # fmt: skip
    units = sorted({device.unit for device in devices})
    pages = Pages([Unit(unit, unit) for unit in units], devices)
    watches = [Watch(device, Target(device.address, device.port, how), relearn=float("inf")) for device in devices]
    values = errors = 0
    turn = asyncio.Semaphore(AT_ONCE)

    async def learn_one(watch: Watch) -> None:
        nonlocal values
        async with turn:
            watch.plan, count = await learn(client, watch.target, profiles[PROFILE], workload)
            values += count

    await asyncio.gather(*map(learn_one, watches))

    async def cycle() -> None:
        nonlocal errors
        ended = asyncio.Event()
        waiting = iter(watches)
        left = len(watches)
        in_unit = dict.fromkeys(units, IN_A_UNIT)
        in_unit[watches[-1].device.unit] = (len(watches) - 1) % IN_A_UNIT + 1

        def done(watch: Watch, result: Result) -> None:
            nonlocal errors, left
            errors += result.outcome is not Outcome.OK
            pages.polled(watch.device, watch.status, result.block)
            if result.facts is not None:
                pages.described(watch.device, result.facts)
            unit = watch.device.unit
            in_unit[unit] -= 1
            if not in_unit[unit]:
                pages.cycled(unit)
            left -= 1
            if not left:
                ended.set()
            elif (following := next(waiting, None)) is not None:
                asking.turn(following, done)

        for _ in range(min(AT_ONCE, len(watches))):
            asking.turn(next(waiting), done)
        await ended.wait()
        while pages.busy:  # a cycle's pages before the next one's
            await asyncio.sleep(0)

    for _ in range(args.cycles):
        await cycle()
    Path(args.page).write_bytes(b"".join(text_of(pages.everything())))
    client.close()
    return {"devices": args.devices, "cycles": args.cycles, "values": values, "errors": errors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("port", "devices", "first", "cycles"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--proto", choices=("v2c", "v3"), required=True)
    parser.add_argument("--workload", required=True)
    parser.add_argument("--page", required=True)
    collect_seldom()  # as `haidang collector run` does
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
