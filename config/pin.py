"""The pin by which a machine knows a collector's certificate that no authority vouches for: that of its public key, so that it
holds for every certificate that is made for the same key."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def pin_of(certificate: bytes) -> str:
    """SHA-256 of the SubjectPublicKeyInfo (RFC 7469 section 2.4) of a certificate in DER, in hexadecimal; raises ValueError."""
    from cryptography.x509 import load_der_x509_certificate

    return _pin(load_der_x509_certificate(certificate))


def pin_in(pem: bytes) -> str:
    """The same of the first certificate in a PEM file."""
    from cryptography.x509 import load_pem_x509_certificate

    return _pin(load_pem_x509_certificate(pem))


def _pin(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = certificate.public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
