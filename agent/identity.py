"""Which machine this is, by what it says of itself; and whether the disk with the agent's keys has come to another one.

Cloned disk images bring an agent's keys, its machine id and its host name to machines they were not made for.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from types import ModuleType

from .errors import Unreadable
from .facts import Interface
from .inventory.source import Source

Identity = Mapping[str, Sequence[str]]
"""Kind (serial, board, uuid, model, mac, machine, name) -> what is said of it."""
BURNT_IN = ("serial", "board", "uuid")
"""What a machine keeps whatever disk is put into it; so are its network cards' addresses, until one is changed."""
_MACHINE_ID = "/etc/machine-id"


def said(cards: Iterable[Interface], source: Source | None = None, reader: ModuleType | None = None) -> dict[str, list[str]]:
    """What this machine, which has these network cards, says; a kind that cannot be read is missing."""
    source = source or Source()
    reader = reader or import_module("agent.inventory.windows" if os.name == "nt" else "agent.inventory.linux")
    found: dict[str, list[str]] = {"name": [socket.gethostname()]}
    try:
        machine = reader.machine(source)
        found |= {
            "serial": [machine.serial], "board": [machine.board_serial], "uuid": [machine.uuid],
            "model": [machine.model or machine.board_model],
        }  # fmt: skip
    except Unreadable:
        pass
    found["mac"] = sorted({card.mac.hex() for card in cards if card.physical and len(card.mac) == 6 and not card.mac[0] & 3})
    if os.name == "posix" and (text := source.text(_MACHINE_ID).strip()):
        # machine-id(5): confidential; what leaves the machine is a digest of it
        found["machine"] = [hashlib.sha256(f"haidang-agent {text}".encode()).hexdigest()[:32]]
    return {kind: values for kind, texts in found.items() if (values := [text for text in texts if text])}


def other(before: Identity, now: Identity) -> bool:
    """Is this another machine than the one that said `before`?

    It is when more of what is burnt in differs than agrees; and when as much does, or only the network cards are known, if its
    host name is another one, too. So neither a new network card nor a new name makes another machine.
    """
    agree = differ = known = 0
    for kind in (*BURNT_IN, "mac"):
        then, here = set(before.get(kind, ())), set(now.get(kind, ()))
        if then and here:
            known += kind in BURNT_IN
            if then & here:
                agree += 1
            else:
                differ += 1
    renamed = list(before.get("name", ())) != list(now.get("name", ()))
    if not known:
        return differ > agree and renamed
    return differ > agree or (differ == agree and differ > 0 and renamed)
