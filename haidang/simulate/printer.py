"""Network printers: HOST-RESOURCES-MIB (RFC 2790) and Printer-MIB (RFC 3805)."""

from __future__ import annotations

from snmp import ber
from snmp.oid import OID
from snmp.tree import Source

from . import interfaces
from .cabling import hardware_address, pick
from .interfaces import HALF, Port
from .life import Life
from .links import half_duplex, traffic
from .models import PrinterModel
from .sheet import Sheet, counter, identifier, integer, text, under
from .site import Site, put_system

_HOST = OID((1, 3, 6, 1, 2, 1, 25))
_PRINTER_DEVICE = under(_HOST, 3, 1, 5)
_PRINTER = OID((1, 3, 6, 1, 2, 1, 43))
_PERCENT, _SHEETS, _IMPRESSIONS = 19, 8, 7
"""prtMarkerSuppliesSupplyUnit, prtInputCapacityUnit, prtMarkerCounterUnit."""
_CONSUMED, _FILLED = 3, 4
"""prtMarkerSuppliesClass: what is used up, and what fills (waste)."""
_WASTE = 4
_COLOURS = {"Cyan": "cyan", "Magenta": "magenta", "Yellow": "yellow"}


def put(sheet: Sheet, site: Site) -> None:
    """Add all of a printer's objects."""
    machine, life = site.machine, site.life
    model = pick(machine)
    assert isinstance(model, PrinterModel)
    random = machine.random("printer")
    put_system(sheet, site, model.description, model.object_id, 72)
    receives, sends = traffic(machine)
    interfaces.put(
        sheet,
        life,
        [Port(1, "eth0", "Ethernet", hardware_address(machine, model.oui), speed=100, receives=receives, sends=sends,
              duplex=HALF if half_duplex(machine) else interfaces.FULL)],
    )  # fmt: skip
    sheet.put(under(_HOST, 1, 1, 0), life.ticks)
    sheet.row(
        under(_HOST, 3, 2, 1),
        (1,),
        {
            1: integer(1),
            2: identifier(_PRINTER_DEVICE),
            3: text(model.name),
            4: identifier(OID((0, 0))),
            5: integer(2),
            6: counter(0),
        },
    )
    sheet.row(under(_HOST, 3, 5, 1), (1,), {1: integer(3), 2: text(b"\x00")})
    serial = f"VN{machine.seed % 10**8:08d}"
    sheet.row(under(_PRINTER, 5, 1, 1), (1,), {1: counter(1), 16: text(machine.name), 17: text(serial)})
    sheet.row(
        under(_PRINTER, 8, 2, 1),
        (1, 1),
        {2: integer(4), 8: integer(_SHEETS), 9: integer(250), 10: integer(random.choice((-3, 0, 120, 250))), 13: text("Tray 1"),
         18: text("Tray 1")},
    )  # fmt: skip
    pages = random.randint(2_000, 90_000)
    sheet.row(
        under(_PRINTER, 10, 2, 1),
        (1, 1),
        {2: integer(4), 3: integer(_IMPRESSIONS), 4: _pages(life, pages, random.uniform(0.0005, 0.006)), 5: counter(0)},
    )
    for index, (name, kind, lasts) in enumerate(model.supplies, 1):
        _put_supply(sheet, site, index, name, kind, lasts)
    sheet.row(under(_PRINTER, 16, 5, 1), (1, 1), {2: text("Sẵn sàng" if model.vendor == "Canon" else "Ready")})


def _put_supply(sheet: Sheet, site: Site, index: int, name: str, kind: int, lasts: int) -> None:
    """A supply that some printers measure and some only know to be there (RFC 3805: -3)."""
    random = site.machine.random(f"supply {index}")
    waste = kind == _WASTE
    left = random.randint(1, 100)
    measured = random.random() < 0.9
    colour = next((known for word, known in _COLOURS.items() if name.startswith(word)), "black")
    sheet.row(
        under(_PRINTER, 11, 1, 1),
        (1, index),
        {
            2: integer(1), 3: integer(0 if waste else index), 4: integer(_FILLED if waste else _CONSUMED), 5: integer(kind),
            6: text(name), 7: integer(_PERCENT if measured else _IMPRESSIONS), 8: integer(100 if measured else lasts),
            9: integer(left if measured else -3),
        },
    )  # fmt: skip
    if not waste:
        sheet.row(under(_PRINTER, 12, 1, 1), (1, index), {2: integer(1), 3: integer(3), 4: text(colour), 5: integer(1)})


def _pages(life: Life, before: int, rate: float) -> Source:
    """prtMarkerLifeCount: it survives a restart, so it begins at what was printed before."""
    engine = life.engine
    return lambda now: ber.encode_value(ber.COUNTER32, before + max(0, int(rate * (now - engine.started))))
