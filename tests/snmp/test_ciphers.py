"""Ciphers: published vectors, and both sources the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snmp import ciphers
from snmp.ciphers import AES, DES, cipher_factory

ROOT = Path(__file__).parents[2]
SOURCES = ("cryptography", "libcrypto")

PLAIN = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
VECTORS = [
    (AES, "2b7e151628aed2a6abf7158809cf4f3c", "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b"),
    (
        AES,
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
        "cdc80d6fddf18cab34c25909c99a417467ce7f7f81173621961a2b70171d3d7a",
    ),
    (
        AES,
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b",
    ),
]
"""NIST SP 800-38A sections F.3.13, F.3.15 and F.3.17, two blocks of each."""


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("kind", "key", "cipher"), VECTORS)
def test_aes_vectors(source: str, kind: str, key: str, cipher: str) -> None:
    """AES is CFB with 128-bit feedback as NIST publishes it."""
    aes = cipher_factory(source)(kind, bytes.fromhex(key))
    iv = bytes(range(16))
    assert aes.encrypt(iv, bytes.fromhex(PLAIN)).hex() == cipher
    assert aes.decrypt(iv, bytes.fromhex(cipher)).hex() == PLAIN


@pytest.mark.parametrize("source", SOURCES)
def test_des_vector(source: str) -> None:
    """One key three times makes triple DES single DES, and CBC chains its blocks."""
    des = cipher_factory(source)(DES, bytes.fromhex("133457799bbcdff1"))
    plain = bytes.fromhex("0123456789abcdef")
    first = bytes.fromhex("85e813540f0ab405")
    assert des.encrypt(bytes(8), plain) == first
    whitened = bytes(a ^ b for a, b in zip(plain, first, strict=True))
    assert des.encrypt(bytes(8), plain + whitened) == first * 2
    assert des.decrypt(bytes(8), first * 2) == plain + whitened


@given(
    st.sampled_from([(AES, 16, 16, 1), (AES, 24, 16, 1), (AES, 32, 16, 1), (DES, 8, 8, 8)]),
    st.binary(min_size=32, max_size=32),
    st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.binary(max_size=300)), min_size=1, max_size=4),
)
def test_both_sources_agree_and_undo_themselves(
    shape: tuple[str, int, int, int], key: bytes, messages: list[tuple[bytes, bytes]]
) -> None:
    """Both sources give the same ciphertexts for any key and messages, one after the other and empty ones included, and decrypt
    what they encrypted."""
    kind, key_size, iv_size, block = shape
    one, other = (cipher_factory(source)(kind, key[:key_size]) for source in SOURCES)
    for iv, data in messages:
        iv, data = iv[:iv_size], data[: len(data) // block * block]
        encrypted = one.encrypt(iv, data)
        assert other.encrypt(iv, data) == encrypted
        assert one.decrypt(iv, encrypted) == other.decrypt(iv, encrypted) == data


def test_libcrypto_is_found_here() -> None:
    """The tests above compare two implementations, not one with itself."""
    one, other = (type(cipher_factory(source)(AES, bytes(16))) for source in SOURCES)
    assert one is not other


def test_without_libcrypto_the_package_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where libcrypto cannot be reached, "libcrypto" gives the same ciphers through `cryptography`."""
    monkeypatch.setattr(ciphers, "_libcrypto", lambda: None)
    assert type(cipher_factory("libcrypto")(AES, bytes(16))) is type(cipher_factory()(AES, bytes(16)))


def test_an_unknown_source_is_refused() -> None:
    """The message names the two there are."""
    with pytest.raises(ValueError, match="cryptography, libcrypto"):
        cipher_factory("openssl")


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_is_loaded_before_a_key_is_made(source: str) -> None:
    """Importing USM and asking for a factory loads neither `cryptography` nor ctypes; libcrypto never loads `cryptography`."""
    program = f"""
import sys
from snmp import ciphers, usm, v3
factory = ciphers.cipher_factory({source!r})
usm.User(b"watcher", "SHA-1", b"authpass1234").localise(b"12345678", factory)
print("cryptography" in sys.modules, "ctypes" in sys.modules, "dataclasses" in sys.modules, "asyncio" in sys.modules)
usm.User(b"watcher", "SHA-1", b"authpass1234", "AES-128", b"privpass1234").localise(b"12345678", factory).encrypt(b"x", 1, 1)
print("cryptography" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.split() == ["False"] * 4 + [str(source == "cryptography")]
