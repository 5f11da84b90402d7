"""Windows' answers: instances of CIM classes, asked for in one PowerShell process and handed over as JSON."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from ..errors import Unreadable
from .source import Source
from .words import clean, serial

Instance = Mapping[str, Any]
Answers = Mapping[str, list[Instance]]

_V2, _STORAGE, _WMI = "root/cimv2", "root/microsoft/windows/storage", "root/wmi"

CLASSES: dict[str, tuple[str, str]] = {
    "Win32_ComputerSystem": (_V2, "Manufacturer Model Domain PartOfDomain Workgroup HypervisorPresent TotalPhysicalMemory"),
    "Win32_ComputerSystemProduct": (_V2, "Vendor Name Version IdentifyingNumber UUID"),
    "Win32_BIOS": (_V2, "Manufacturer SMBIOSBIOSVersion ReleaseDate SerialNumber"),
    "Win32_BaseBoard": (_V2, "Manufacturer Product SerialNumber"),
    "Win32_SystemEnclosure": (_V2, "ChassisTypes SerialNumber SMBIOSAssetTag"),
    "Win32_Processor": (_V2, "Name Manufacturer SocketDesignation NumberOfCores NumberOfLogicalProcessors MaxClockSpeed"),
    "Win32_PhysicalMemory": (
        _V2,
        "Capacity DeviceLocator BankLabel SMBIOSMemoryType MemoryType FormFactor Speed ConfiguredClockSpeed Manufacturer "
        "PartNumber SerialNumber",
    ),
    "Win32_PhysicalMemoryArray": (_V2, "Use MemoryDevices MaxCapacity MaxCapacityEx"),
    "Win32_DiskDrive": (_V2, "Index Model SerialNumber FirmwareRevision Size InterfaceType MediaType PNPDeviceID Status"),
    "Win32_LogicalDisk": (_V2, "DeviceID VolumeName FileSystem DriveType"),
    "Win32_LogicalDiskToPartition": (_V2, "Antecedent Dependent"),
    "Win32_Printer": (_V2, "Name DriverName PortName Default Network Local ServerName"),
    "Win32_Battery": (_V2, "Name DeviceID Chemistry"),
    "Win32_OperatingSystem": (_V2, "Caption Version BuildNumber OSArchitecture InstallDate LastBootUpTime ProductType"),
    "Win32_QuickFixEngineering": (_V2, "HotFixID InstalledOn"),
    "MSFT_PhysicalDisk": (
        _STORAGE,
        "DeviceId FriendlyName Model SerialNumber AdapterSerialNumber FirmwareVersion MediaType BusType HealthStatus Size "
        "SpindleSpeed",
    ),
    "MSFT_StorageReliabilityCounter": (
        _STORAGE, "DeviceId Temperature Wear PowerOnHours StartStopCycleCount ReadErrorsUncorrected WriteErrorsUncorrected",
    ),
    "MSStorageDriver_FailurePredictStatus": (_WMI, "InstanceName PredictFailure Reason"),
    "MSStorageDriver_FailurePredictData": (_WMI, "InstanceName VendorSpecific"),
    "MSStorageDriver_FailurePredictThresholds": (_WMI, "InstanceName VendorSpecific"),
    "WmiMonitorID": (
        _WMI, "InstanceName ManufacturerName ProductCodeID SerialNumberID UserFriendlyName YearOfManufacture Active",
    ),
    "WmiMonitorBasicDisplayParams": (_WMI, "InstanceName MaxHorizontalImageSize MaxVerticalImageSize"),
    "BatteryStaticData": (_WMI, "InstanceName DesignedCapacity ManufactureName SerialNumber DeviceName Chemistry"),
    "BatteryFullChargedCapacity": (_WMI, "InstanceName FullChargedCapacity"),
    "BatteryCycleCount": (_WMI, "InstanceName CycleCount"),
    "AntiVirusProduct": ("root/SecurityCenter2", "displayName productState timestamp"),
    "FirewallProduct": ("root/SecurityCenter2", "displayName productState"),
    "MSFT_MpComputerStatus": (
        "root/Microsoft/Windows/Defender",
        "AMRunningMode AMProductVersion AntivirusEnabled RealTimeProtectionEnabled AntivirusSignatureLastUpdated "
        "DefenderSignaturesOutOfDate",
    ),
    "MSFT_NetAdapter": (
        "root/StandardCimv2",
        "Name InterfaceIndex InterfaceDescription NdisPhysicalMedium ConnectorPresent Virtual HardwareInterface DriverName "
        "PnPDeviceID MediaConnectState",
    ),
    "Win32_NetworkAdapter": (
        _V2, "Index InterfaceIndex NetConnectionID Name PhysicalAdapter PNPDeviceID ServiceName AdapterTypeID",
    ),
    "MSFT_NetAdapterAdvancedPropertySettingData": (
        "root/StandardCimv2", "Name RegistryKeyword DisplayValue ValidDisplayValues",
    ),
    "Win32_EncryptableVolume": ("root/cimv2/Security/MicrosoftVolumeEncryption", "DriveLetter ProtectionStatus ConversionStatus"),
    "Win32_Tpm": ("root/cimv2/Security/MicrosoftTpm", "IsEnabled_InitialValue IsActivated_InitialValue SpecVersion"),
}  # fmt: skip
"""Class -> its namespace and the properties that are asked for."""

SERVICES = ("Bkav", "CMC", "Kaspersky", "ESET", "Sophos", "Trend Micro", "Symantec", "Bitdefender", "SentinelOne", "CrowdStrike")
"""Antivirus makers whose products do not always stand in the security centre: Vietnamese ones, and all on servers."""

_FRAME = r"""
$ErrorActionPreference = 'Stop'
[Console]::OutputEncoding = [Text.Encoding]::UTF8
$r = @{}; $e = @{}
function Add($name, [scriptblock]$read) { try { $r[$name] = @(& $read) } catch { $e[$name] = "$($_.Exception.Message)" } }
%s
$r['Errors'] = @([pscustomobject]$e)
ConvertTo-Json -InputObject $r -Depth 4 -Compress
"""
_OTHERS = r"""
Add 'SystemRegistry' {
  $v = Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
  $s = Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\SecureBoot\State' -ErrorAction SilentlyContinue
  $m = Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager' -ErrorAction SilentlyContinue
  $f = (Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control' -ErrorAction SilentlyContinue).PEFirmwareType
  $k = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion'
  [pscustomobject]@{ DisplayVersion = $v.DisplayVersion; ReleaseId = $v.ReleaseId; EditionID = $v.EditionID; UBR = $v.UBR
    SecureBoot = $s.UEFISecureBootEnabled; Firmware = $env:firmware_type; FirmwareType = $f
    ServicingPending = Test-Path "$k\Component Based Servicing\RebootPending"
    UpdatePending = Test-Path "$k\WindowsUpdate\Auto Update\RebootRequired"
    RenamesPending = [bool]$m.PendingFileRenameOperations
    Admin = ([Security.Principal.WindowsPrincipal][Security.Principal.WindowsIdentity]::GetCurrent()).IsInRole(544) } }
Add 'Edid' { Get-CimInstance -Namespace root/wmi WmiMonitorID | ForEach-Object {
  $p = 'HKLM:\SYSTEM\CurrentControlSet\Enum\' + ($_.InstanceName -replace '_\d+$', '') + '\Device Parameters'
  $b = (Get-ItemProperty $p -ErrorAction SilentlyContinue).EDID
  if ($b) { [pscustomobject]@{ InstanceName = $_.InstanceName; Data = [Convert]::ToBase64String($b) } } } }
Add 'Events' { Get-WinEvent -FilterHashtable @{ LogName = 'System'; Id = 41, 6005, 6008; StartTime = (Get-Date).AddDays(-30) } `
  -ErrorAction SilentlyContinue | ForEach-Object {
  $stop = if ($_.Id -eq 41) { @($_.Properties | ForEach-Object { $_.Value }) } else { @() }
  [pscustomobject]@{ Id = $_.Id; Provider = $_.ProviderName; Time = $_.TimeCreated.ToUniversalTime().ToString('o')
    Bugcheck = $stop[0]; PowerButton = $stop[6] } } }
Add 'MSFT_NetFirewallProfile' { Get-NetFirewallProfile -PolicyStore ActiveStore | ForEach-Object {
  [pscustomobject]@{ Name = $_.Name; Enabled = [int]$_.Enabled } } }
Add 'AntivirusServices' { Get-CimInstance -Query ('SELECT Name, DisplayName, PathName, State FROM Win32_Service WHERE ' + `
  (%SERVICES% -join ' OR ')) | Select-Object Name, DisplayName, PathName, State }
Add 'Wireless' { netsh wlan show interfaces | ForEach-Object { [pscustomobject]@{ Line = "$_" } } }
Add 'Updates' { $u = (New-Object -ComObject Microsoft.Update.AutoUpdate).Results
  [pscustomobject]@{ Time = ([datetime]$u.LastInstallationSuccessDate).ToString('o') } }
"""
_SOFTWARE = r"""
Add 'Software' { $k = 'Microsoft\Windows\CurrentVersion\Uninstall\*'
  Get-ItemProperty "HKLM:\SOFTWARE\$k", "HKLM:\SOFTWARE\WOW6432Node\$k" -ErrorAction SilentlyContinue |
  Where-Object { $_.DisplayName -and -not $_.SystemComponent } | ForEach-Object { [pscustomobject]@{
    Name = $_.DisplayName; Version = $_.DisplayVersion; Maker = $_.Publisher; Date = $_.InstallDate } } }
"""


def script() -> str:
    """The PowerShell that asks for everything; a class that cannot be read is named under `Errors` and spoils no other."""
    adds = [
        f"Add '{name}' {{ Get-CimInstance -Namespace {namespace} -ClassName {name} | "
        f"Select-Object {', '.join(properties.split())} }}"
        for name, (namespace, properties) in CLASSES.items()
    ]
    # The associations' ends are instances; only their keys are wanted.
    text = "\n".join(adds).replace(
        "Win32_LogicalDiskToPartition | Select-Object Antecedent, Dependent",
        "Win32_LogicalDiskToPartition | ForEach-Object { [pscustomobject]@{ Antecedent = $_.Antecedent.DeviceID; "
        "Dependent = $_.Dependent.DeviceID } }",
    )
    services = ", ".join(f"\"PathName LIKE '%{word}%'\"" for word in SERVICES)
    return _FRAME % (text + _OTHERS.replace("%SERVICES%", f"@({services})"))


def answers(source: Source) -> Answers:
    """Everything, asked once and kept with the source; raises Unreadable."""
    if source.answers is None:
        source.answers = _asked(source, script())
    return source.answers


def software(source: Source) -> list[Instance]:
    """Installed programs, which take a look of their own since they are seldom wanted; raises Unreadable."""
    found = answers(source).get("Software")
    return found if found is not None else _asked(source, _FRAME % _SOFTWARE).get("Software", [])


def _asked(source: Source, script: str) -> dict[str, list[Instance]]:
    coded = base64.b64encode(script.encode("utf-16-le")).decode()
    return parsed(source.run(["powershell.exe", "-NoProfile", "-NonInteractive", "-EncodedCommand", coded]))


def parsed(text: str) -> dict[str, list[Instance]]:
    """The answers out of what PowerShell printed; raises Unreadable when that is not them."""
    start = text.find("{")
    try:
        raw = json.loads(text[start:]) if start >= 0 else None
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        raise Unreadable(f"PowerShell gave no answer: {clean(text)[:200] or 'nothing at all'}")
    found: dict[str, list[Instance]] = {}
    for name, instances in raw.items():
        # PowerShell unwraps lists of one.
        listed = instances if isinstance(instances, list) else [instances]
        # PowerShell 5 may wrap them as well.
        if len(listed) == 1 and isinstance(listed[0], dict) and listed[0].keys() == {"value", "Count"}:
            listed = listed[0]["value"] if isinstance(listed[0]["value"], list) else []
        found[name] = [instance for instance in listed if isinstance(instance, dict)]
    return found


def instances(source: Source, name: str) -> list[Instance]:
    """The instances of a class; none when there are none. One that could not be read is noted among the limits."""
    found = answers(source)
    if not found.get(name):
        for errors in found.get("Errors", []):
            if errors.get(name):
                source.missing(name, clean(str(errors[name])))
    return found.get(name, [])


def first(source: Source, name: str) -> Instance:
    """The only instance of a class, an empty one when there is none."""
    found = instances(source, name)
    return found[0] if found else {}


def text(instance: Instance, key: str) -> str:
    """A property as a text without blanks around it; lists of UTF-16 units, as monitors give them, are put together."""
    value = instance.get(key)
    if isinstance(value, list) and all(isinstance(unit, int) for unit in value):
        value = "".join(chr(unit) for unit in value if 0 < unit < 0x10000)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return clean(value) if isinstance(value, str) else ""


def number(instance: Instance, key: str) -> int | None:
    """A property as a whole number."""
    value = instance.get(key)
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,20}\s*", value):
        return int(value)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e20 else None


def truth(instance: Instance, key: str) -> bool | None:
    """A property as yes or no."""
    value = instance.get(key)
    if isinstance(value, str):
        return {"true": True, "false": False, "1": True, "0": False}.get(value.lower())
    return bool(value) if isinstance(value, bool | int) else None


def numbers(instance: Instance, key: str) -> list[int]:
    """A property that is a list of numbers, or one."""
    value = instance.get(key)
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, int) and not isinstance(item, bool)]


def moment(instance: Instance, key: str) -> int | None:
    """A date as Unix seconds: CIM's own form, what ConvertTo-Json makes of one, ISO 8601, or month/day/year."""
    value = instance.get(key)
    if isinstance(value, dict):
        # PowerShell 5 writes {"value": "/Date(...)/", "DateTime": "<in the user's language>"}.
        value = value.get("value") or value.get("DateTime")
    if not isinstance(value, str):
        return None
    match = re.search(r"Date\((-?\d{1,14})\)", value)
    if match:
        return int(match[1]) // 1000
    match = re.match(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.\d{6}([+-]\d{3})", value)
    try:
        if match:
            zone = timezone(timedelta(minutes=int(match[7])))
            return int(datetime(*(int(match[n]) for n in range(1, 7)), tzinfo=zone).timestamp())  # type: ignore[arg-type,misc]
        match = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: .*)?", value.strip())
        if match:
            return int(datetime(int(match[3]), int(match[1]), int(match[2]), tzinfo=UTC).timestamp())
        # PowerShell writes seven digits of the second.
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value.strip()))
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


def disk_serial(value: str) -> str:
    """A disk's serial number; Windows before 8 gives it in hexadecimal, its letters swapped in pairs."""
    if re.fullmatch(r"(?:[0-9a-fA-F]{4}){5,20}", value):
        octets = bytes.fromhex(value)
        if all(32 <= octet < 127 for octet in octets):
            swapped = bytearray(octets)
            swapped[0::2], swapped[1::2] = octets[1::2], octets[0::2]
            return serial(swapped.decode("ascii"))
    return serial(value.rstrip(". "))
