"""The operator's settings: `haidang.toml` and the files it includes, read into frozen dataclasses or refused whole.

`sample.toml` beside this module shows and explains every key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import agents, discovery, remote_write
from .agents import Agents
from .discovery import Discovery
from .errors import ConfigError
from .keys import KEYS
from .remote_write import RemoteWrite
from .secrets import Password, Secret
from .tables import Address, Table, expected, suggest

LINE_SHARE = 0.05
"""The part of a unit's line that polling takes when the unit names its bandwidth but no packet rate."""
_PACKET_BITS = 1500 * 8


@dataclass(frozen=True, slots=True)
class Collector:
    """How the collector works. Durations are seconds; `database` is an SQLAlchemy URL (it may hold a password)."""

    interval: float
    timeout: float
    retries: int
    packets_per_second: float
    state_directory: Path
    database: Secret
    profiles: Path | None
    log_level: str


@dataclass(frozen=True, slots=True)
class WebUser:
    """Who may read the pages; `password.accepts(text)` tells."""

    name: str
    password: Secret | Password


@dataclass(frozen=True, slots=True)
class Web:
    """Where the pages are served. With users, every page asks for basic authentication."""

    listen: Address
    tls_certificate: Path | None
    tls_key: Path | None
    timestamps: bool
    wrap_counters: bool
    users: tuple[WebUser, ...]


@dataclass(frozen=True, slots=True)
class Credential:
    """What opens a device. Protocol names are canonical (values of `keys.AUTH` and `keys.PRIV`), empty when not used."""

    name: str
    version: str
    community: Secret | None = None
    user: str = ""
    auth: str = ""
    auth_secret: Secret | None = None
    priv: str = ""
    priv_secret: Secret | None = None
    context: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """An office. What it does not set is already filled in from the collector's; of its line, `bandwidth` (contracted) and
    `committed` are bits per second or None."""

    id: str
    name: str
    kind: str
    parent: str
    interval: float
    timeout: float
    retries: int
    packets_per_second: float
    bandwidth: int | None
    committed: int | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """One address to poll. `unit` and `credential` are known to exist; an empty profile is chosen from the answers."""

    id: str
    address: str
    port: int
    unit: str
    credential: str
    profile: str
    name: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. `units` and `credentials` are by id and name, `devices` in the order of the files read (`files`),
    `discoveries` by unit."""

    collector: Collector
    web: Web
    credentials: Mapping[str, Credential]
    units: Mapping[str, Unit]
    devices: tuple[Device, ...]
    files: tuple[Path, ...]
    agents: Agents
    remote_write: RemoteWrite
    discoveries: Mapping[str, Discovery] = field(default_factory=dict)


_RELATIVE_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)((?!/|:memory:|file:).+)")
"""A file's path in an SQLAlchemy URL, which SQLAlchemy would begin at the working directory."""
_RESERVED = ("all", ".", "..")
_SINGLE = ("collector", "web", "agents", "remote_write")
_REPEATED = ("credential", "unit", "device", "discovery")


def read(path: Path | str) -> Settings:
    """Read a settings file and what it includes; raises ConfigError with every problem found."""
    return _Reading(Path(path)).settings()


class _Reading:
    """One reading of a settings file: the problems so far and, of each named thing, the table it was read from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self.files: list[Path] = []
        self.single: dict[str, Table] = {}
        self.repeated: dict[str, list[Table]] = {kind: [] for kind in _REPEATED}
        self.users: list[Table] = []

    def settings(self) -> Settings:
        self._file(self.path, main=True)
        collector = self._collector()
        web = self._web()
        credentials = self._credentials()
        units = self._units(collector)
        devices = self._devices(units, credentials)
        told = agents.read(self._section("agents"))
        writing = remote_write.read(self._section("remote_write"))
        discoveries = discovery.read(self.repeated["discovery"], units, credentials)
        if self.problems:
            raise ConfigError(*self.problems)
        return Settings(collector, web, credentials, units, devices, tuple(self.files), told, writing, discoveries)

    def _file(self, path: Path, main: bool) -> None:
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            self.problems.append(f"{path}: cannot be read ({error.strerror}); expected a settings file in TOML")
            return
        except UnicodeDecodeError as error:
            at, found = error.object.count(b"\n", 0, error.start) + 1, error.object[error.start]
            self.problems.append(f"{path}: line {at} is not UTF-8 text (0x{found:02x}); save the file as UTF-8")
            return
        except tomllib.TOMLDecodeError as error:
            self.problems.append(f"{path}: not valid TOML: {error}")
            return
        self.files.append(path)
        top = Table(raw, path, "", self.problems)
        known = (*_SINGLE, "include", *_REPEATED) if main else _REPEATED
        for key, value in raw.items():
            if key not in known:
                away = not main and (key in _SINGLE or key == "include")
                top.wrong(key, "belongs in the main file only" if away else f"unknown key{suggest(key, known)}")
            elif key in _SINGLE:
                self._one(top, raw, key, path)
            elif key in _REPEATED:
                self.repeated[key] += self._many(top, value, key, path)
        if main and "include" in raw:
            self._include(top, raw["include"])

    def _one(self, top: Table, raw: dict[str, Any], key: str, path: Path) -> None:
        if not isinstance(raw[key], dict):
            top.wrong(key, str(expected(raw[key], f"a table [{key}]")))
            return
        section = dict(raw[key])
        if key == "web" and "user" in section:
            self.users = self._many(top, section.pop("user"), "web.user", path)
        self.single[key] = Table(section, path, f"[{key}]", self.problems)

    def _many(self, top: Table, value: Any, key: str, path: Path) -> list[Table]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            top.wrong(key, str(expected(value, f"repeated tables [[{key}]]")))
            return []
        tables = []
        for position, item in enumerate(value, 1):
            called = item.get("unit") if key == "discovery" else item.get("id") or item.get("name") or item.get("address")
            label = f"[[{key}]] number {position} ({called})" if isinstance(called, str) else f"[[{key}]] number {position}"
            tables.append(Table(item, path, label, self.problems))
        return tables

    def _include(self, top: Table, patterns: Any) -> None:
        if not isinstance(patterns, list) or not all(isinstance(pattern, str) and pattern for pattern in patterns):
            top.wrong("include", str(expected(patterns, 'a list of file names or patterns, such as ["units/*.toml"]')))
            return
        for pattern in patterns:
            root = Path("/") if Path(pattern).is_absolute() else self.path.parent
            try:
                found = sorted(root.glob(pattern.lstrip("/")))
            except (ValueError, NotImplementedError, OSError):
                found = []
            if not found:
                top.wrong("include", f"{pattern!r} matches no file; expected one in {self.path.parent.absolute()}")
            for path in found:
                if path not in self.files:
                    self._file(path, main=False)

    def _section(self, key: str) -> Table:
        return self.single.get(key) or Table({}, self.path, f"[{key}]", self.problems)

    def _collector(self) -> Collector:
        values = self._section("collector").take(KEYS["collector"])
        if values["database"] is None:
            values["database"] = Secret(f"sqlite:///{values['state_directory'] / 'haidang.db'}")
        elif beside := _RELATIVE_SQLITE.fullmatch(values["database"].reveal()):
            values["database"] = Secret(f"{beside[1]}{self.path.parent / beside[2]}")
        return Collector(**values)

    def _web(self) -> Web:
        table = self._section("web")
        values = table.take(KEYS["web"])
        for key, other in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
            if values[key] is None and values[other] is not None:
                table.wrong(key, f"is missing, and {other} is given; TLS needs both")
            elif values[key] is not None and (problem := _unreadable(values[key])):
                table.wrong(key, problem)
        return Web(**values, users=self._web_users())

    def _web_users(self) -> tuple[WebUser, ...]:
        users: dict[str, WebUser] = {}
        for table in self.users:
            values = table.take(KEYS["web.user"])
            given = [value for value in (values["password_hash"], values["password"]) if value is not None]
            if len(given) != 1 and table.has("password") is table.has("password_hash"):
                table.wrong("password", "write one of password_hash, password_file, password_env or password")
            elif values["name"] in users:
                table.wrong("name", f'"{values["name"]}" is given twice; each user has a name of its own')
            elif given:
                users[values["name"]] = WebUser(values["name"], given[0])
        return tuple(users.values())

    def _credentials(self) -> dict[str, Credential]:
        credentials: dict[str, Credential] = {}
        for table in self.repeated["credential"]:
            credential = Credential(**table.take(KEYS["credential"]))
            _check_credential(table, credential)
            if credential.name in credentials:
                table.wrong("name", f'"{credential.name}" is given twice; each credential has a name of its own')
            elif credential.name:
                credentials[credential.name] = credential
        return credentials

    def _units(self, collector: Collector) -> dict[str, Unit]:
        units: dict[str, Unit] = {}
        tables: dict[str, Table] = {}
        for table in self.repeated["unit"]:
            values = table.take(KEYS["unit"])
            for key in ("interval", "timeout", "retries"):
                if values[key] is None:
                    values[key] = getattr(collector, key)
            if values["packets_per_second"] is None:
                share = (values["bandwidth"] or float("inf")) * LINE_SHARE / _PACKET_BITS
                values["packets_per_second"] = max(1.0, min(collector.packets_per_second, share))
            unit = Unit(**values)
            if unit.id in units:
                table.wrong("id", f'"{unit.id}" is given twice; each unit has an id of its own')
            elif unit.id in _RESERVED:
                table.wrong("id", f'"{unit.id}" is no name for a unit: /metrics/{unit.id} is another page')
            elif unit.id:
                units[unit.id] = unit if unit.name else replace(unit, name=unit.id)
                tables[unit.id] = table
        for unit_id, unit in units.items():
            if unit.parent and unit.parent not in units:
                tables[unit_id].wrong("parent", f'no [[unit]] has the id "{unit.parent}"{suggest(unit.parent, units)}')
        for circle in _circles(units):
            tables[circle[0]].wrong("parent", f"goes in a circle: {' -> '.join((*circle, circle[0]))}; one must have no parent")
        return units

    def _devices(self, units: Mapping[str, Unit], credentials: Mapping[str, Credential]) -> tuple[Device, ...]:
        devices: dict[str, Device] = {}
        endpoints: dict[tuple[str, int, str], str] = {}
        keys = KEYS["device"]
        for table in self.repeated["device"]:
            values = table.take(keys)
            host, port = values.pop("address") or ("", 0)
            device_id = values.pop("id") or (host if port == 161 else str(Address(host, port)) if host else "")
            device = Device(device_id, host, port, **values)
            if device.unit and device.unit not in units:
                table.wrong("unit", f'no [[unit]] has the id "{device.unit}"{suggest(device.unit, units)}')
            if device.credential and device.credential not in credentials:
                found = suggest(device.credential, credentials)
                table.wrong("credential", f'no [[credential]] has the name "{device.credential}"{found}')
            if not host:
                continue
            other = endpoints.setdefault((host, port, device.credential), device_id)
            if device_id in devices:
                table.wrong("id", f'"{device_id}" is given twice; each device has an id of its own')
            elif other != device_id:
                table.wrong("address", f'{Address(host, port)} is already the device "{other}"; write a machine once')
            else:
                devices[device_id] = device
        return tuple(devices.values())


def _check_credential(table: Table, credential: Credential) -> None:
    """What each SNMP version needs, and what has no meaning in it."""
    if not credential.version:
        return
    user_keys = ("user", "auth", "auth_secret", "priv", "priv_secret")
    version3 = credential.version == "3"
    for key in ("community",) if version3 else user_keys:
        if table.has(key):
            right = f"write {', '.join(user_keys)}" if version3 else "write community"
            table.wrong(key, f'has no meaning in version "{credential.version}"; {right}')
    needed = "user" if version3 else "community"
    if not table.has(needed):
        table.wrong(needed, f'is missing; version "{credential.version}" needs it')
    if not version3:
        return
    for protocol in ("auth", "priv"):
        for key, other in ((protocol, f"{protocol}_secret"), (f"{protocol}_secret", protocol)):
            if table.has(key) and not table.has(other):
                table.wrong(other, f"is missing, and {key} is given")
    if table.has("priv") and not table.has("auth"):
        table.wrong("auth", "is missing; privacy needs authentication (RFC 3414 section 1.4.3)")


def _circles(units: Mapping[str, Unit]) -> list[list[str]]:
    """Each circle of parents once, as the ids along it."""
    done: set[str] = set()
    circles = []
    for start in units:
        path: dict[str, None] = {}
        at = start
        while at in units and at not in done and at not in path:
            path[at] = None
            at = units[at].parent
        if at in path:
            ids = list(path)
            circles.append(ids[ids.index(at) :])
        done.update(path)
    return circles


def _unreadable(path: Path) -> str:
    try:
        path.read_bytes()
    except OSError as error:
        return f"cannot read {path} ({error.strerror}); expected a PEM file"
    return ""
