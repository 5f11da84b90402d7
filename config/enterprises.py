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
        9: "Cisco", 43: "3Com", 45: "Nortel", 52: "Enterasys", 89: "Radlan", 171: "D-Link", 202: "SMC", 207: "Allied Telesis",
        248: "Hirschmann", 259: "Edgecore", 266: "Nexans", 272: "bintec", 562: "Ciena", 572: "Ericsson-LG", 629: "MRV",
        637: "Nokia", 738: "Telco Systems", 800: "Alcatel-Lucent", 823: "Loop Telecom", 868: "Transition Networks",
        890: "Zyxel", 1038: "Sagemcom", 1271: "Ciena", 1286: "ECI Telecom", 1411: "Blade", 1425: "CXR Networks",
        1588: "Brocade", 1887: "Albis Technologies", 1916: "Extreme Networks", 1991: "Brocade", 2011: "Huawei", 2272: "Avaya",
        2544: "ADVA", 2736: "EtherWAN", 2882: "Comtrol", 3320: "BDCOM", 3652: "Pan Dacom", 3709: "Datacom", 3715: "Teleste",
        3807: "FiberHome", 3902: "ZTE", 3955: "Linksys", 4329: "Siemens", 4413: "Broadcom", 4458: "RADWIN", 4467: "Fibrolan",
        4515: "PacketLight", 4526: "Netgear", 4756: "CTC Union", 4881: "Ruijie", 5624: "Enterasys", 5651: "Maipu", 6027: "Dell",
        6066: "Calix", 6141: "Ciena", 6296: "Dasan", 6321: "Calix", 6339: "DCN", 6486: "Alcatel-Lucent", 6603: "Bitstream",
        7244: "Quanta", 7342: "Omnitron", 7428: "Microsemi", 7465: "WISI", 7483: "Nokia", 7501: "BKtel", 7800: "Ubiquoss",
        8691: "Moxa", 8708: "Infinera", 8886: "Raisecom", 9303: "Waystream", 9304: "CTS", 10072: "GWD", 10297: "Advantech",
        10456: "PLANET", 11606: "PBN", 11863: "TP-Link", 12345: "FS", 13464: "FS", 15004: "RuggedCom", 15397: "Procera",
        16177: "Westermo", 16972: "TP-Link", 17409: "C-Data", 20044: "Ekinops", 20095: "Positron", 20540: "Red Lion",
        21296: "Infinera", 21362: "Ifotec", 21839: "ALAXALA", 24686: "Teltonika", 25506: "H3C", 26866: "Gigamon",
        27282: "Realtek", 27304: "DKT", 27514: "QTECH", 27975: "FS", 28381: "Red Lion", 28533: "Ciena", 28866: "TRENDnet",
        29003: "FiberNet", 30005: "BTI Systems", 30065: "Arista", 30826: "Smartoptics", 32285: "TopVision", 32620: "Ixia",
        33049: "Mellanox", 33688: "Packet Power", 34652: "Volius", 35098: "Pica8", 35265: "Eltex", 35616: "LambdaTrail",
        36673: "IP Infusion", 37950: "V-SOL", 40310: "Cumulus", 40418: "SNR", 42229: "Infinera", 43191: "Arista",
        43296: "Cisco", 44194: "EnGenius", 46242: "Netonix", 47196: "Aruba", 50224: "Parks", 51134: "FS", 52587: "IP Infusion",
        52642: "FS", 54743: "NVT Phybridge", 62821: "WIS",
    },
    "router": {
        94: "Nokia", 164: "RAD", 177: "Sonus", 193: "Ericsson", 449: "Vanguard", 664: "Adtran", 1166: "Motorola", 1429: "Cisco",
        1768: "Patton", 1872: "Alteon", 2007: "Teldat", 2352: "Redback", 2356: "LANCOM", 2636: "Juniper", 2863: "Technicolor",
        2879: "Ribbon", 3278: "Paradyne", 4115: "Arris", 4130: "GE MDS", 4686: "Sangoma", 4874: "Juniper", 4998: "Arris",
        5003: "AudioCodes", 5504: "Zhone", 5833: "Tainet", 6527: "Nokia", 6666: "innovaphone", 6889: "Avaya", 7367: "DrayTek",
        8239: "Juniper", 13191: "OneAccess", 14358: "Airconsole", 14988: "MikroTik", 17163: "Riverbed", 20992: "Cradlepoint",
        21091: "Exinda", 23695: "Peplink", 23867: "Silver Peak", 24693: "FireBrick", 27662: "Pepwave", 29865: "Icotera",
        30140: "Advantech", 31218: "UCOPIA", 31496: "NetModule", 38595: "Greenpacket", 39406: "Benu Networks", 40595: "Versa",
        41916: "Viptela", 44641: "VyOS", 45346: "VMware", 48690: "Teltonika", 54268: "netElastic",
    },
    "firewall": {
        1230: "McAfee", 1369: "Forcepoint", 2604: "Sophos", 2620: "Check Point", 3097: "WatchGuard", 3224: "NetScreen",
        3375: "F5", 3417: "Blue Coat", 3996: "Open Systems", 8741: "SonicWall", 8962: "McAfee", 9694: "Arbor Networks",
        10704: "Barracuda", 11256: "Stormshield", 12325: "FreeBSD", 12356: "Fortinet", 12532: "Pulse Secure",
        20632: "Barracuda", 21067: "Cyberoam", 25461: "Palo Alto Networks", 25597: "FireEye", 28557: "Hillstone",
        41036: "Corero", 42359: "Versa", 47565: "Forcepoint", 59732: "Skyhigh",
    },
    "wireless": {
        161: "Motorola", 388: "Symbol", 2281: "Ceragon", 2509: "Aviat", 3323: "Microwave Networks", 3373: "SIAE", 3570: "Tait",
        7262: "DragonWave", 7571: "SAF Tehnika", 8000: "UHP Networks", 8744: "HP", 10002: "Ubiquiti", 11898: "Proxim",
        12140: "Alcoma", 12394: "Alvarion", 14125: "EnGenius", 14179: "Cisco", 14525: "Trapeze", 14817: "4RF", 14823: "Aruba",
        15983: "Fortinet", 17713: "Cambium", 25053: "Ruckus", 25651: "Exalt", 25868: "Last Mile Gear", 26381: "Hytera",
        26928: "Aerohive", 27614: "Ascom", 28087: "Albentia", 29671: "Cisco Meraki", 31926: "Siklu", 33555: "Racom",
        34861: "Rajant", 37069: "BATS", 39003: "Sub10 Systems", 41112: "Ubiquiti", 42397: "Grandstream", 43356: "Mimosa",
        46330: "Vubiq", 47307: "IgniteNet", 57344: "Tachyon Networks",
    },
    "printer": {
        253: "Xerox", 297: "Fujifilm", 367: "Ricoh", 641: "Lexmark", 683: "Zebra", 1129: "Toshiba", 1248: "Epson",
        1347: "Kyocera", 1602: "Canon", 2001: "Oki", 2385: "Sharp", 2435: "Brother", 10642: "Zebra", 18334: "Konica Minolta",
        40093: "Pantum", 51966: "TSC",
    },
    "ups": {
        318: "APC", 476: "Liebert", 534: "Eaton", 705: "Eaton", 818: "GE", 850: "Tripp Lite", 885: "Emerson", 935: "Megatec",
        1918: "Eaton", 2254: "Delta", 3808: "CyberPower", 3833: "Schneider Electric", 4555: "Socomec", 5491: "Riello",
        6050: "Gamatronic", 6302: "Emerson", 7309: "Alpha", 10520: "GE", 12148: "Eltek", 12551: "CE+T", 13400: "Vertiv",
        13858: "Vertiv", 15117: "West Mountain", 21111: "Socomec", 26854: "Alpha", 27533: "BKE", 30320: "Exeltech",
        33283: "IMCO Power", 37662: "Network ATS", 39145: "ICT", 40614: "EAST", 40865: "Majorpower", 43943: "Orvaldi",
        45621: "Tycon Systems", 49075: "Samlex", 49136: "Algcom", 53973: "ABB",
    },
    "pdu": {
        1718: "Server Technology", 2468: "Ingrasys", 2634: "WTI", 3711: "Eagle-I", 10418: "Avocent", 13742: "Raritan",
        17420: "Digipower", 18642: "C&C Power", 19536: "Panduit", 21239: "Geist", 21317: "ATEN", 21695: "E3Meter",
        28402: "Conteg", 28507: "Gude", 30932: "Chatsworth", 30966: "FS", 31034: "Schleifenbauer", 34278: "Janitza",
        38446: "enLogic", 42610: "PowerTek", 55108: "RNX",
    },
    "server": {
        232: "HPE", 244: "Lantronix", 311: "Microsoft", 1027: "Mitel", 1723: "Lantronix", 1966: "Perle", 2021: "",
        2440: "EfficientIP", 2684: "Polycom", 3764: "Quantum", 6431: "Cisco", 6876: "VMware", 7779: "Infoblox", 8072: "",
        9193: "Cirpack", 10876: "Supermicro", 13315: "BlueCat", 19046: "Lenovo", 21865: "Array Networks", 25049: "Opengear",
        26122: "Zenitel", 30155: "OpenBSD", 41263: "Nutanix",
    },
    "storage": {
        116: "Hitachi", 347: "Seagate", 789: "NetApp", 1714: "Infortrend", 1981: "EMC", 3073: "Overland-Tandberg",
        5227: "Buffalo", 6574: "Synology", 12124: "Isilon", 12740: "EqualLogic", 12925: "HPE", 14752: "Areca", 14851: "IBM",
        16139: "Dell", 19746: "Data Domain", 20884: "BDT", 24681: "QNAP", 37447: "Nimble Storage", 40482: "Pure Storage",
        43906: "Tegile", 50536: "TrueNAS",
    },
    "sensor": {
        901: "IT Watchdogs", 994: "Dantel", 2606: "Rittal", 2682: "DPS Telecom", 3052: "Asentria", 3699: "NTI", 3854: "AKCP",
        5040: "Wiesemann & Theis", 5528: "NetBotz", 9839: "Carel", 16174: "Sensatronics", 17095: "ServersCheck",
        17373: "IT Watchdogs", 18248: "Papouch", 19011: "Jacarta", 20246: "Delta", 20916: "AVTECH", 21796: "HW group",
        22626: "Comet System", 25728: "Alentis", 29462: "Stulz", 38783: "Teracom", 39052: "Vutlan", 52674: "NetBotz",
    },
    "other": {
        258: "Panasonic", 368: "Axis", 601: "Microsemi", 903: "Avaya", 1229: "SEH", 2566: "Rohde & Schwarz",
        5551: "Oscilloquartz", 5596: "Tandberg", 5597: "Meinberg", 5951: "Citrix", 7312: "Barco", 7564: "Array Networks",
        9070: "Symmetricom", 12196: "Kemp", 12276: "F5", 13827: "EndRun", 15497: "Cisco", 18418: "Endace", 18837: "Orolia",
        22610: "A10 Networks", 22736: "Digium", 23465: "Vivotek", 25071: "Teradici", 25766: "Christie", 33333: "Morningstar",
        36849: "Hanwha Vision", 39165: "Hikvision", 50001: "Hikvision", 54414: "TimeMachines", 54849: "Loadbalancer.org",
        1004849: "Dahua",
    },
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
