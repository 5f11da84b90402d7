"""Vendors by IANA private enterprise number, and what they mostly make: for devices whose profile does not say."""

from __future__ import annotations

from typing import NamedTuple


class Vendor(NamedTuple):
    """A maker and the kind most of its SNMP devices are; an empty name: software that runs on anybody's hardware."""

    name: str
    kind: str = ""


_BY_KIND = {
    "": {
        2: "IBM", 11: "HP", 36: "DEC", 42: "Sun", 63: "Apple", 111: "Oracle", 119: "NEC", 211: "Fujitsu", 231: "Siemens",
        236: "Samsung", 343: "Intel", 674: "Dell",
    },
    "switch": {
        9: "Cisco", 43: "3Com", 45: "Nortel", 52: "Enterasys", 89: "Radlan", 171: "D-Link", 202: "SMC",
        207: "Allied Telesis", 259: "Edgecore",
        800: "Alcatel-Lucent", 890: "Zyxel", 1588: "Brocade", 1916: "Extreme Networks", 1991: "Brocade", 2011: "Huawei",
        3902: "ZTE", 4413: "Broadcom", 4526: "Netgear", 4881: "Ruijie", 5624: "Enterasys", 6027: "Dell",
        6141: "Ciena", 6339: "DCN", 6486: "Alcatel-Lucent", 8691: "Moxa", 10456: "PLANET", 11863: "TP-Link", 15004: "RuggedCom",
        25506: "H3C", 27282: "Realtek", 27975: "FS", 30065: "Arista", 35265: "Eltex", 40418: "SNR", 47196: "Aruba", 52642: "FS",
    },
    "router": {
        94: "Nokia", 193: "Ericsson", 664: "Adtran", 2356: "LANCOM", 2636: "Juniper", 6527: "Nokia", 6889: "Avaya",
        7367: "DrayTek", 14988: "MikroTik", 44641: "VyOS",
    },
    "firewall": {
        2620: "Check Point", 3224: "NetScreen", 3375: "F5", 3417: "Blue Coat", 8741: "SonicWall", 12325: "FreeBSD",
        12356: "Fortinet", 20632: "Barracuda", 25461: "Palo Alto Networks",
    },
    "wireless": {
        161: "Motorola", 388: "Symbol", 10002: "Ubiquiti", 14125: "EnGenius", 14179: "Cisco", 14525: "Trapeze", 14823: "Aruba",
        17713: "Cambium", 25053: "Ruckus", 29671: "Cisco Meraki", 41112: "Ubiquiti",
    },
    "printer": {
        253: "Xerox", 297: "Fujifilm", 367: "Ricoh", 641: "Lexmark", 683: "Zebra", 1248: "Epson",
        1347: "Kyocera", 1602: "Canon", 2001: "Oki", 2385: "Sharp", 2435: "Brother", 10642: "Zebra", 18334: "Konica Minolta",
    },
    "ups": {
        318: "APC", 476: "Liebert", 534: "Eaton", 705: "Eaton", 850: "Tripp Lite", 935: "Megatec",
        2254: "Delta", 3808: "CyberPower", 4555: "Socomec", 13858: "Vertiv",
    },
    "pdu": {1718: "Server Technology", 10418: "Avocent", 13742: "Raritan", 21239: "Geist", 28507: "Gude"},
    "server": {232: "HPE", 311: "Microsoft", 2021: "", 6876: "VMware", 8072: "", 10876: "Supermicro", 19046: "Lenovo"},
    "storage": {789: "NetApp", 6574: "Synology", 24681: "QNAP", 50536: "TrueNAS"},
    "sensor": {
        2606: "Rittal", 3854: "AKCP", 5528: "NetBotz", 9839: "Carel", 18248: "Papouch", 20916: "AVTECH", 21796: "HW group",
        22626: "Comet System",
    },
    "other": {368: "Axis", 22736: "Digium", 39165: "Hikvision"},
}  # fmt: skip

VENDORS = {number: Vendor(name, kind) for kind, makers in _BY_KIND.items() for number, name in makers.items()}

_PRIVATE = "1.3.6.1.4.1."
_NOBODY = Vendor("")


def vendor(object_id: str) -> Vendor:
    """The vendor whose number a sysObjectID holds."""
    if not object_id.startswith(_PRIVATE):
        return _NOBODY
    number = object_id[len(_PRIVATE) :].split(".", 1)[0]
    return VENDORS.get(int(number), _NOBODY) if number.isdigit() else _NOBODY
