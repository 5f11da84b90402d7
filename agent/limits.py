"""Values that are worth a report of their own when they cross a limit: full volumes, heat, disks about to fail."""

from __future__ import annotations

from collections.abc import Iterable

from config import objects
from snmp.message import VarBind
from snmp.oid import OID

from .tree import HOST, SENSOR_ENTRY, at

FULL = 0.90
"""Used part of a volume; it is no longer full below `FULL_AGAIN`, so that one at the limit is not told every minute."""
FULL_AGAIN = 0.88
HOT, HOT_AGAIN = 950, 900
"""Tenths of a degree Celsius of a sensor on board."""
DISK_HOT, DISK_HOT_AGAIN = 60, 57
"""Degrees Celsius of a disk: most are made for 60 at the most."""

_SIZE, _USED, _KIND = (at(HOST, 2, 3, 1, column) for column in (5, 6, 2))
_VOLUMES = frozenset(at(HOST, 2, 1, kind) for kind in (4, 5, 9))
"""hrStorageFixedDisk, RemovableDisk and FlashMemory (RFC 2790): memory may be full, a disk must not be."""
_CELSIUS = at(SENSOR_ENTRY, 4)


class Limits:
    """Which objects are beyond their limit; one that was counts as such until it has come back by a margin."""

    __slots__ = ("_beyond", "_disk_celsius", "_failing", "_health")

    def __init__(self, enterprise: int) -> None:
        disks = next(group for group in objects.GROUPS if group.name == "hdDisk")
        health = next(item for item in disks.objects if item.fact == "health")
        self._health = disks.oid(health, enterprise)
        self._failing = health.choices.index("failing") + 1
        self._disk_celsius = disks.oid(next(item for item in disks.objects if item.fact == "celsius"), enterprise)
        self._beyond: frozenset[OID] = frozenset()

    def crossed(self, rows: Iterable[VarBind]) -> frozenset[OID]:
        """The names of the objects among `rows` that are beyond their limits."""
        columns: dict[tuple[int, ...], dict[int, VarBind]] = {}
        watched = {_SIZE, _USED, _KIND, _CELSIUS, self._health, self._disk_celsius}
        for row in rows:
            if (column := row.oid[:-1]) in watched:
                columns.setdefault(column, {})[row.oid[-1]] = row
        found = [row.oid for n, row in columns.get(_USED, {}).items() if self._full(row, n, columns)]
        found += [row.oid for row in columns.get(_CELSIUS, {}).values() if self._over(row, HOT, HOT_AGAIN)]
        found += [row.oid for row in columns.get(self._disk_celsius, {}).values() if self._over(row, DISK_HOT, DISK_HOT_AGAIN)]
        found += [row.oid for row in columns.get(self._health, {}).values() if row.value == self._failing]
        self._beyond = frozenset(found)
        return self._beyond

    def _full(self, used: VarBind, n: int, columns: dict[tuple[int, ...], dict[int, VarBind]]) -> bool:
        size, kind = (columns.get(column, {}).get(n) for column in (_SIZE, _KIND))
        if size is None or kind is None or kind.value not in _VOLUMES or not isinstance(size.value, int) or size.value <= 0:
            return False
        return self._over(used, FULL * size.value, FULL_AGAIN * size.value)

    def _over(self, row: VarBind, limit: float, again: float) -> bool:
        return isinstance(row.value, int) and row.value >= (again if row.oid in self._beyond else limit)
