"""The development CA and the things' keys and certificates, as a factory would make them."""

import datetime
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from loam_local.errors import LocalError

_CA_LIFE = datetime.timedelta(days=3650)
# A clock that runs a little ahead must not make a fresh certificate "not yet valid".
_BACKDATED = datetime.timedelta(minutes=5)


PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_KEYS: dict[str, Callable[[], PrivateKey]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    # Too short for AWS: to see that it is refused.
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
}
KEYS = tuple(_KEYS)


@dataclass(frozen=True)
class Order:
    """What a device certificate is to be; as it stands it is a good one. Days count from now."""

    name: str
    key: str = "p256"
    from_day: float = 0.0
    days: float = 365.0
    # Signed with another key than the authority's: the issuer's name is right, the signature is not.
    forged: bool = False


class Authority:
    """A certificate authority: its certificate, and a key that only its owner may read."""

    def __init__(self, pem: str, key: PrivateKey) -> None:
        self.pem = pem
        self._certificate = x509.load_pem_x509_certificate(pem.encode())
        self._key = key
        if self._certificate.public_key() != key.public_key():
            raise LocalError("ca-key-mismatch", "the key is not that of the CA's certificate: name the two files that "
                             "belong together", status=2)

    @classmethod
    def ensure(cls, folder: Path) -> "Authority":
        """The authority in a directory (`ca.pem`, `ca.key`), made when the directory holds none."""
        folder.mkdir(parents=True, exist_ok=True)
        certificate, key = folder / "ca.pem", folder / "ca.key"
        if not (certificate.exists() and key.exists()):
            _make_authority(certificate, key)
        return cls.open(certificate, key)

    @classmethod
    def open(cls, certificate: Path, key: Path) -> "Authority":
        """The authority of two PEM files. Raises `ca-unreadable`, `ca-key-mismatch`."""
        try:
            pem, loaded = certificate.read_text(), serialization.load_pem_private_key(key.read_bytes(), None)
            if not isinstance(loaded, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
                raise ValueError("the key is neither RSA nor of an elliptic curve that AWS IoT takes")
            return cls(pem, loaded)
        except (OSError, ValueError, TypeError) as error:
            raise LocalError("ca-unreadable", f"the CA in {certificate} and {key} cannot be used ({error}): expected "
                             "its certificate and its unencrypted private key, both in PEM", status=2) from error

    def issue(self, name: str) -> tuple[str, str]:
        """A new key and a one-year client certificate with this common name: (certificate PEM, key PEM)."""
        return self.issue_as(Order(name))

    def issue_as(self, order: Order) -> tuple[str, str]:
        """A new key and a client certificate as ordered: (certificate PEM, key PEM)."""
        key = _KEYS[order.key]()
        now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=order.from_day)
        builder = _builder(_subject(order.name), self._certificate.subject, key.public_key(),
                           datetime.timedelta(days=order.days), now)
        for extension, critical in (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_key_usage(signs_certificates=False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        ):
            builder = builder.add_extension(extension, critical)
        signer = _another_key(self._key) if order.forged else self._key
        return _pem(builder.sign(signer, hashes.SHA256())), _key_pem(key)


def _another_key(key: PrivateKey) -> PrivateKey:
    """Another key of the same kind."""
    return _KEYS["p256" if isinstance(key, ec.EllipticCurvePrivateKey) else "rsa2048"]()


def _make_authority(certificate: Path, key_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own for each authority: AWS finds the CA of a device certificate by subject and key.
    subject = _subject(f"Loam development CA {os.urandom(4).hex()}")
    builder = _builder(subject, subject, key.public_key(), _CA_LIFE, datetime.datetime.now(datetime.UTC))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    write_private(key_path, _key_pem(key))
    certificate.write_text(_pem(builder.sign(key, hashes.SHA256())))


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
             life: datetime.timedelta, now: datetime.datetime) -> x509.CertificateBuilder:
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
            .serial_number(x509.random_serial_number()).not_valid_before(now - _BACKDATED).not_valid_after(now + life))


def _key_usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(digital_signature=not signs_certificates, key_cert_sign=signs_certificates,
                         crl_sign=signs_certificates, content_commitment=False, key_encipherment=False,
                         data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False)


def certificate_id(pem: str) -> str:
    """AWS's id of a certificate: the SHA-256 of its DER form in hexadecimal."""
    return x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256()).hex()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: PrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()
