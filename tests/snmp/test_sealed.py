"""Messages put together from kept parts and compared with them, beside the ones that are encoded and decoded."""

from __future__ import annotations

from itertools import count

import pytest
from asking import ENGINE_ID
from devices import text
from hypothesis import given
from hypothesis import strategies as st
from mutation import mutated

from snmp import ber, message, usm, v3
from snmp.errors import SnmpError
from snmp.message import Pdu, Request
from snmp.oid import OID
from snmp.sealed import Sealed
from snmp.usm import Keys, User

NUMBER = 0x01020304
USERS = st.sampled_from([
    User(b"u", "SHA-1", b"authpass1234", "AES-128", b"privpass1234"),
    User(b"\x30\x82" * 16, "SHA-512", b"authpass1234", "AES-256", b"privpass1234"),
])  # fmt: skip
ENGINES = st.sampled_from([ENGINE_ID, b"\x80\0\x1f\x88\x80", bytes(range(32))])
CONTEXTS = st.sampled_from([b"", b"vlan-7", bytes(range(200))])
BOOTS = st.sampled_from([0, 1, 127, 128, 2**31 - 1])
TIMES = st.sampled_from([0, 127, 128, 32767, 32768, 2**23, 2**31 - 1])


@given(USERS, ENGINES, CONTEXTS, st.lists(st.tuples(BOOTS, TIMES, st.integers(0, 30)), min_size=1, max_size=3))
def test_what_is_put_together_is_the_message_of_the_standard(
    user: User, engine: bytes, context: bytes, asked: list[tuple[int, int, int]]
) -> None:
    """Whatever was sent before, at other boots and times, a question is octet for octet what encoding it gives."""
    keys = user.localise(engine)
    sealed = Sealed(user.name, keys, context, 65507)
    for boots, time, names in asked:
        request = Request(message.GET_BULK, message.encode_names([OID((1, 3, 6, 1, i)) for i in range(names)]), 1, 20)
        pdu = bytes((message.GET_BULK,)) + _sized(b"\x02\x04" + NUMBER.to_bytes(4, "big") + request.tail)
        scoped = v3.encode_scoped(engine, context, pdu)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(usm, "_salts", count(2**64 - 1))
            expected = v3.encode(NUMBER, 7, engine, boots, time, user.name, scoped, keys)
            patch.setattr(usm, "_salts", count(2**64 - 1))
            assert sealed.wrap(request, NUMBER, boots, time) == expected


def _sized(content: bytes) -> bytes:
    return ber.encode_length(len(content)) + content


def answer(
    keys: Keys, user: User, context: bytes, size: int, boots: int, time: int,
    status: int = 0, max_size: int = 1472, id: int = NUMBER,
) -> bytes:  # fmt: skip
    """An answer with a text of `size` octets."""
    pdu = message.encode_pdu(Pdu(message.RESPONSE, id, status, 0, message.encode_varbinds([text(value=bytes(size))])))
    scoped = v3.encode_scoped(keys.engine_id, context, pdu)
    return v3.encode(NUMBER, 3, keys.engine_id, boots, time, user.name, scoped, keys, max_size)


def decoded(data: bytes, keys: Keys) -> tuple[v3.Message, bytes, bytes, Pdu] | None:
    """The long way."""
    try:
        opened = v3.decode(data)
        return opened, *v3.decode_scoped(v3.open_(opened, data, keys))
    except SnmpError:
        return None


@given(USERS, ENGINES, CONTEXTS, BOOTS, TIMES, st.integers(0, 1400), st.sampled_from([484, 1472, 65507]))
def test_a_usual_answer_is_read(user: User, engine: bytes, context: bytes, boots: int, time: int, size: int, most: int) -> None:
    """An answer without error is read as decoding reads it, and every one of some length is."""
    keys = user.localise(engine)
    data = answer(keys, user, context, size, boots, time, max_size=most)
    found = Sealed(user.name, keys, context, most).unwrap(data, NUMBER, boots, time)
    assert found is not None or size < 256
    if found is not None:
        whole = decoded(data, keys)
        assert whole is not None
        assert found == (whole[3], time)


@given(USERS, BOOTS, TIMES, st.integers(0, 700), st.integers(0, 2**31))
def test_what_is_otherwise_is_not_read(user: User, boots: int, time: int, size: int, seed: int) -> None:
    """Damaged, forged, of other boots, another context, engine, id or user, or with an error: never taken for the answer."""
    keys, sealed = user.localise(ENGINE_ID), Sealed(user.name, user.localise(ENGINE_ID), b"", 1472)
    other = User(b"v", user.auth, user.auth_secret, user.priv, user.priv_secret)
    good = answer(keys, user, b"", size, boots, time)
    others = [
        answer(keys, user, b"", size, boots ^ 1, time),
        answer(keys, user, b"x", size, boots, time),
        answer(user.localise(b"\x80\0\x1f\x88\x81"), user, b"", size, boots, time),
        answer(keys, other, b"", size, boots, time),
        answer(keys, user, b"", size, boots, time, status=5),
        answer(keys, user, b"", size, boots, time, id=NUMBER + 1),
        good[:-1], good + b"\0", b"",
    ]  # fmt: skip
    for data in others:
        assert sealed.unwrap(data, NUMBER, boots, time) is None
    for data in mutated([good], 20, seed):
        if (found := sealed.unwrap(data, NUMBER, boots, time)) is not None:
            whole = decoded(data, keys)
            assert whole is not None
            assert (whole[0].msg_id, whole[0].level, whole[0].boots) == (NUMBER, 3, boots)
            assert found == (whole[3], whole[0].time)
