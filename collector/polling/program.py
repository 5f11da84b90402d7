"""From the moving numbers of a poll to its values: checks, scales and order, worked out once for a shape of device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, nan
from operator import gt, itemgetter, lt, mul, truediv
from typing import Any, NamedTuple

from snmp.oid import encode as encode_oid

from .translate import Sample

Number = int | float
_Affine = tuple[Number, Number, Number]


class Program(NamedTuple):
    """Run by `values`, with operations over whole sequences, since one number at a time takes twice as long.

    `signed` are the places of INTEGERs, of which `pick` gives the contents. The numbers at `bounded` must lie between `least` and
    `most`. Each of `groups` (operation, places, operands) appends results to the numbers; `select` picks the values out of
    numbers, results and pinned values.
    """

    signed: tuple[int, ...]
    pick: Callable[[Sequence[bytes]], Sequence[bytes]]
    bounded: Callable[[Sequence[Number]], Sequence[Number]]
    least: tuple[Number, ...]
    most: tuple[Number, ...]
    groups: tuple[tuple[Callable[[Any, Any], Number], Callable[[Sequence[Number]], Sequence[Number]], tuple[Any, ...]], ...]
    select: Callable[[Sequence[Number]], Sequence[Number]]

    def values(self, contents: Sequence[bytes], pinned: Sequence[Number], absent: Sequence[int] = ()) -> Sequence[Number] | None:
        """The values in page order, of the moving values' contents; None when a number left the range in which it means what it
        meant. What follows from those at `absent` is NaN."""
        signed, pick, bounded, least, most, groups, select = self
        numbers: list[Number] = list(map(int.from_bytes, contents))
        # Octets compare by the first of them, which bears the sign: one look tells whether any number is negative.
        if signed and max(pick(contents)) >= b"\x80":
            for at in signed:
                if contents[at] >= b"\x80":
                    numbers[at] -= 1 << 8 * len(contents[at])
        for at in absent:
            numbers[at] = nan
        within = bounded(numbers)
        if any(map(gt, least, within)) or any(map(lt, most, within)):
            return None
        for operation, places, operands in groups:
            numbers += map(operation, places(numbers), operands)
        numbers += pinned
        return select(numbers)


def plan_for(
    samples: Sequence[Sample], at: Mapping[bytes, int], signed: tuple[int, ...]
) -> tuple[object, Callable[[], Program], tuple[Number, ...]]:
    """(a key that equal programs share, a function that makes the program, the pinned values) for samples in page order.

    `at` says where the content of a cell (its encoded name) stands, `signed` which of them are INTEGERs; a sample whose cell is
    not there is pinned.
    """
    kinds: dict[str, list[tuple[int, Any]]] = {"mul": [], "truediv": [], "affine": []}
    pinned: list[Number] = []
    order: list[tuple[str, int]] = []
    bounds: list[tuple[int, Number, Number]] = []
    for sample in samples:
        place = at.get(encode_oid(sample.cell)) if sample.cell is not None else None
        if place is None:
            order.append(("pinned", len(pinned)))
            pinned.append(sample.value)
            continue
        if sample.low is not None or sample.high is not None:
            low, high = sample.low, sample.high
            bounds.append((place, -inf if low is None else low, inf if high is None else high))
        scale, divisor = _exactly(sample.scale)
        if sample.offset == 0 and divisor == 1 and scale == 1:
            order.append(("plain", place))
            continue
        kind, operand = "affine", (scale, divisor, sample.offset)
        if sample.offset == 0 and divisor == 1:
            kind, operand = "mul", scale  # type: ignore[assignment]
        elif sample.offset == 0 and scale == 1:
            kind, operand = "truediv", divisor  # type: ignore[assignment]
        order.append((kind, len(kinds[kind])))
        kinds[kind].append((place, operand))
    starts = {"plain": 0}
    start = len(at)
    for kind, members in kinds.items():
        starts[kind] = start
        start += len(members)
    starts["pinned"] = start
    picks = tuple(starts[kind] + i for kind, i in order)
    key = (signed, picks, tuple(bounds), *(tuple(members) for members in kinds.values()))

    def make() -> Program:
        operations = {"mul": mul, "truediv": truediv, "affine": _affine}
        return Program(
            signed,
            _picker(signed),
            _picker([place for place, _, _ in bounds]),
            tuple(low for _, low, _ in bounds),
            tuple(high for _, _, high in bounds),
            tuple(
                (operations[kind], _picker([place for place, _ in members]), tuple(operand for _, operand in members))
                for kind, members in kinds.items()
                if members
            ),
            _picker(picks),
        )

    return key, make, tuple(pinned)


def _affine(number: Number, operands: _Affine) -> Number:
    scale, divisor, offset = operands
    return number * scale / divisor + offset if divisor != 1 else number * scale + offset


def _exactly(scale: Number) -> tuple[Number, Number]:
    """(scale, divisor): dividing by 100 gives the nearest number where multiplying by 0.01 does not."""
    if 0 < abs(scale) < 1 and abs(1 / scale - round(1 / scale)) < 1e-9:
        return 1, round(1 / scale)
    return scale, 1


def _picker(places: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """`itemgetter`, which gives a tuple for two items or more, made to give one always."""
    if len(places) > 1:
        return itemgetter(*places)
    if places:
        only = places[0]
        return lambda numbers: (numbers[only],)
    return lambda numbers: ()
