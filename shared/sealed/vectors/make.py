"""Messages exchanged with the official AWS Encryption SDK for Python.

    python make.py     writes official.json, which the tests open

Needs the packages in requirements.txt. Keys here are made for the test and protect nothing.
"""

import base64
import json
import os
from pathlib import Path

from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient
from aws_encryption_sdk.identifiers import Algorithm, EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKey, RawMasterKeyProvider

NAMESPACE = "loam"
CONTEXT = {"thing": "sensor-1", "transferId": "0190-7b3a", "direction": "device-to-cloud", "Ümläut": "木"}
COMMITTING = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
STRICT = EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
LAX = EncryptionSDKClient(commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)


def plaintext(length: int) -> bytes:
    """The same bytes as the tests make for this length."""
    return bytes((i * 7 + i // 256) % 251 for i in range(length))


def wrapping_key(key: bytes) -> WrappingKey:
    """The official client's raw AES-256 key."""
    return WrappingKey(WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING, key, EncryptionKeyType.SYMMETRIC)


def master_key(name: str, key: bytes) -> RawMasterKey:
    """What opens messages for the named key."""
    return RawMasterKey(provider_id=NAMESPACE, key_id=name.encode(), wrapping_key=wrapping_key(key))


class RawKeys(RawMasterKeyProvider):
    """Raw AES keys by name: encrypts for each of them."""

    provider_id = NAMESPACE

    def __init__(self, **kwargs: object) -> None:
        """Begins with no key."""
        super().__init__(**kwargs)
        self.keys: dict[bytes, bytes] = {}

    def add(self, name: str, key: bytes) -> None:
        """One more reader."""
        self.keys[name.encode()] = key
        self.add_master_key(name.encode())

    def _get_raw_key(self, key_id: bytes) -> WrappingKey:
        """What the base class asks for."""
        return wrapping_key(self.keys[key_id])


def encrypt(
    name: str,
    key: bytes,
    source: bytes,
    frame_length: int,
    algorithm: Algorithm = COMMITTING,
    context: dict[str, str] | None = None,
) -> bytes:
    """A message by the official client, for the named key and for a second one."""
    provider = RawKeys()
    provider.add("another-reader", os.urandom(32))
    provider.add(name, key)
    client = STRICT if algorithm.is_committing() else LAX
    context = CONTEXT if context is None else context
    message, _ = client.encrypt(
        source=source, key_provider=provider, encryption_context=context, frame_length=frame_length, algorithm=algorithm
    )
    return message


def vector(length: int, frame_length: int, *, refused: str | None = None, **options: object) -> dict[str, object]:
    """One message with all that a test needs to open it, or the code that it is refused with."""
    name, key = "transfer-1", os.urandom(32)
    message = encrypt(name, key, plaintext(length), frame_length, **options)
    return {
        "plaintextLength": length,
        "frameLength": frame_length,
        "namespace": NAMESPACE,
        "keyName": name,
        "wrappingKey": key.hex(),
        "context": options.get("context", CONTEXT),
        "message": base64.b64encode(message).decode(),
        "refused": refused,
    }


def write_vectors() -> None:
    """Writes the committed file; its bytes differ each time, as keys are random."""
    sizes = [(0, 512), (1, 512), (511, 512), (512, 512), (513, 512), (1024, 512), (2600, 512), (1000, 128), (4096, 4096)]
    vectors = [vector(length, frame) for length, frame in sizes]
    vectors.append(vector(20, 128, context={}))
    vectors.append(vector(20, 128, algorithm=Algorithm.AES_256_GCM_IV12_TAG16_HKDF_SHA256, refused="unsupported-version"))
    signed = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384
    vectors.append(vector(20, 128, algorithm=signed, refused="unsupported-suite"))
    vectors.append(vector(20, 0, refused="unsupported-content-type"))
    path = Path(__file__).with_name("official.json")
    path.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(vectors)} vectors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    write_vectors()
