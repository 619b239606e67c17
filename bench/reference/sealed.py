"""The official AWS Encryption SDK for Python at the work of `bench-sealed`: what loam-sealed is compared with.

    python sealed.py seal|open|pass FRAME_LENGTH MEBIBYTES

It prepares, says `ready`, waits for a line, works, says `done`, and waits for the end of its input. It streams in the
pieces at which it is fastest. Needs the packages in shared/sealed/vectors/requirements.txt.
"""

import io
import sys
from collections.abc import Callable
from typing import BinaryIO

from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient
from aws_encryption_sdk.identifiers import Algorithm, EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKey

CLIENT = EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
WRAPPING = WrappingKey(WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING, bytes(32), EncryptionKeyType.SYMMETRIC)
KEY = RawMasterKey(provider_id="loam", key_id=b"transfer-1", wrapping_key=WRAPPING)
CONTEXT = {"thing": "bench", "transferId": "1", "direction": "download"}


class Plaintext(io.RawIOBase):
    """So many bytes, made as they are read."""

    def __init__(self, length: int) -> None:
        """Begins with none read."""
        super().__init__()
        self.left = length
        self.ready = b"\x5a" * (1 << 20)

    def read(self, size: int = -1) -> bytes:
        """The next bytes, as many as asked for while there are so many."""
        count = self.left if size < 0 else min(self.left, size)
        self.left -= count
        return self.ready[:count] if count <= len(self.ready) else b"\x5a" * count


def sealing(length: int, frame_length: int) -> BinaryIO:
    """The message, as a stream."""
    options = {"frame_length": frame_length, "algorithm": Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY}
    return CLIENT.stream(mode="e", source=Plaintext(length), key_provider=KEY, encryption_context=CONTEXT, **options)


def opening(message: BinaryIO) -> BinaryIO:
    """The plaintext, as a stream."""
    return CLIENT.stream(mode="d", source=message, key_provider=KEY)


def fastest_piece(frame_length: int) -> int:
    """The bytes to ask for at once: whole frames and few of them, as it copies what it holds with each."""
    return max(64 * 1024, frame_length)


def drain(stream: BinaryIO, piece_length: int) -> int:
    """Reads all of it; gives its length."""
    count = 0
    while piece := stream.read(piece_length):
        count += len(piece)
    return count


def prepared(work: str, length: int, frame_length: int) -> Callable[[], int]:
    """The work, with all done that does not belong to it."""
    piece_length = fastest_piece(frame_length)
    if work == "seal":
        return lambda: drain(sealing(length, frame_length), piece_length)
    if work == "pass":
        return lambda: drain(opening(sealing(length, frame_length)), piece_length)
    message = bytearray()
    stream = sealing(length, frame_length)
    while piece := stream.read(piece_length):
        message += piece
    return lambda: drain(opening(io.BytesIO(message)), piece_length)


def main() -> None:
    """One piece of work, between two words."""
    work, frame_length, mebibytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    length = mebibytes << 20
    do = prepared(work, length, frame_length)
    print("ready", flush=True)
    sys.stdin.readline()
    count = do()
    assert count == length if work != "seal" else count > length, (count, length)
    print("done", flush=True)
    sys.stdin.readline()


main()
