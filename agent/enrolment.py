"""What an agent got when it enrolled, on disk: its collector, its keys, and the machine it was enrolled on."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import state
from .errors import SettingsError, StateError
from .settings import Push, pushes

FILE = "enrolment.toml"


class Enrolment(NamedTuple):
    """An agent's place with its collector.

    `pin` is the SHA-256 of the key of the collector's certificate, `ca` a file of authorities; without them the system's vouch.
    `machine` is what the machine said of itself then. `release_key` is what new versions are signed with, in hexadecimal, empty
    while the collector has none; once it is known no answer changes it.
    """

    url: str
    pin: str
    ca: str
    device: str
    unit: str
    unit_name: str
    user: str
    token: str
    check_in_seconds: int
    machine: Mapping[str, Sequence[str]]
    pushes: tuple[Push, ...]
    release_key: str = ""

    def __repr__(self) -> str:
        return f"Enrolment(url={self.url!r}, device={self.device!r}, user={self.user!r})"


_TEXTS = ("url", "pin", "ca", "device", "unit", "unit_name", "user", "token")


def load(directory: str) -> Enrolment | None:
    """The enrolment in a state directory, None when there is none; raises StateError when it is damaged."""
    path = os.path.join(directory, FILE)
    data = state.read(path)
    if data is None:
        return None
    try:
        raw = tomllib.loads(data.decode())
        table: dict[str, Any] = raw["enrolment"]
        texts = {key: str(table[key]) for key in _TEXTS}
        machine = {kind: [str(value) for value in values] for kind, values in table["machine"].items()}
        found = pushes(raw.get("push", []), path)
        seconds, key = int(table["check_in_seconds"]), str(table.get("release_key", ""))
        return Enrolment(**texts, check_in_seconds=seconds, machine=machine, pushes=found, release_key=key)
    except (KeyError, TypeError, ValueError, AttributeError, SettingsError) as error:
        raise StateError(f"{path}: is damaged ({error}); enrol again: haidang-agent enrol URL CODE") from None


def save(directory: str, enrolment: Enrolment) -> bool:
    """Keep an enrolment; False when it is what is kept already. Raises StateError."""
    lines = ["[enrolment]", *(f"{key} = {_quoted(getattr(enrolment, key))}" for key in _TEXTS)]
    lines += [f"check_in_seconds = {enrolment.check_in_seconds}", f"release_key = {_quoted(enrolment.release_key)}"]
    lines += ["[enrolment.machine]"]
    lines += [f"{kind} = [{', '.join(map(_quoted, values))}]" for kind, values in enrolment.machine.items()]
    for push in enrolment.pushes:
        user = push.user
        lines += [
            "[[push]]", f"to = {_quoted(push.place)}", f"user = {_quoted(user.name)}",
            f"auth = {_quoted(user.auth)}", f"auth_secret = {_quoted(user.auth_secret)}", f"priv = {_quoted(user.priv)}",
            f"priv_secret = {_quoted(user.priv_secret)}", f"interval_seconds = {push.interval_seconds}",
            f"spool_megabytes = {push.spool_megabytes}",
        ]  # fmt: skip
    content = ("\n".join(lines) + "\n").encode()
    path = os.path.join(directory, FILE)
    if state.read(path) == content:
        return False
    state.write(path, content)
    return True


def _quoted(text: str) -> str:
    """A TOML basic string; control characters, which no name needs, are left out."""
    plain = "".join(letter for letter in text if letter.isprintable())
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
