"""Messages exchanged with the official AWS Encryption SDK for Python.

    python make.py vectors                 writes official.json, which the tests open
    python make.py check target/.../seal   runs every size and frame length both ways through the example `seal`

Needs the packages in requirements.txt. Keys here are made for the test and protect nothing.
"""

import base64
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient
from aws_encryption_sdk.identifiers import Algorithm, EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKey, RawMasterKeyProvider
from cryptography.exceptions import InvalidTag

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


def cases() -> Iterator[tuple[int, int]]:
    """(length, frame length): around one frame, several frames, and 1 MiB."""
    for frame in (512, 1024, 4096, 16384, 65536):
        for length in (0, 1, frame - 1, frame, frame + 1, 3 * frame, 5 * frame + 7, 1 << 20, (1 << 20) + 1):
            yield length, frame


def run(tool: str, *arguments: str, source: bytes) -> bytes:
    """The example's answer on its standard output."""
    pairs = [f"{key}={value}" for key, value in CONTEXT.items()]
    return subprocess.run([tool, *arguments, *pairs], input=source, stdout=subprocess.PIPE, check=True).stdout


def official_opens_ours(tool: str, length: int, frame: int) -> None:
    """Seals with the example, opens with the official client, which must also refuse it changed."""
    name, key, source = "transfer-1", os.urandom(32), plaintext(length)
    random = [os.urandom(count).hex() for count in (32, 32, 12)]
    sealed = run(tool, "seal", NAMESPACE, name, key.hex(), str(frame), *random, source=source)
    opened, header = STRICT.decrypt(source=sealed, key_provider=master_key(name, key))
    assert opened == source and header.encryption_context == CONTEXT, (length, frame)
    assert header.algorithm is COMMITTING and header.frame_length == frame, (length, frame)
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    try:
        STRICT.decrypt(source=changed, key_provider=master_key(name, key))
    except InvalidTag:
        return
    raise AssertionError(f"the official client opened a changed message: {length} bytes in frames of {frame}")


def ours_opens_official(tool: str, length: int, frame: int) -> None:
    """Encrypts with the official client, opens with the example."""
    name, key, source = "transfer-1", os.urandom(32), plaintext(length)
    message = encrypt(name, key, source, frame)
    assert run(tool, "open", NAMESPACE, name, key.hex(), source=message) == source, (length, frame)


def check(tool: str) -> None:
    """Every case both ways; stops at the first that fails."""
    logging.disable()  # the client logs each refusal with its trace
    count = 0
    for length, frame in cases():
        official_opens_ours(tool, length, frame)
        ours_opens_official(tool, length, frame)
        count += 1
    print(f"{count} sizes both ways: all the same")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["vectors"]:
            write_vectors()
        case ["check", tool_path]:
            check(tool_path)
        case _:
            sys.exit(__doc__)
