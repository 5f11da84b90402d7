"""What a search would ask, without asking anything."""

from __future__ import annotations

import time
from collections import Counter
from typing import NamedTuple

from config.discovery import Discovery
from config.ranges import Spans, number_of, text_of
from config.settings import Unit

from .discovery import Grounds
from .estate.candidates import Candidates
from .estate.runs import STALE
from .polling.cases import permitted, questions
from .polling.hints import leased

_LOT = 500


class Forecast(NamedTuple):
    """Addresses to ask, and those left out because they are known, or done in the run that was stopped; `withheld` may be shown
    nothing more. `shown` are the credentials of the settings, each with the number of addresses that get to see it at most.
    `packets` and `seconds` are what silence costs at most; `devices` are asked for their neighbours."""

    addresses: int
    skipped: int
    resumed: int
    withheld: int
    shown: dict[str, int]
    packets: int
    seconds: float
    devices: int
    problems: list[str]


def forecast(candidates: Candidates, discovery: Discovery, unit: Unit, grounds: Grounds, afresh: bool = False) -> Forecast:
    """See the class. Blocking; raises CollectorError."""
    run = candidates.runs.all().get(discovery.unit)
    goes_on = run is not None and run.ended is None and run.started > time.time() - STALE and not afresh
    done = run.done if run is not None and goes_on else Spans()
    skip = frozenset(map(number_of, grounds.skip))
    hints, problems = leased(discovery.leases)
    told = {number for hint in hints if hint.address in discovery.ranges and (number := number_of(hint.address)) is not None}
    every = list(discovery.ranges) if discovery.sweep else sorted(told)
    fresh = [number for number in every if number not in skip and number not in done]
    packets = withheld = 0
    shown: Counter[str] = Counter()
    for start in range(0, len(fresh), _LOT):
        lot = [text_of(number) for number in fresh[start : start + _LOT]]
        seen = candidates.tried.seen(lot)
        for address in lot:
            openers, _ = permitted(grounds.openers, seen.get(address, ()), discovery.max_credentials)
            packets += questions(openers)
            withheld += not openers
            shown.update(one.name for one in openers)
    skipped = sum(number in skip for number in every)
    return Forecast(
        len(fresh) - withheld, skipped, len(every) - len(fresh) - skipped, withheld,
        {one.name: shown[one.name] for one in grounds.openers}, packets,
        packets / unit.packets_per_second + unit.timeout * bool(packets),
        sum(one.target.address in discovery.ranges for one in grounds.known) if discovery.neighbours else 0, problems,
    )  # fmt: skip
