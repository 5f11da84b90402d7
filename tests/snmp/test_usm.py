"""The user-based security model: keys as the standards and another implementation make them, signing, encrypting."""

from __future__ import annotations

import os
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.type.univ import OctetString
from pysnmp.proto.secmod.rfc3414.service import aes, aes192, aes256, des, hmacmd5, hmacsha, hmacsha2

from snmp import errors, usm
from snmp.ciphers import cipher_factory
from snmp.errors import DecryptionError, EncodeError, SecurityError, UnsupportedSecurityLevel
from snmp.usm import AUTH, PRIV, Keys, User

PAIRS = list(product(AUTH, PRIV))
ENGINE = bytes.fromhex("000000000000000000000002")
SECRET = b"authpass1234"
OTHER = b"privpass1234"


def keys_of(auth: str, priv: str = "", engine: bytes = ENGINE, source: str = "cryptography") -> Keys:
    """Keys of a user with these protocols."""
    return User(b"watcher", auth, SECRET, priv, OTHER if priv else b"").localise(engine, cipher_factory(source))


@pytest.mark.parametrize(
    ("auth", "password", "master", "localised"),
    [
        ("MD5", b"maplesyrup", "9faf3283884e92834ebc9847d8edd963", "526f5eed9fcce26f8964c2930787d82b"),
        ("SHA-1", b"maplesyrup", "9fb5cc0381497b3793528939ff788d5d79145211", "6695febc9288e36282235fc7151f128497b38f3f"),
        ("MD5", b"newsyrup", None, "87021d7bd9d101ba05ea6e3bf9d9bd4a"),
        ("SHA-1", b"newsyrup", None, "78e2dcce79d59403b58c1bbaa5bff46391f1cd25"),
    ],
)
def test_keys_of_the_standard(auth: str, password: bytes, master: str | None, localised: str) -> None:
    """RFC 3414 appendices A.3 and A.5: a password becomes the key printed there."""
    key = usm.master_key(auth, password)
    assert master is None or key.hex() == master
    assert usm.localised_key(auth, key, ENGINE).hex() == localised


HMACS = [
    ("MD5", "0b" * 16, b"Hi There", "9294727a3638bb1c13f48ef8158bfc9d"),
    ("MD5", b"Jefe".hex(), b"what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"),
    ("SHA-1", "0b" * 20, b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
    ("SHA-1", b"Jefe".hex(), b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    ("SHA-224", "0b" * 20, b"Hi There", "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22"),
    ("SHA-256", "0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        "SHA-384",
        "0b" * 20,
        b"Hi There",
        "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
    ),
    (
        "SHA-512",
        "0b" * 20,
        b"Hi There",
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
        "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
    ),
    (
        "SHA-224",
        b"Jefe".hex(),
        b"what do ya want for nothing?",
        "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
    ),
    (
        "SHA-256",
        b"Jefe".hex(),
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        "SHA-384",
        b"Jefe".hex(),
        b"what do ya want for nothing?",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
    ),
    (
        "SHA-512",
        b"Jefe".hex(),
        b"what do ya want for nothing?",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    ),
    ("SHA-224", "aa" * 20, b"\xdd" * 50, "7fb3cb3588c6c1f6ffa9694d7d6ad2649365b0c1f65d69d1ec8333ea"),
    ("SHA-256", "aa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (
        "SHA-384",
        "aa" * 20,
        b"\xdd" * 50,
        "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
    ),
    (
        "SHA-512",
        "aa" * 20,
        b"\xdd" * 50,
        "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
        "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
    ),
]


@pytest.mark.parametrize(("auth", "key", "data", "digest"), HMACS)
def test_hmacs_of_the_standards(auth: str, key: str, data: bytes, digest: str) -> None:
    """RFC 2202 and RFC 4231, cases 1 to 3: prepared states give the published HMAC, cut as RFC 3414 and RFC 7860 say."""
    keys = Keys(b"", auth, bytes.fromhex(key), "", b"", cipher_factory())
    assert keys.mac(data).hex() == digest[: 2 * AUTH[auth].mac]


def test_macs_are_as_long_as_the_standards_say() -> None:
    """RFC 3414 sends 12 octets, RFC 7860 16, 24, 32 and 48."""
    assert [keys_of(auth).mac_length for auth in AUTH] == [12, 12, 16, 24, 32, 48]


SHA2 = {name: (1, 3, 6, 1, 6, 3, 10, 1, 1, 4 + i) for i, name in enumerate(["SHA-224", "SHA-256", "SHA-384", "SHA-512"])}
THEIR_AUTH: dict[str, Any] = {
    "MD5": hmacmd5.HmacMd5(),
    "SHA-1": hmacsha.HmacSha(),
    **{name: hmacsha2.HmacSha2(service) for name, service in SHA2.items()},
}
THEIR_PRIV: dict[str, Any] = {
    "DES": des.Des(),
    "AES-128": aes.Aes(),
    "AES-192": aes192.AesBlumenthal192(),
    "AES-256": aes256.AesBlumenthal256(),
    "AES-192-C": aes192.Aes192(),
    "AES-256-C": aes256.Aes256(),
}


def service_of(auth: str) -> Any:
    """pysnmp's OID of an authentication protocol."""
    return SHA2.get(auth) or THEIR_AUTH[auth].SERVICE_ID


@pytest.mark.parametrize("auth", AUTH)
def test_signatures_agree_with_pysnmp(auth: str) -> None:
    """pysnmp localises the same authentication key and accepts what we sign."""
    theirs = THEIR_AUTH[auth]
    key = theirs.localize_key(theirs.hash_passphrase(SECRET), OctetString(ENGINE))
    assert key.asOctets() == usm.localised_key(auth, usm.master_key(auth, SECRET), ENGINE)
    keys = keys_of(auth)
    unsigned = b"whole message " + bytes(keys.mac_length) + b" with a place for its digest"
    signed = keys.sign(unsigned, 14)
    theirs.authenticate_incoming_message(key, OctetString(signed[14 : 14 + keys.mac_length]), signed)
    assert theirs.authenticate_outgoing_message(key, unsigned) == signed


@pytest.mark.parametrize(("auth", "priv"), PAIRS)
def test_encryption_agrees_with_pysnmp(auth: str, priv: str) -> None:
    """For every pair, pysnmp makes the same privacy key, reads what we encrypt, and we read what it encrypts."""
    theirs = THEIR_PRIV[priv]
    service = service_of(auth)
    key = theirs.localize_key(service, theirs.hash_passphrase(service, OTHER), OctetString(ENGINE))
    localised = usm.localised_key(auth, usm.master_key(auth, OTHER), ENGINE)
    assert bytes(key) == usm.stretched_key(auth, localised, ENGINE, priv)
    plain = os.urandom(100)
    for source in ("cryptography", "libcrypto"):
        keys = keys_of(auth, priv, source=source)
        cipher, params = keys.encrypt(plain, 7, 123456)
        assert theirs.decrypt_data(OctetString(bytes(key)), (7, 123456, OctetString(params)), OctetString(cipher))[:100] == plain
        cipher, params = theirs.encrypt_data(OctetString(bytes(key)), (7, 123456, OctetString(b"")), plain)
        assert keys.decrypt(bytes(cipher), 7, 123456, bytes(params))[:100] == plain


@given(st.sampled_from(PAIRS), st.binary(max_size=200), st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_what_is_encrypted_reads_back(pair: tuple[str, str], plain: bytes, boots: int, time: int) -> None:
    """Any plaintext survives every pair at any engine time; only DES may add padding, less than a block of it."""
    keys = keys_of(*pair)
    cipher, params = keys.encrypt(plain, boots, time)
    back = keys.decrypt(cipher, boots, time, params)
    assert len(params) == 8
    assert back[: len(plain)] == plain
    assert len(back) - len(plain) < (8 if pair[1] == "DES" else 1)


@given(st.sampled_from(sorted(AUTH)), st.binary(max_size=300), st.data())
def test_what_is_signed_verifies_and_nothing_else(auth: str, text: bytes, data: st.DataObject) -> None:
    """A MAC anywhere in a message verifies; after any one bit changed it does not, nor as a MAC of another length."""
    keys = keys_of(auth)
    offset = data.draw(st.integers(0, len(text)))
    length = keys.mac_length
    signed = keys.sign(text[:offset] + bytes(length) + text[offset:], offset)
    assert keys.verify(signed, offset, length)
    assert not keys.verify(signed, offset, length - 1)
    assert not keys.verify(signed, offset, 0)
    bit = data.draw(st.integers(0, len(signed) * 8 - 1))
    flipped = bytearray(signed)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not keys.verify(bytes(flipped), offset, length)


def test_a_message_cut_inside_its_mac_does_not_verify() -> None:
    """An offset near the end of the message, or behind it, is no error and no match."""
    keys = keys_of("SHA-1")
    assert not keys.verify(bytes(20), 15, 12)
    assert not keys.verify(bytes(20), 500, 12)


@pytest.mark.parametrize("priv", ["DES", "AES-128"])
def test_no_two_messages_share_a_salt(priv: str) -> None:
    """Salts count on across keys, for DES below the engine's boots (RFC 3414 section 8.1.1.1), and part ways at a fork."""
    one, other = keys_of("SHA-1", priv), keys_of("MD5", priv)
    salts = [keys.encrypt(b"12345678", 3, 9)[1] for keys in (one, other) * 50]
    assert len(set(salts)) == 100
    if priv == "DES":
        assert {salt[:4] for salt in salts} == {b"\0\0\0\x03"}
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, one.encrypt(b"12345678", 3, 9)[1])
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reader, 8)
    os.close(reader)
    os.close(writer)
    assert len(theirs) == 8
    assert theirs != one.encrypt(b"12345678", 3, 9)[1]


def test_what_cannot_be_decrypted_says_why() -> None:
    """Wrong parameters, half a DES block, or a user without privacy raise their own errors."""
    with pytest.raises(DecryptionError, match="parameters of 7 octets, expected 8"):
        keys_of("SHA-1", "AES-128").decrypt(b"1234", 1, 1, b"1234567")
    with pytest.raises(DecryptionError, match="ciphertext of 9 octets"):
        keys_of("SHA-1", "DES").decrypt(b"123456789", 1, 1, b"12345678")
    with pytest.raises(UnsupportedSecurityLevel):
        keys_of("SHA-1").decrypt(b"12345678", 1, 1, b"12345678")
    with pytest.raises(EncodeError):
        keys_of("SHA-1").encrypt(b"12345678", 1, 1)


def test_levels() -> None:
    """A user's level is what its protocols allow."""
    assert [User(b"a").level, User(b"a", "MD5", SECRET).level, User(b"a", "MD5", SECRET, "DES", OTHER).level] == [0, 1, 3]
    assert User(b"a").localise(ENGINE).level == 0


def test_keys_are_made_once_for_an_engine() -> None:
    """Equal users get the same keys at the same engine, others at another, and never a kept one of other ciphers."""
    first, again = (User(b"watcher", "SHA-1", SECRET) for _ in range(2))
    assert first.localise(b"12345") is again.localise(b"12345")
    assert first.localise(b"12345") is not first.localise(b"12346")
    assert first.localise(b"12345") is not first.localise(b"12345", cipher_factory("libcrypto"))
    assert first.localise(b"12345").engine_id == b"12345"


@pytest.mark.parametrize(
    ("given_name", "canonical"),
    [("sha", "SHA-1"), ("SHA1", "SHA-1"), ("sha-1", "SHA-1"), ("md5", "MD5"), ("sha256", "SHA-256"), ("SHA_512", "SHA-512")],
)
def test_authentication_names(given_name: str, canonical: str) -> None:
    """Names as people and other programs write them are understood."""
    assert usm.auth_protocol(given_name) == canonical
    assert User(b"a", given_name, SECRET).auth == canonical


@pytest.mark.parametrize(
    ("given_name", "canonical"),
    [("aes", "AES-128"), ("AES128", "AES-128"), ("aes-256", "AES-256"), ("AES192C", "AES-192-C"), ("aes-256-c", "AES-256-C")],
)
def test_privacy_names(given_name: str, canonical: str) -> None:
    """Names as people and other programs write them are understood."""
    assert usm.priv_protocol(given_name) == canonical
    assert User(b"a", "MD5", SECRET, given_name, OTHER).priv == canonical


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"auth": "SHA-3", "auth_secret": SECRET}, "no authentication protocol 'SHA-3': allowed are MD5, SHA-1, SHA-224"),
        (
            {"auth": "MD5", "auth_secret": SECRET, "priv": "3DES", "priv_secret": OTHER},
            "no privacy protocol '3DES': allowed are DES, AES-128, AES-192, AES-256, AES-192-C, AES-256-C",
        ),
        ({"auth": "MD5", "auth_secret": b"short"}, "'tổ': the authentication secret has 5 octets, expected 8 at least"),
        ({"auth": "MD5", "auth_secret": SECRET, "priv": "DES"}, "'tổ': the privacy secret has 0 octets"),
        ({"priv": "DES", "priv_secret": OTHER}, "'tổ' has privacy DES without authentication"),
        ({"auth_secret": SECRET}, "'tổ' has a secret for authentication but no protocol"),
        ({"name": b"n" * 33}, "33 octets: expected at most 32"),
    ],
)
def test_users_that_cannot_be_say_what_would_be_right(fields: dict[str, Any], complaint: str) -> None:
    """Every wrong combination is refused with what was found and what is allowed, and never shows a secret."""
    with pytest.raises(ValueError, match=complaint) as raised:
        User(**{"name": "tổ".encode(), **fields})
    assert SECRET.decode() not in str(raised.value)


def test_secrets_do_not_print() -> None:
    """Neither repr, str nor format of a user or its keys shows a secret."""
    user = User(b"watcher", "SHA-1", SECRET, "AES-128", OTHER)
    shown = f"{user} {user!r} {[user]} {user.localise(ENGINE)!r}"
    assert SECRET.decode() not in shown
    assert OTHER.decode() not in shown
    assert "watcher" in shown


def test_every_refusal_has_a_counter_and_every_counter_an_error() -> None:
    """USM_STATS names a distinct usmStats object for every error that USM raises, and REPORTS leads back."""
    assert set(usm.USM_STATS) == {error for error in SecurityError.__subclasses__() if error.counter}
    assert sorted(map(str, usm.USM_STATS.values())) == [f"1.3.6.1.6.3.15.1.1.{n}.0" for n in range(1, 7)]
    assert all(usm.REPORTS[name] is error for error, name in usm.USM_STATS.items())
    assert {errors.UnknownContext, errors.UnknownPduHandler} < set(usm.REPORTS.values())
