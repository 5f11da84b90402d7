"""The settings with which a collector watches the province: the text of a `haidang.toml`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from snmp.access import CommunityAccess, UserAccess
from snmp.usm import User

from .province import ROUTER, WORKSTATION, Machine, Office, Province

V2C, V3, MIXED = "v2c", "v3", "mixed"

_LINES = ((6, 20), (20, 25), (75, 20), (200, 35))
"""Mbit/s of a commune's line to the state's data network, and how many of a hundred communes have it."""

TITLE = "# A synthetic province"
"""How written settings begin."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens every machine of the province."""

    community: str = "public"
    user: str = "haidang"
    auth: str = "SHA-1"
    auth_secret: str = "hai-dang-auth"
    priv: str = "AES-128"
    priv_secret: str = "hai-dang-priv"

    def communities(self) -> tuple[CommunityAccess, ...]:
        """For the responders."""
        return (CommunityAccess(self.community.encode()),)

    def users(self) -> tuple[UserAccess, ...]:
        """For the responders; raises ValueError for what USM does not know or allow."""
        user = User(self.user.encode(), self.auth, self.auth_secret.encode(), self.priv, self.priv_secret.encode())
        return (UserAccess(user),)


def text(
    province: Province,
    port: int,
    credentials: Credentials,
    versions: str = MIXED,
    head: str = "",
    tail: str = "",
    lines: bool = True,
) -> str:
    """The settings. `versions`: all in v2c, all in v3, or (mixed) workstations and routers in v3 and the rest in v2c.

    `head` and `tail` are put before and after; without `lines` no unit names its bandwidth.
    """
    parts = [
        f"{TITLE}: seed {province.seed}, {len(province.offices) - 1} units, {len(province.machines)} devices.",
        *([head] if head else []),
        _table("credential", name="v2c", version="2c", community=credentials.community),
        _table(
            "credential", name="v3", version="3", user=credentials.user, auth=credentials.auth,
            auth_secret=credentials.auth_secret,
            priv=credentials.priv, priv_secret=credentials.priv_secret,
        ),
        *_units(province, lines),
        *(_device(machine, port, versions) for machine in province.machines),
        *([tail] if tail else []),
    ]  # fmt: skip
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def device_id(machine: Machine) -> str:
    """What a machine is called in the settings."""
    return machine.name.lower()


def _units(province: Province, lines: bool) -> Iterator[str]:
    for office in province.offices:
        bandwidth = _bandwidth(province, office) if lines and office.parent else ""
        yield _table("unit", id=office.id, name=office.name, kind=office.kind, parent=office.parent, bandwidth=bandwidth)


def _bandwidth(province: Province, office: Office) -> str:
    if office.kind == "department":
        return "200 Mbit/s"
    random = province.members(office.id)[0].random("line")
    speeds, weights = zip(*_LINES, strict=True)
    return f"{random.choices(speeds, weights)[0]} Mbit/s"


def _device(machine: Machine, port: int, versions: str) -> str:
    agent = machine.kind in (WORKSTATION, ROUTER)
    credential = versions if versions != MIXED else V3 if agent else V2C
    address = f"{machine.address}:{port}"
    return _table("device", id=device_id(machine), address=address, unit=machine.office, credential=credential)


def _table(table: str, /, **values: str) -> str:
    # A TOML basic string is written as a JSON string is.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value]
    return "\n".join([f"[[{table}]]", *lines])
