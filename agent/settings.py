"""The agent's settings: one TOML file, every key checked. `haidang-agent.toml` in deploy/ shows them all.

`config.tables` does the same for the collector, but its imports cost more memory than the agent may have.
"""

from __future__ import annotations

import os
import socket
import tomllib
from collections.abc import Callable
from typing import Any, NamedTuple

from snmp.access import Network

from .errors import SettingsError

PORT = 161
RECEIVE_PORT = 9162
"""Where a collector takes reports unless told otherwise."""
INTERVAL = 600
"""Seconds between two reports: with it they stay within a megabyte a day."""
SPOOL = 8
"""Megabytes of reports that may wait for a collector that is silent."""
ENTERPRISE = 32473
CONFIG = (
    os.path.join(os.environ.get("PROGRAMDATA", r"C:\ProgramData"), "Haidang", "haidang-agent.toml")
    if os.name == "nt"
    else "/etc/haidang-agent/haidang-agent.toml"
)
"""Where packages put the settings."""

AUTH = ("MD5", "SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512")
PRIV = ("DES", "AES-128", "AES-192", "AES-256", "AES-192-C", "AES-256-C")
"""The protocols of `snmp.usm`, which is not imported before a user needs it."""
_ALIASES = {"SHA": "SHA-1", "AES": "AES-128"}
_SECRET_OCTETS = 8


class Community(NamedTuple):
    """Who may read over v1 and v2c, and from which networks (none: from everywhere)."""

    name: str
    networks: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Community(name=********, networks={self.networks!r})"


class User(NamedTuple):
    """Who may read over v3, and from which networks (none: from everywhere)."""

    name: str
    auth: str
    auth_secret: str
    priv: str
    priv_secret: str
    networks: tuple[str, ...]

    def __repr__(self) -> str:
        return f"User(name={self.name!r}, auth={self.auth!r}, priv={self.priv!r}, networks={self.networks!r})"


def place(host: str, port: int) -> str:
    """An address and port as settings write them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Push(NamedTuple):
    """A collector that reports are sent to, as which user (who has authentication), and how often."""

    to: tuple[str, int]
    user: User
    interval_seconds: int
    spool_megabytes: int

    @property
    def place(self) -> str:
        """Where, as settings write it."""
        return place(*self.to)


class Settings(NamedTuple):
    """All that an operator says of the agent."""

    listen: tuple[tuple[str, int], ...]
    state: str
    contact: str
    location: str
    enterprise: int
    inventory_hours: int
    software: bool
    users_shown: bool
    communities: tuple[Community, ...]
    users: tuple[User, ...]
    pushes: tuple[Push, ...] = ()


def state_directory() -> str:
    """Where the agent keeps its state unless told otherwise; a service's is $STATE_DIRECTORY (systemd.exec(5))."""
    if given := os.environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return given
    if os.name == "nt":
        return os.path.join(os.environ.get("PROGRAMDATA", r"C:\ProgramData"), "Haidang")
    if os.geteuid() == 0:
        return "/var/lib/haidang-agent"
    home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(home, "haidang-agent")


def load(path: str) -> Settings:
    """Read and check a file; raises SettingsError with every problem found."""
    try:
        with open(path, "rb") as file:
            raw = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from None
    return read(raw, path)


def read(raw: dict[str, Any], path: str) -> Settings:
    """Check what TOML gave; raises SettingsError with every problem found."""
    problems: list[str] = []
    top = _Table(raw, path, "", problems)
    agent = _Table(top.table("agent"), path, "[agent]", problems)
    home = os.path.dirname(os.path.abspath(path))
    communities = [_Table(table, path, f"[[community]] {n}", problems) for n, table in enumerate(top.tables("community"), 1)]
    users = [_Table(table, path, f"[[user]] {n}", problems) for n, table in enumerate(top.tables("user"), 1)]
    told = [_Table(table, path, f"[[push]] {n}", problems) for n, table in enumerate(top.tables("push"), 1)]
    top.done()
    settings = Settings(
        listen=agent.take("listen", _listen, (("127.0.0.1", PORT),)),
        state=os.path.join(home, agent.take("state", _text, state_directory())),
        contact=agent.take("contact", _label, ""),
        location=agent.take("location", _label, ""),
        enterprise=agent.take("enterprise", _whole(1, 2**31 - 1), ENTERPRISE),
        inventory_hours=agent.take("inventory_hours", _whole(1, 168), 6),
        software=agent.take("software", _truth, False),
        users_shown=agent.take("users", _truth, False),
        communities=tuple(_community(table) for table in communities),
        users=tuple(_user(table, home) for table in users),
        pushes=tuple(_push(table, home) for table in told),
    )
    agent.done()
    for what, names in (("community", [c.name for c in settings.communities]), ("user", [u.name for u in settings.users])):
        for name in sorted({name for name in names if name and names.count(name) > 1}):
            shown = "a name" if what == "community" else f'"{name}"'
            problems.append(f"{path}: [[{what}]]: {shown} is given {names.count(name)} times; keep one")
    problems += _twice(settings.pushes, path)
    if problems:
        raise SettingsError(*problems)
    return settings


def pushes(raw: Any, path: str) -> tuple[Push, ...]:
    """The [[push]] tables of another file; raises SettingsError with every problem found."""
    problems: list[str] = []
    found = _Table({"push": raw}, path, "", problems).tables("push")
    read = tuple(
        _push(_Table(table, path, f"[[push]] {n}", problems), os.path.dirname(path)) for n, table in enumerate(found, 1)
    )
    problems += _twice(read, path)
    if problems:
        raise SettingsError(*problems)
    return read


def _twice(given: tuple[Push, ...], path: str) -> list[str]:
    places = [push.place for push in given]
    twice = sorted({to for to in places if places.count(to) > 1})
    return [f"{path}: [[push]]: {to} is given {places.count(to)} times; keep one" for to in twice]


class _Table:
    """One table on its way; reading goes on after a problem, so that all are told at once."""

    __slots__ = ("_label", "_left", "_path", "_problems", "known")

    def __init__(self, raw: dict[str, Any], path: str, label: str, problems: list[str]) -> None:
        self._left = dict(raw)
        self._path = path
        self._label = label
        self._problems = problems
        self.known: list[str] = []

    def wrong(self, key: str, message: str) -> None:
        self._problems.append(": ".join(part for part in (self._path, f"{self._label} {key}".strip(), message) if part))

    def take(self, key: str, reader: Callable[[Any], Any], default: Any = None) -> Any:
        self.known.append(key)
        if key not in self._left:
            if default is None:
                self.wrong(key, "is missing")
            return default
        try:
            return reader(self._left.pop(key))
        except ValueError as error:
            self.wrong(key, str(error))
            return default

    def secret(self, key: str, home: str) -> str:
        """The text of KEY, of the file KEY_file or of the environment's variable KEY_env."""
        written = [name for name in (key, f"{key}_file", f"{key}_env") if name in self._left]
        self.known += [key, f"{key}_file", f"{key}_env"]
        found = ""
        for name in written:
            value = self._left.pop(name)
            if not isinstance(value, str) or not value:
                self.wrong(name, "found no text, expected one in quotes")
            elif name == key:
                found = value
            elif name.endswith("_env"):
                found = os.environ.get(value, "")
                if not found:
                    self.wrong(name, f"the environment has no variable {value}, or it is empty")
            else:
                found = self._secret_file(name, os.path.join(home, value))
        if len(written) > 1:
            self.wrong(key, f"is given {len(written)} times ({', '.join(written)}); keep one")
        return found

    def _secret_file(self, name: str, path: str) -> str:
        try:
            with open(path, encoding="utf-8") as file:
                found = file.read().strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            self.wrong(name, f"cannot read {path}: {getattr(error, 'strerror', None) or 'not UTF-8'}")
            return ""
        if not found or "\n" in found:
            self.wrong(name, f"{path} is {'empty' if not found else 'several lines'}; expected one line with the secret")
            return ""
        return found

    def table(self, key: str) -> dict[str, Any]:
        self.known.append(f"[{key}]")
        found = self._left.pop(key, {})
        if isinstance(found, dict):
            return found
        self.wrong(key, f"found {_kind(found)}, expected a table [{key}]")
        return {}

    def tables(self, key: str) -> list[dict[str, Any]]:
        self.known.append(f"[[{key}]]")
        found = self._left.pop(key, [])
        if isinstance(found, list) and all(isinstance(item, dict) for item in found):
            return found
        self.wrong(key, f"found {_kind(found)}, expected tables [[{key}]]")
        return []

    def done(self) -> None:
        """Refuse what nobody took."""
        for key in self._left:
            self.wrong(key, f"unknown key; known: {', '.join(self.known)}")


def _community(table: _Table) -> Community:
    name = table.take("name", _text)
    community = Community(name or "", table.take("networks", _networks, ()))
    table.done()
    return community


def _push(table: _Table, home: str) -> Push:
    to = table.take("to", _collector)
    interval = table.take("interval_seconds", _whole(1, 86400), INTERVAL)
    spool = table.take("spool_megabytes", _whole(1, 1024), SPOOL)
    user = _user(table, home, "user")
    if not user.auth:
        table.wrong("auth", f"is missing; reports are authenticated: write one of {', '.join(AUTH)}")
    return Push(to or ("", 0), user, interval, spool)


def _user(table: _Table, home: str, key: str = "name") -> User:
    name = table.take(key, _text)
    auth = table.take("auth", _protocol(AUTH, "an authentication protocol"), "")
    auth_secret = table.secret("auth_secret", home)
    priv = table.take("priv", _protocol(PRIV, "a privacy protocol"), "")
    priv_secret = table.secret("priv_secret", home)
    networks = table.take("networks", _networks, ()) if key == "name" else ()
    table.done()
    if name and len(name.encode()) > 32:
        table.wrong(key, f"has {len(name.encode())} octets, expected at most 32")
    if priv and not auth:
        table.wrong("priv", f"privacy needs authentication; write auth = one of {', '.join(AUTH)}")
    for key, protocol, secret in (("auth", auth, auth_secret), ("priv", priv, priv_secret)):
        if protocol and len(secret.encode()) < _SECRET_OCTETS:
            table.wrong(f"{key}_secret", f"expected at least {_SECRET_OCTETS} octets, found {len(secret.encode()) or 'none'}")
        if secret and not protocol:
            table.wrong(f"{key}_secret", f"is given without {key}")
    return User(name or "", auth, auth_secret, priv, priv_secret, networks)


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list", dict: "a table"}


def _kind(found: Any) -> str:
    return repr(found) if isinstance(found, str | int | float) and len(repr(found)) < 60 else _KINDS.get(type(found), "a date")


def _wrong(found: Any, what: str) -> ValueError:
    return ValueError(f"found {_kind(found)}, expected {what}")


def _text(found: Any) -> str:
    if not isinstance(found, str) or not found:
        raise _wrong(found, "a text")
    return found


def _label(found: Any) -> str:
    if not isinstance(found, str) or len(found.encode()) > 255:
        raise _wrong(found, "a text of at most 255 octets")
    return found


def _truth(found: Any) -> bool:
    if not isinstance(found, bool):
        raise _wrong(found, "true or false")
    return found


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def read(found: Any) -> int:
        if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
            raise _wrong(found, f"a whole number from {least} to {most}")
        return found

    return read


def _protocol(allowed: tuple[str, ...], what: str) -> Callable[[Any], str]:
    def read(found: Any) -> str:
        if isinstance(found, str):
            plain = _ALIASES.get(found.upper(), found).upper().replace("-", "").replace("_", "")
            for name in allowed:
                if name.replace("-", "") == plain:
                    return name
        raise _wrong(found, f"{what}: {', '.join(allowed)}")

    return read


def _listen(found: Any) -> tuple[tuple[str, int], ...]:
    given = found if isinstance(found, list) and found else [found]
    return tuple(_address(item) for item in given)


def _collector(found: Any) -> tuple[str, int]:
    try:
        host, port = _address(found, RECEIVE_PORT)
    except ValueError:
        raise _wrong(found, 'a collector\'s address and port, such as "10.1.2.3:9162" or "[fd00::1]:9162"') from None
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # as the system writes it, so that who answers can be compared
    return "127.0.0.1" if host == "localhost" else socket.inet_ntop(family, socket.inet_pton(family, host)), port


def _address(found: Any, otherwise: int = PORT) -> tuple[str, int]:
    if isinstance(found, str):
        host, colon, port = found.rpartition(":")
        if not colon or (":" in host and not host.startswith("[")):
            host, port = found, str(otherwise)
        host = host.strip("[]")
        if host and port.isascii() and port.isdigit() and 0 <= int(port) < 65536 and _literal(host):
            return host, int(port)
    raise _wrong(found, 'an address and a port, such as "0.0.0.0:161" or "[::]:161"')


def _literal(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return host == "localhost"


def _networks(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise _wrong(found, 'a list of networks, such as ["10.1.0.0/16", "fd00::/8"]')
    for item in found:
        Network.parse(item)
    return tuple(found)
