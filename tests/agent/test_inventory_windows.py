from __future__ import annotations

import base64
import json
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hardware import smart
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import Unreadable
from agent.inventory import cim, windows
from agent.inventory.collect import collect
from agent.inventory.source import Source

Given = dict[str, list[Any]]


def source(**answers: Any) -> Source:
    """A machine that answers like this; one instance may stand for a list of one."""
    return Source(answers={name: one if isinstance(one, list) else [one] for name, one in answers.items()}, privileged=True)


def limits(found: Source) -> dict[str, str]:
    return {limit.name: limit.reason for limit in found.limits}


MACHINE: Given = {
    "Win32_ComputerSystem": [{"Manufacturer": "Lake", "Model": "Office 300", "Domain": "xa.example", "PartOfDomain": True}],
    "Win32_ComputerSystemProduct": [{"Vendor": "Lake", "Name": "Office 300", "UUID": "33221100-5544-7766-8899-AABBCCDDEEFF"}],
    "Win32_BIOS": [{"Manufacturer": "Lake Firmware", "SMBIOSBIOSVersion": "1.07", "ReleaseDate": "/Date(1563753600000)/",
                    "SerialNumber": "LK-0042"}],
    "Win32_BaseBoard": [{"Manufacturer": "Lake Boards", "Product": "B75", "SerialNumber": "To be filled by O.E.M."}],
    "Win32_SystemEnclosure": [{"ChassisTypes": [3], "SMBIOSAssetTag": "PC-17"}],
    "Win32_OperatingSystem": [{"Caption": "Microsoft Windows 10 Pro", "Version": "10.0.19045", "BuildNumber": "19045",
                               "ProductType": 1, "OSArchitecture": "64-bit", "InstallDate": "20230102030405.000000+420",
                               "LastBootUpTime": "/Date(1795000000000)/"}],
    "SystemRegistry": [{"DisplayVersion": "22H2", "EditionID": "Professional", "UBR": 5011, "SecureBoot": 1, "Firmware": "UEFI",
                        "ServicingPending": False, "UpdatePending": True, "RenamesPending": True, "Admin": True}],
}  # fmt: skip


def test_the_machine_and_its_system() -> None:
    """Maker, serial numbers, firmware date, system, build and the end of its updates."""
    asked = source(**MACHINE)
    machine, system = windows.machine(asked), windows.system(asked)
    assert (machine.maker, machine.model, machine.serial, machine.board_serial) == ("Lake", "Office 300", "LK-0042", "")
    assert (machine.uuid, machine.bios_date, machine.chassis, machine.asset_tag) == (
        "33221100-5544-7766-8899-aabbccddeeff", "2019-07-22", "desktop", "PC-17",
    )  # fmt: skip
    assert (system.name, system.version, system.build, system.domain) == ("Windows 10 Pro", "22H2", "19045.5011", "xa.example")
    assert system.installed == 1672603445 and system.support_end is not None
    assert time.gmtime(system.support_end)[:3] == (2025, 10, 14)
    assert (system.restart_pending, system.restart_reason) == (True, "Windows Update, files in use")


@pytest.mark.parametrize(
    ("build", "edition", "kind", "end"),
    [
        ("26100", "Professional", 1, (2026, 10, 13)),
        ("26100", "Enterprise", 1, (2027, 10, 12)),
        ("26100", "EnterpriseS", 1, (2029, 10, 9)),
        ("19044", "IoTEnterpriseS", 1, (2032, 1, 13)),
        ("19044", "EnterpriseS", 1, (2027, 1, 12)),
        ("26100", "IoTEnterpriseS", 1, (2034, 10, 10)),
        ("26100", "ServerStandard", 3, (2034, 11, 14)),
        ("25398", "ServerDatacenterACor", 3, (2025, 10, 24)),
        ("17763", "ServerStandard", 3, (2029, 1, 9)),
        ("7601", "Professional", 1, (2020, 1, 14)),
    ],
)
def test_the_end_of_support_depends_on_the_edition(build: str, edition: str, kind: int, end: tuple[int, int, int]) -> None:
    """Enterprise, LTSC and server have terms of their own."""
    found = windows.system(
        source(Win32_OperatingSystem={"BuildNumber": build, "ProductType": kind}, SystemRegistry={"EditionID": edition})
    )
    assert found.support_end is not None and time.gmtime(found.support_end)[:3] == end


def test_a_build_nobody_knows_has_no_end() -> None:
    """An unknown build is unknown, and said to be."""
    asked = source(Win32_OperatingSystem={"Caption": "Microsoft Windows 99", "BuildNumber": "98765"})
    assert windows.system(asked).support_end is None and "Windows 99 build 98765" in limits(asked)["end of support"]


def test_files_that_wait_to_be_renamed_ask_for_no_restart() -> None:
    """Pending renames are everyday business; without the registry nothing is known."""
    assert windows.system(source(SystemRegistry={"RenamesPending": True})).restart_pending is False
    assert windows.system(source()).restart_pending is None


def test_memory_from_cim_where_there_is_no_table() -> None:
    """Modules, slots and the limit; serial numbers that repeat are nobody's."""
    module = {"Capacity": "8589934592", "DeviceLocator": "DIMM 1", "BankLabel": "BANK 0", "SMBIOSMemoryType": 26, "FormFactor": 8,
              "Speed": 2666, "ConfiguredClockSpeed": 2400, "Manufacturer": "80CE000080CE", "SerialNumber": "0000"}  # fmt: skip
    array = {"Use": 3, "MemoryDevices": 4, "MaxCapacityEx": "67108864"}
    memory, (found,) = windows.memory(source(Win32_PhysicalMemory=module, Win32_PhysicalMemoryArray=array))
    assert memory == (8192, 4, 3, 65536)
    assert found[:8] == ("BANK 0 DIMM 1", 8192, "DDR4", "DIMM", 2666, 2400, "Samsung", "") and found.serial == ""


DRIVE = {"Index": 0, "Model": "LAKE HD500 ATA Device", "Size": "500107862016", "InterfaceType": "IDE", "SerialNumber": " LK5 ",
         "MediaType": "Fixed hard disk media", "PNPDeviceID": "SCSI\\DISK&VEN_LAKE\\4&1&0"}  # fmt: skip
PHYSICAL = {"DeviceId": "0", "FriendlyName": "LAKE HD500", "MediaType": 3, "BusType": 11, "HealthStatus": 0, "Size": 500107862016,
            "SpindleSpeed": 7200, "FirmwareVersion": "1.01"}  # fmt: skip


def test_a_disk_with_its_smart_table() -> None:
    """Kind and bus from the storage module, the deciding attributes from the disk's own table."""
    name = "SCSI\\DISK&VEN_LAKE\\4&1&0_0"
    asked = source(
        Win32_DiskDrive=DRIVE,
        MSFT_PhysicalDisk=PHYSICAL,
        MSFT_StorageReliabilityCounter={"DeviceId": "0", "Temperature": 36, "PowerOnHours": 26280},
        MSStorageDriver_FailurePredictStatus={"InstanceName": name, "PredictFailure": False},
        MSStorageDriver_FailurePredictData={
            "InstanceName": name,
            "VendorSpecific": smart((5, 100, 100, 0), (12, 99, 99, 1500), (197, 100, 100, 8)),
        },
        Win32_LogicalDiskToPartition={"Antecedent": "Disk #0, Partition #1", "Dependent": "C:"},
        Win32_LogicalDisk=[{"DeviceID": "C:", "FileSystem": "NTFS", "DriveType": 3}, {"DeviceID": "D:", "DriveType": 5}],
        Win32_EncryptableVolume={"DriveLetter": "C:", "ProtectionStatus": 1},
    )
    (disk,) = windows.disks(asked)
    assert (disk.name, disk.model, disk.serial, disk.firmware) == ("PhysicalDrive0", "LAKE HD500", "LK5", "1.01")
    assert (disk.medium, disk.bus, disk.rpm, disk.system, disk.size_mb) == ("hdd", "sata", 7200, True, 500107)
    assert (disk.celsius, disk.hours, disk.cycles, disk.pending) == (36, 26280, 1500, 8)
    assert (disk.health, disk.health_reason) == ("warning", "8 sectors cannot be read")
    (volume,) = windows.volumes(asked)
    assert volume == ("C:\\", "", "NTFS", "PhysicalDrive0", True, True)


def test_a_disk_below_its_limit_fails_by_name() -> None:
    """The limits of the disk are compared with its values."""
    name = "SCSI\\DISK&VEN_LAKE\\4&1&0_0"
    limit = smart((5, 0, 0, 0))
    limit[3] = 10
    (disk,) = windows.disks(
        source(
            Win32_DiskDrive=DRIVE,
            MSStorageDriver_FailurePredictData={"InstanceName": name, "VendorSpecific": smart((5, 4, 4, 2000))},
            MSStorageDriver_FailurePredictThresholds={"InstanceName": name, "VendorSpecific": limit},
        )
    )
    assert disk.health == "failing" and disk.health_reason == "Reallocated_Sector_Ct is 4, at or below its limit 10"


@pytest.mark.parametrize(("status", "health"), [(0, "good"), (1, "warning"), (2, "failing"), (5, "")])
def test_the_verdict_of_windows_itself(status: int, health: str) -> None:
    """Without SMART, Windows' own health counts; unknown stays unknown."""
    asked = source(MSFT_PhysicalDisk=PHYSICAL | {"HealthStatus": status})
    assert windows.disks(asked)[0].health == health
    assert ("health of PhysicalDrive0" in limits(asked)) == (health == "")


@pytest.mark.parametrize(
    ("serial", "plain"),
    [
        (" WD-WCC1 ", "WD-WCC1"),
        ("202020202020202020202020565a3132334b4c4d", "ZV21K3ML"),
        ("00000000", ""),
        ("0025_38B1.", "0025_38B1"),
    ],
)
def test_serials_of_disks(serial: str, plain: str) -> None:
    """Windows 7 writes them in hexadecimal with letters swapped, others with blanks and a dot."""
    assert cim.disk_serial(serial) == plain


def test_network_cards() -> None:
    """The driver's list of speeds is the card's limit; virtual cards are no hardware; the signal is read in any language."""
    page = [
        "",
        "    Tên                   : Wi-Fi",
        "    Trạng thái            : đã kết nối",
        "    Tín hiệu              : 82%",
        "",
    ]
    eth, wlan = windows.networks(
        source(
            MSFT_NetAdapter=[
                {"Name": "Wi-Fi", "InterfaceIndex": 9, "NdisPhysicalMedium": 9, "PnPDeviceID": "USB\\VID_1"},
                {"Name": "Ethernet", "InterfaceIndex": 5, "InterfaceDescription": "Lake GbE", "NdisPhysicalMedium": 14,
                 "PnPDeviceID": "PCI\\VEN_1", "HardwareInterface": True, "DriverName": "\\SystemRoot\\e1d68x64.sys"},
                {"Name": "vEthernet", "InterfaceIndex": 30, "Virtual": True},
            ],
            MSFT_NetAdapterAdvancedPropertySettingData={
                "Name": "Ethernet", "RegistryKeyword": "*SpeedDuplex",
                "ValidDisplayValues": ["Auto Negotiation", "10 Mbps Half Duplex", "100 Mbps Full Duplex", "1.0 Gbps Full Duplex"],
            },
            Wireless=[{"Line": line} for line in page],
        )
    )  # fmt: skip
    assert (eth.number, eth.model, eth.driver, eth.limit_mbps, eth.medium, eth.bus) == (
        5,
        "Lake GbE",
        "e1d68x64.sys",
        1000,
        "wired",
        "pci",
    )
    assert (wlan.number, wlan.medium, wlan.signal_percent, wlan.signal_dbm) == (9, "wireless", 82, -59)


def test_monitors_by_edid_and_without() -> None:
    """The registry's EDID is read like any other; where it is missing, WMI's own words stand in."""
    edid = bytearray(128)
    edid[:8] = b"\x00\xff\xff\xff\xff\xff\xff\x00"
    edid[8:12], edid[17] = b"\x10\xac\x66\x40", 28
    edid[72:90] = b"\0\0\0\xff\0CN0X1\n       "

    def units(text: str) -> list[int]:
        return [ord(letter) for letter in text] + [0, 0]

    one, other = windows.monitors(
        source(
            WmiMonitorID=[
                {"InstanceName": "DISPLAY\\A_0", "Active": True},
                {"InstanceName": "DISPLAY\\B_0", "Active": True, "ManufacturerName": units("AOC"), "ProductCodeID": units("2795"),
                 "SerialNumberID": units("X7"), "UserFriendlyName": units("Màn 27"), "YearOfManufacture": 2020},
                {"InstanceName": "DISPLAY\\C_0", "Active": False},
            ],
            Edid={"InstanceName": "DISPLAY\\A_0", "Data": base64.b64encode(edid).decode()},
            WmiMonitorBasicDisplayParams={"InstanceName": "DISPLAY\\B_0", "MaxHorizontalImageSize": 60},
        )
    )  # fmt: skip
    assert (one.maker, one.serial, one.year) == ("Dell", "CN0X1", 2018)
    assert (other.maker, other.model, other.serial, other.year, other.width_mm) == ("AOC", "Màn 27", "X7", 2020, 600)


@pytest.mark.parametrize(
    ("printer", "connection"),
    [({"PortName": "USB001", "DriverName": "Canon LBP2900"}, "usb"), ({"PortName": "IP_10.1.1.9"}, "network"),
     ({"PortName": "10.1.1.9"}, "network"), ({"PortName": "LPT1:"}, "parallel"), ({"PortName": "PORTPROMPT:"}, "virtual"),
     ({"PortName": "\\\\server\\q", "Network": True}, "shared"), ({"PortName": "nul:"}, "virtual"), ({"PortName": "XYZ"}, "")],
)  # fmt: skip
def test_how_printers_are_attached(printer: dict[str, Any], connection: str) -> None:
    """Port and driver tell a printer on USB from one on the network and from a PDF writer."""
    assert windows.printers(source(Win32_Printer=printer))[0].connection == connection


def test_protection() -> None:
    """Firewall, BitLocker, secure boot and TPM; productState tells whether an antivirus is on and current."""
    asked = source(
        **MACHINE,
        MSFT_NetFirewallProfile=[{"Name": "Domain", "Enabled": 1}, {"Name": "Public", "Enabled": 0}],
        Win32_Tpm={"SpecVersion": "2.0, 0, 1.38"},
        Win32_LogicalDisk={"DeviceID": "C:", "FileSystem": "NTFS", "DriveType": 3},
        Win32_EncryptableVolume={"DriveLetter": "C:", "ProtectionStatus": 0},
        AntiVirusProduct=[
            {"displayName": "Lake AV", "productState": 0x41000},
            {"displayName": "Old AV", "productState": 0x40010},
        ],
    )
    assert windows.security(asked) == (False, "Windows Defender Firewall", False, True, True, "2.0", True)
    assert [(a.name, a.enabled, a.current) for a in windows.antivirus(asked)] == [
        ("Lake AV", True, True),
        ("Old AV", False, False),
    ]


def test_defender_tells_more_than_the_security_centre() -> None:
    """Version and date of the signatures come from Defender itself; on a server it is the only one to tell."""
    status = {"AMProductVersion": "4.18.1", "AntivirusEnabled": True, "RealTimeProtectionEnabled": True,
              "AntivirusSignatureLastUpdated": "/Date(1795000000000)/", "DefenderSignaturesOutOfDate": False}  # fmt: skip
    listed = {"displayName": "Windows Defender", "productState": 0x61100}
    assert windows.antivirus(source(AntiVirusProduct=listed, MSFT_MpComputerStatus=status)) == [
        ("Windows Defender", "4.18.1", True, True, 1795000000)
    ]
    assert [a.name for a in windows.antivirus(source(MSFT_MpComputerStatus=status))] == ["Microsoft Defender"]
    aside = status | {"AntivirusEnabled": False}
    assert windows.antivirus(source(MSFT_MpComputerStatus=aside)) == []
    old = {key: value for key, value in status.items() if key != "DefenderSignaturesOutOfDate"} | {
        "AntivirusSignatureLastUpdated": "/Date(1563753600000)/"
    }
    assert windows.antivirus(source(MSFT_MpComputerStatus=old))[0].current is False


def test_products_that_register_nowhere_are_known_by_their_services() -> None:
    """A Vietnamese product is found by where its service lies; one the security centre lists stands once."""
    services = [
        {"PathName": '"C:\\Program Files\\BkavPro\\BkavService.exe"', "State": "Running"},
        {"PathName": "C:\\Program Files\\CMC\\CMC Internet Security\\CMCCore.exe", "State": "Stopped"},
        {"PathName": "C:\\Program Files\\Kaspersky Lab\\avp.exe", "State": "Running"},
        {"PathName": "C:\\Windows\\PresetService.exe", "State": "Running"},
    ]
    listed = {"displayName": "Kaspersky Endpoint Security", "productState": 0x41000}
    found = windows.antivirus(source(AntiVirusProduct=listed, AntivirusServices=services))
    assert [(a.name, a.enabled) for a in found] == [("Kaspersky Endpoint Security", True), ("Bkav", True), ("CMC", False)]


def test_a_firewall_of_another_maker_stands_for_windows_own() -> None:
    """A registered firewall that is on guards the machine while Windows' profiles are off."""
    asked = source(MSFT_NetFirewallProfile={"Enabled": 0}, FirewallProduct={"displayName": "Lake Wall", "productState": 0x41010})
    assert windows.security(asked)[:2] == (True, "Lake Wall")


def test_a_machine_without_uefi_has_no_secure_boot() -> None:
    """On a legacy BIOS secure boot is off, not unknown; the firmware's kind is told by a variable or a number."""
    found = windows.security(source(SystemRegistry={"Firmware": None, "FirmwareType": 1, "SecureBoot": None}))
    assert (found.uefi, found.secure_boot) == (False, False)
    found = windows.security(source(SystemRegistry={"Firmware": "UEFI", "SecureBoot": 0}))
    assert (found.uefi, found.secure_boot) == (True, False)


def test_batteries_completed_by_the_firmware(tmp_path: Path) -> None:
    """The driver tells what the battery holds now, the firmware what the driver left out."""
    body = bytes((1, 2, 0, 3, 4, 6)) + struct.pack("<HHBBHHBBI", 5000, 11400, 0, 0, 0, 0, 0, 10, 0)
    (tmp_path / "RSMB").write_bytes(bytes((22, len(body) + 4, 9, 0)) + body + b"Bay\0SMP\0LK7\0B1\0\0")
    asked = Source(str(tmp_path), privileged=True, answers={
        "BatteryStaticData": [{"InstanceName": "A", "DesignedCapacity": 50000}],
        "BatteryFullChargedCapacity": [{"InstanceName": "A", "FullChargedCapacity": 40000}],
    })  # fmt: skip
    (found,) = windows.batteries(asked)
    assert (found.maker, found.model, found.serial, found.chemistry) == ("SMP", "B1", "LK7", "Li-ion")
    assert (found.full_mwh, found.health_percent) == (40000, 80)


def test_what_only_an_administrator_may_see_is_unknown() -> None:
    """A class that refused is named with its reason; its facts are neither met nor failed."""
    asked = source(SystemRegistry={"Admin": False}, Errors={"Win32_Tpm": "Access denied"}, Win32_Tpm=[])
    found = windows.security(asked)
    assert found.tpm is None and found.encrypted is None and found.firewall is None
    assert limits(asked)["Win32_Tpm"] == "Access denied" and "administrators" in limits(asked)["encryption of volumes"]


def test_unexpected_restarts() -> None:
    """Events 41 and 6008 of one restart count once."""

    asked = source(Events=[event(6005, "2026-11-20T01:00:10Z"), event(41, "2026-11-20T01:00:05.1234567Z"),
                           event(6008, "2026-11-20T01:00:12Z"), event(6005, "2026-11-21T01:00:00Z")])  # fmt: skip
    found = windows.stability(asked)
    assert (found.starts, found.unexpected) == (2, 1) and "event 41" in found.last_reason
    assert windows.stability(source()).unexpected is None


def event(kind: int, when: str = "2026-11-20T01:00:05Z", **more: Any) -> dict[str, Any]:
    return {"Id": kind, "Time": when, **more}


@pytest.mark.parametrize(
    ("told", "reason"),
    [(event(41, Bugcheck=0x9F, PowerButton=0), "error 0x9F"), (event(41, Bugcheck=0, PowerButton="133"), "power button"),
     (event(41, Bugcheck=0, PowerButton=0), "power was lost"), (event(41), "power was lost"), (event(6008), "event 6008")],
)  # fmt: skip
def test_why_windows_restarted(told: dict[str, Any], reason: str) -> None:
    """A crash, a held button and a lost line are told apart by what Kernel-Power wrote, whichever event came first."""
    assert reason in windows.stability(source(Events=told)).last_reason
    if told["Id"] == 41:
        assert reason in windows.stability(source(Events=[told, event(6008), event(6008)])).last_reason


def test_others_use_the_same_numbers_for_their_events() -> None:
    """Only Kernel-Power's 41 and EventLog's 6005 and 6008 are starts and restarts."""
    own = event(41, Provider="Microsoft-Windows-Kernel-Power"), event(6005, Provider="EventLog")
    foreign = event(41, "2026-11-18T01:00:00Z", Provider="Lake Driver"), event(6008, "2026-11-18T01:00:00Z", Provider="Lake")
    found = windows.stability(source(Events=[*own, *foreign]))
    assert (found.starts, found.unexpected) == (1, 1)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("/Date(1563753600000)/", 1563753600), ("20190722000000.000000+000", 1563753600), ("20190722070000.000000+420", 1563753600),
     ("2019-07-22T00:00:00.1234567Z", 1563753600), ("7/22/2019", 1563753600), ({"DateTime": "x"}, None),
     ({"value": "/Date(1563753600000)/", "DisplayHint": 2, "DateTime": "Thứ Hai, 22 Tháng Bảy 2019"}, 1563753600),
     ("", None), (None, None), ("never", None), ("20191399000000.000000+000", None)],
)  # fmt: skip
def test_dates_in_all_their_forms(value: Any, seconds: int | None) -> None:
    """CIM, PowerShell 5 and 7 and hotfixes write dates in their own ways."""
    assert cim.moment({"x": value}, "x") == seconds


def test_powershell_that_answers_nonsense_is_unreadable() -> None:
    """What is no JSON object says so with the beginning of what came."""
    with pytest.raises(Unreadable, match="PowerShell gave no answer: is not recognized"):
        cim.parsed("is not recognized")
    assert cim.parsed('noise {"A": {"x": 1}, "B": [{"y": 2}], "C": null, "D": [3]}') == {
        "A": [{"x": 1}],
        "B": [{"y": 2}],
        "C": [],
        "D": [],
    }


def test_lists_that_powershell_wraps_are_unwrapped() -> None:
    """PowerShell 5 may write a list as an object that counts it."""
    assert cim.parsed('{"A": {"value": [{"x": 1}, {"x": 2}], "Count": 2}, "B": {"value": {}, "Count": 0}}') == {
        "A": [{"x": 1}, {"x": 2}],
        "B": [],
    }


def test_the_signal_windows_11_keeps_to_itself_is_named() -> None:
    """A wireless card that is connected and tells no signal says why."""
    asked = source(MSFT_NetAdapter={"Name": "Wi-Fi", "InterfaceIndex": 9, "NdisPhysicalMedium": 9, "MediaConnectState": 1})
    assert windows.networks(asked)[0].signal_dbm is None and "location service" in limits(asked)["signal of Wi-Fi"]


def test_software_is_asked_for_only_when_wanted() -> None:
    """The look at the hardware asks for no programs; the list of them takes a call of its own."""
    calls = []

    def run(command: list[str]) -> str:
        calls.append(base64.b64decode(command[-1]).decode("utf-16-le"))
        return json.dumps({"Software": {"Name": "Lake Office", "Date": "20240102"}} if "Uninstall" in calls[-1] else {"X": []})

    asked = Source(run=run)
    assert windows.software(asked)[0][:4] == ("Lake Office", "", "", "2024-01-02")
    assert ["Uninstall" in call for call in calls] == [False, True]


def test_the_script_fits_a_command_line() -> None:
    """Windows takes command lines of at most 32,767 characters."""
    assert len(base64.b64encode(cim.script().encode("utf-16-le"))) < 32_000


def test_the_script_asks_for_every_class() -> None:
    """One PowerShell process is asked for all classes; the answer is kept."""
    calls: list[list[str]] = []

    def run(command: list[str]) -> str:
        calls.append(command)
        return json.dumps({"Win32_BIOS": {"SerialNumber": "LK"}})

    asked = Source(run=run)
    asked.recorded = True
    assert windows.machine(asked).serial == "LK" and windows.processor_packages(asked) == []
    assert len(calls) == 1
    script = base64.b64decode(calls[0][-1]).decode("utf-16-le")
    assert all(f"-ClassName {name} " in script for name in cim.CLASSES)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.text(max_size=12) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
properties = sorted({word for _, words in cim.CLASSES.values() for word in words.split()} | {
    "Id", "Time", "Provider", "Bugcheck", "PowerButton", "PathName", "State", "EditionID", "UBR", "Firmware", "FirmwareType",
})  # fmt: skip
instance = st.dictionaries(st.sampled_from(properties), values, max_size=12)


asked_for = st.sampled_from([*sorted(cim.CLASSES), "Events", "AntivirusServices", "SystemRegistry"])


@given(st.dictionaries(asked_for, st.lists(instance, max_size=2), max_size=6))
def test_whatever_the_answers_the_look_ends_well(answers: Given) -> None:
    """Properties of any type spoil at most their own fact, never the inventory."""
    asked = Source(answers=answers, privileged=True)
    found = collect(source=asked, reader=windows)
    assert not [limit for limit in found.limits if "Error" in limit.reason], found.limits
