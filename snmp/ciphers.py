"""The two ciphers USM uses, from `cryptography` or straight from the libcrypto that hashlib has loaded already.

AES is CFB with 128-bit feedback (RFC 3826 section 3.1.1), DES is CBC without padding (RFC 3414 section 8.1.1): single DES is
triple DES with one key three times, which OpenSSL 3 still has in its default provider.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

AES = "AES"
DES = "DES"


class Cipher(Protocol):
    """One key, ready: AES takes any data, DES whole blocks of 8; `iv` is 16 and 8 octets."""

    def encrypt(self, iv: bytes, data: bytes) -> bytes: ...

    def decrypt(self, iv: bytes, data: bytes) -> bytes: ...


Factory = Callable[[str, bytes], Cipher]
"""(AES or DES, key of 16, 24 or 32 octets, for DES 8) -> Cipher."""


def cipher_factory(source: str = "cryptography") -> Factory:
    """Where ciphers come from: "cryptography", fast and large; or "libcrypto" through ctypes, for a process that must stay small.

    Nothing is loaded before the first key is made. "libcrypto" turns to `cryptography` where it finds no such library, or one
    that refuses the cipher.
    """
    if source not in _FACTORIES:
        raise ValueError(f"no ciphers from {source!r}: allowed are {', '.join(_FACTORIES)}")
    return _FACTORIES[source]


class _Packaged:
    """A key in `cryptography`'s hands. One thread at a time may use it."""

    __slots__ = ("_algorithm", "_chain", "_cipher", "_last", "_mode", "_opener")

    def __init__(self, kind: str, key: bytes) -> None:
        self._cipher, aes, cfb, triple_des, self._mode = _cryptography()
        self._algorithm = aes(key) if kind == AES else triple_des(key * 3)
        self._chain: Any = None
        self._last = 0
        if kind == AES:
            self._chain = self._cipher(self._algorithm, self._mode(bytes(16))).encryptor()
            self._opener = self._cipher(self._algorithm, cfb(bytes(16))).decryptor()

    def encrypt(self, iv: bytes, data: bytes) -> bytes:
        if self._chain is None:
            out: bytes = self._cipher(self._algorithm, self._mode(iv)).encryptor().update(data)
            return out
        # What CFB adds to the plaintext is what CBC makes of the initialisation vector and the plaintext (NIST SP 800-38A
        # sections 6.2 and 6.3). A chain that goes on from message to message spares making a cipher, which costs more than
        # using it; what the last message left in it is taken out of the vector.
        size = len(data)
        stream = self._chain.update((int.from_bytes(iv) ^ self._last).to_bytes(16) + data + bytes(-size % 16))
        self._last = int.from_bytes(stream[-16:])
        return (int.from_bytes(data) ^ int.from_bytes(stream[:size])).to_bytes(size)

    def decrypt(self, iv: bytes, data: bytes) -> bytes:
        if self._chain is None:
            out: bytes = self._cipher(self._algorithm, self._mode(iv)).decryptor().update(data)
            return out
        # in CFB the vector stands for the block before the first: for one kept decryptor it is just that
        size = len(data)
        opened: bytes = self._opener.update(iv + data + bytes(-size % 16))
        return opened[16 : 16 + size]


@cache
def _cryptography() -> tuple[Any, ...]:
    from cryptography.hazmat.primitives.ciphers import Cipher as Pair
    from cryptography.hazmat.primitives.ciphers import algorithms, modes

    # Releases keep moving what they deprecate: triple DES since 43, CFB since 47.
    try:
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    except ImportError:
        TripleDES = algorithms.TripleDES  # type: ignore[misc]
    try:
        from cryptography.hazmat.decrepit.ciphers.modes import CFB
    except ImportError:
        CFB = modes.CFB  # type: ignore[misc]
    return Pair, algorithms.AES, CFB, TripleDES, modes.CBC


class _Linked:
    """A key for libcrypto's EVP interface. Its contexts and its buffer are kept, since making them costs more than the cipher of
    a message; so one thread at a time may use it."""

    __slots__ = ("_decrypting", "_encrypting", "_library", "_out", "_size", "_there", "_written")

    def __init__(self, library: Any, kind: str, key: bytes) -> None:
        import ctypes

        self._library = library
        self._written = ctypes.c_int()
        self._there = ctypes.byref(self._written)
        self._grow(0)
        evp = getattr(library, f"EVP_aes_{len(key) * 8}_cfb128" if kind == AES else "EVP_des_ede3_cbc")()
        self._encrypting, self._decrypting = library.EVP_CIPHER_CTX_new(), library.EVP_CIPHER_CTX_new()
        for context, encrypt in ((self._encrypting, 1), (self._decrypting, 0)):
            if not (
                library.EVP_CipherInit_ex(context, evp, None, key if kind == AES else key * 3, None, encrypt)
                # CBC decryption may hold back the last block unless told that there is no padding
                and library.EVP_CIPHER_CTX_set_padding(context, 0)
            ):
                raise OSError("libcrypto refuses the cipher")

    def __del__(self) -> None:
        for context in (self._encrypting, self._decrypting):
            self._library.EVP_CIPHER_CTX_free(context)

    def encrypt(self, iv: bytes, data: bytes) -> bytes:
        return self._run(self._encrypting, iv, data)

    def decrypt(self, iv: bytes, data: bytes) -> bytes:
        return self._run(self._decrypting, iv, data)

    def _run(self, context: int, iv: bytes, data: bytes) -> bytes:
        library, size = self._library, len(data)
        if size > self._size:
            self._grow(size)
        # -1 leaves the direction as it is, as None leaves cipher and key
        if not (
            library.EVP_CipherInit_ex(context, None, None, None, iv, -1)
            and library.EVP_CipherUpdate(context, self._out, self._there, data, size)
        ):
            raise OSError("libcrypto refuses the data")
        return self._out.raw[: self._written.value]

    def _grow(self, size: int) -> None:
        import ctypes

        self._size = max(size, 2048)
        self._out = ctypes.create_string_buffer(self._size + 16)


@cache
def _libcrypto() -> Any:
    """The library hashlib uses (so it costs no memory), None where it cannot be reached."""
    import _hashlib
    import ctypes

    names = ("libcrypto-3.dll", "libcrypto-3-x64.dll", "libcrypto-1_1.dll")
    for name in (getattr(_hashlib, "__file__", None), *names):
        try:
            # PyDLL keeps the interpreter's lock: the calls are shorter than giving it up and taking it again.
            library = ctypes.PyDLL(name)
            pointer, octets, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
            for function in ("EVP_CIPHER_CTX_new", "EVP_des_ede3_cbc", *(f"EVP_aes_{n}_cfb128" for n in (128, 192, 256))):
                getattr(library, function).restype = pointer
            library.EVP_CipherInit_ex.argtypes = [pointer, pointer, pointer, octets, octets, number]
            library.EVP_CIPHER_CTX_set_padding.argtypes = [pointer, number]
            library.EVP_CipherUpdate.argtypes = [pointer, octets, pointer, octets, number]
            library.EVP_CIPHER_CTX_free.argtypes = [pointer]
            library.EVP_CIPHER_CTX_free.restype = None
        except (OSError, AttributeError):
            continue
        return library
    return None


def _linked(kind: str, key: bytes) -> Cipher:
    library = _libcrypto()
    if library is None:
        return _Packaged(kind, key)
    try:
        return _Linked(library, kind, key)
    except OSError:
        return _Packaged(kind, key)


_FACTORIES: dict[str, Factory] = {"cryptography": _Packaged, "libcrypto": _linked}
