"""The products that stand in the offices, as far as a manager can tell them apart."""

from __future__ import annotations

from dataclasses import dataclass

from snmp.oid import OID


def _product(*arcs: int) -> OID:
    return OID((1, 3, 6, 1, 4, 1, *arcs))


@dataclass(frozen=True, slots=True)
class SwitchModel:
    """A managed switch. `ports` are access ports of `speed` Mbit/s, `uplinks` the faster ones after them."""

    vendor: str
    name: str
    description: str
    version: str
    object_id: OID
    oui: bytes
    ports: int
    uplinks: int
    speed: int
    port_name: str
    uplink_name: str
    first_index: int = 1
    uplink_index: int = 0

    @property
    def size(self) -> int:
        """All ports."""
        return self.ports + self.uplinks

    def port_label(self, number: int) -> str:
        """The name of port `number`, counted from 1."""
        if number <= self.ports:
            return self.port_name.format(number)
        return self.uplink_name.format(number if self.uplink_name == self.port_name else number - self.ports)

    def index(self, number: int) -> int:
        """The ifIndex of port `number`."""
        if number <= self.ports or not self.uplink_index:
            return self.first_index + number - 1
        return self.uplink_index + number - self.ports - 1


def _cisco(ports: int, uplinks: int, product: int, name: str, image: str) -> SwitchModel:
    description = f"Cisco IOS Software, C2960 Software ({image}), Version 15.0(2)SE11, RELEASE SOFTWARE (fc3)"
    return SwitchModel(
        "Cisco", name, description, "15.0(2)SE11", _product(9, 1, product), bytes.fromhex("001b54"),
        ports, uplinks, 100, "Fa0/{}", "Gi0/{}", 10001, 10101,
    )  # fmt: skip


SWITCHES = (
    _cisco(8, 1, 798, "WS-C2960-8TC-L", "C2960-LANBASEK9-M"),
    SwitchModel(
        "MikroTik", "CRS112-8G-4S", "RouterOS CRS112-8G-4S", "6.49.13", _product(14988, 1), bytes.fromhex("4c5e0c"),
        8, 4, 1000, "ether{}", "sfp{}",
    ),
    _cisco(24, 2, 716, "WS-C2960-24TT-L", "C2960-LANBASEK9-M"),
    SwitchModel(
        "D-Link", "DGS-1510-28", "DGS-1510-28 Gigabit Ethernet SmartPro Switch", "1.70.005", _product(171, 10, 137, 2, 1),
        bytes.fromhex("1c7ee5"), 24, 4, 1000, "eth1/0/{}", "eth1/0/{}",
    ),
    _cisco(48, 2, 717, "WS-C2960-48TT-L", "C2960-LANBASEK9-M"),
    SwitchModel(
        "HP", "J9775A", "HP J9775A 2530-48G Switch, revision YA.16.10.0012, ROM YA.15.20", "YA.16.10.0012",
        _product(11, 2, 3, 7, 11, 139), bytes.fromhex("3cd92b"), 48, 4, 1000, "{}", "{}",
    ),
)  # fmt: skip
"""By number of ports, smallest first."""


@dataclass(frozen=True, slots=True)
class RouterModel:
    """An office's router; `memory` and `disk` in kilobytes."""

    vendor: str
    name: str
    description: str
    version: str
    object_id: OID
    oui: bytes
    ports: tuple[str, ...]
    memory: int
    disk: int


ROUTERS = (
    RouterModel(
        "MikroTik", "RB750Gr3", "RouterOS RB750Gr3", "6.49.13", _product(14988, 1), bytes.fromhex("4c5e0c"),
        ("ether1", "ether2", "ether3", "ether4", "ether5"), 262144, 16384,
    ),
    RouterModel(
        "MikroTik", "RB3011UiAS", "RouterOS RB3011UiAS", "7.11.2", _product(14988, 1), bytes.fromhex("4c5e0c"),
        ("ether1", "ether2", "ether3", "ether4", "ether5", "ether6", "ether7", "ether8", "ether9", "ether10"), 1048576, 131072,
    ),
    RouterModel(
        "DrayTek", "Vigor2926", "DrayTek Corporation, Router Model: Vigor2926 Series, Version: 3.9.8.1, Build Date/Time:"
        "May 11 2022 10:22:41", "3.9.8.1", _product(7367), bytes.fromhex("001daa"), ("LAN1", "WAN1", "WAN2"), 0, 0,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PrinterModel:
    """A network printer; `supplies` are name, type (RFC 3805 prtMarkerSuppliesType: 3 toner, 9 drum), pages it lasts."""

    vendor: str
    name: str
    description: str
    object_id: OID
    oui: bytes
    supplies: tuple[tuple[str, int, int], ...]


PRINTERS = (
    PrinterModel(
        "HP", "HP LaserJet Pro M404dn", "HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM JSI24060012",
        _product(11, 2, 3, 9, 1), bytes.fromhex("3cd92b"), (("Black Cartridge HP CF259A", 3, 3000),),
    ),
    PrinterModel(
        "Brother", "Brother HL-L2366DW series", "Brother NC-8700w, Firmware Ver.1.21 (20.03.04),MID 84E-301,FID 2",
        _product(2435, 2, 3, 9, 1), bytes.fromhex("008077"), (("Black Toner Cartridge", 3, 2600), ("Drum Unit", 9, 12000)),
    ),
    PrinterModel(
        "Canon", "Canon LBP226dw", "Canon LBP226dw", _product(1602, 4, 7), bytes.fromhex("001e8f"),
        (("Canon Cartridge 057", 3, 3100),),
    ),
    PrinterModel(
        "Kyocera", "ECOSYS M5526cdw", "KYOCERA Document Solutions Printing System", _product(1347, 41), bytes.fromhex("00c0ee"),
        (("Cyan Toner", 3, 3000), ("Magenta Toner", 3, 3000), ("Yellow Toner", 3, 3000), ("Black Toner", 3, 4000),
         ("Waste Toner Box", 4, 15000)),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UpsModel:
    """A UPS with a network card that answers UPS-MIB (RFC 1628); `power` in watts."""

    vendor: str
    name: str
    description: str
    version: str
    object_id: OID
    oui: bytes
    power: int


UPSES = (
    UpsModel(
        "APC", "Smart-UPS 1500", "APC Web/SNMP Management Card (MB:v4.1.0 PF:v6.8.2 PN:apc_hw05_aos_682.bin MN:AP9630)",
        "UPS 09.3 / ID=18", _product(318, 1, 3, 27), bytes.fromhex("00c0b7"), 980,
    ),
    UpsModel(
        "Santak", "C3K", "Santak SNMP card", "02.14", OID((1, 3, 6, 1, 2, 1, 33)), bytes.fromhex("0003ea"), 2100,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkstationModel:
    """A desktop; `cores` are logical processors, `frequency` in MHz, `card` the network card."""

    vendor: str
    name: str
    first_year: int
    last_year: int
    processor: str
    cores: int
    frequency: int
    card: str
    oui: bytes


WORKSTATIONS = (
    WorkstationModel("Dell", "OptiPlex 3010", 2011, 2014, "Intel(R) Core(TM) i3-3220 CPU @ 3.30GHz", 4, 3300,
                     "Realtek PCIe GbE Family Controller", bytes.fromhex("d4bed9")),
    WorkstationModel("HP", "HP Compaq Pro 6300 SFF", 2012, 2015, "Intel(R) Pentium(R) CPU G2020 @ 2.90GHz", 2, 2900,
                     "Intel(R) 82579LM Gigabit Network Connection", bytes.fromhex("3cd92b")),
    WorkstationModel("ASUS", "H110M-K", 2015, 2018, "Intel(R) Pentium(R) CPU G4400 @ 3.30GHz", 2, 3300,
                     "Realtek PCIe GBE Family Controller", bytes.fromhex("2c56dc")),
    WorkstationModel("Dell", "Vostro 3668", 2016, 2019, "Intel(R) Core(TM) i3-7100 CPU @ 3.90GHz", 4, 3900,
                     "Realtek PCIe GbE Family Controller", bytes.fromhex("1866da")),
    WorkstationModel("Gigabyte", "H310M DS2", 2018, 2021, "Intel(R) Core(TM) i3-8100 CPU @ 3.60GHz", 4, 3600,
                     "Realtek PCIe GbE Family Controller", bytes.fromhex("1c1b0d")),
    WorkstationModel("HP", "HP ProDesk 400 G6 MT", 2019, 2022, "Intel(R) Core(TM) i5-9500 CPU @ 3.00GHz", 6, 3000,
                     "Realtek PCIe GbE Family Controller", bytes.fromhex("3cd92b")),
    WorkstationModel("Dell", "OptiPlex 3000", 2022, 2026, "12th Gen Intel(R) Core(TM) i3-12100", 8, 3300,
                     "Intel(R) Ethernet Connection (17) I219-LM", bytes.fromhex("1866da")),
)  # fmt: skip
