"""UPS with a network card: UPS-MIB (RFC 1628), and on APC's the few objects of PowerNet-MIB that say model and serial."""

from __future__ import annotations

from snmp import ber
from snmp.oid import OID

from . import interfaces
from .cabling import hardware_address, pick
from .interfaces import Port
from .life import level
from .links import traffic
from .models import UpsModel
from .sheet import Sheet, counter, gauge, integer, text, under
from .site import Site, put_system

_UPS = OID((1, 3, 6, 1, 2, 1, 33, 1))
_APC = OID((1, 3, 6, 1, 4, 1, 318, 1, 1, 1))
_CAPACITY_MINUTES = 48.0
"""Minutes a full battery lasts at the simulated load."""


def put(sheet: Sheet, site: Site) -> None:
    """Add all of a UPS's objects."""
    machine, life = site.machine, site.life
    model = pick(machine)
    assert isinstance(model, UpsModel)
    random = machine.random("ups")
    put_system(sheet, site, model.description, model.object_id, 72)
    receives, sends = traffic(machine)
    card = Port(1, "eth0", "Ethernet", hardware_address(machine, model.oui), speed=100, receives=receives, sends=sends)
    interfaces.put(sheet, life, [card])
    old = random.random() < 0.12
    charge = random.randint(35, 80) if old else 100
    percent = random.randint(12, 78)
    serial = f"AS{machine.seed % 10**10:010d}"
    sheet.scalars(
        under(_UPS, 1),
        {1: text(model.vendor), 2: text(model.name), 3: text(model.version), 4: text("1.6"), 5: text(machine.name),
         6: text("Tủ mạng")},
    )  # fmt: skip
    sheet.scalars(
        under(_UPS, 2),
        {1: integer(3 if old and charge < 45 else 2), 2: integer(0), 3: integer(round(_CAPACITY_MINUTES * charge / 100)),
         4: integer(charge), 5: level(life, 268, 274), 6: integer(0), 7: level(life, 24, 33)},
    )  # fmt: skip
    sheet.scalars(under(_UPS, 3), {1: counter(random.randint(1, 60)), 2: integer(1)})
    watts = model.power * percent // 100
    drawn = watts * 110 // 100
    sheet.row(
        under(_UPS, 3, 3, 1),
        (1,),
        {1: integer(1), 2: level(life, 498, 502), 3: level(life, 212, 236), 4: integer(drawn * 10 // 224), 5: integer(drawn)},
    )
    sheet.scalars(under(_UPS, 4), {1: integer(3), 2: level(life, 498, 502), 3: integer(1)})
    sheet.row(
        under(_UPS, 4, 4, 1), (1,),
        {1: integer(1), 2: integer(230), 3: integer(watts * 10 // 230), 4: integer(watts),
         5: level(life, percent - 3, percent + 3)},
    )  # fmt: skip
    sheet.scalars(under(_UPS, 5), {1: integer(0), 2: integer(0)})
    sheet.scalars(under(_UPS, 6), {1: gauge(int(old))})
    if old:
        sheet.row(under(_UPS, 6, 2, 1), (1,), {2: (ber.OBJECT_IDENTIFIER, under(_UPS, 6, 3, 1)), 3: life.ticks})
    sheet.scalars(
        under(_UPS, 9),
        {1: integer(230), 2: integer(500), 3: integer(230), 4: integer(500), 5: integer(model.power * 10 // 7),
         6: integer(model.power),
         7: integer(2), 8: integer(2), 9: integer(180), 10: integer(260)},
    )  # fmt: skip
    if model.vendor == "APC":
        sheet.scalars(under(_APC, 1, 1), {1: text(model.name), 2: text(machine.name)})
        sheet.scalars(under(_APC, 1, 2), {1: text(model.version), 2: text("03/12/2019"), 3: text(serial)})
        sheet.scalars(
            under(_APC, 2, 2),
            {
                1: gauge(charge),
                2: gauge(26),
                3: (ber.TIME_TICKS, round(_CAPACITY_MINUTES * charge / 100) * 6000),
                4: integer(1 + old),
            },
        )
