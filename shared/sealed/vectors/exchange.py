"""The official client at the other end of a pipe: it seals and opens files of any length as they come.

    python exchange.py

A job is one line of JSON on standard input, and the source behind it. The answer is the result and one line of JSON: what
the header says, or what the client refused the source with. Source and result are pieces, each with its length in front
(u32, big-endian); a length of 0 ends them. No more than a few pieces are ever held.

Needs the packages in requirements.txt.
"""

import io
import json
import logging
import sys
from typing import BinaryIO

from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from cryptography.exceptions import InvalidTag
from make import COMMITTING, STRICT, RawKeys, master_key

PIECE = 64 * 1024
REFUSALS = (AWSEncryptionSDKClientError, InvalidTag)


class Source(io.RawIOBase):
    """The pieces of a job, as one stream."""

    def __init__(self, pieces: BinaryIO) -> None:
        """Begins in front of the first piece."""
        super().__init__()
        self.pieces = pieces
        self.left = 0
        self.ended = False

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:
        """Fills the buffer from one piece; 0 after the last."""
        if self.left == 0 and not self.ended:
            self.left = int.from_bytes(self.pieces.read(4), "big")
            self.ended = self.left == 0
        count = self.pieces.readinto(buffer[: min(len(buffer), self.left)])
        self.left -= count
        return count


def put(result: BinaryIO, piece: bytes) -> None:
    """Writes a piece, with its length in front."""
    result.write(len(piece).to_bytes(4, "big"))
    result.write(piece)


def work(job: dict, source: BinaryIO, result: BinaryIO) -> dict:
    """Seals or opens the source as the job says; gives what the header says."""
    key = bytes.fromhex(job["wrappingKey"])
    if job["do"] == "seal":
        keys = RawKeys()
        keys.add(job["keyName"], key)
        options = {"encryption_context": job["context"], "frame_length": job["frameLength"], "algorithm": COMMITTING}
        stream = STRICT.stream(mode="e", source=source, key_provider=keys, **options)
    else:
        stream = STRICT.stream(mode="d", source=source, key_provider=master_key(job["keyName"], key))
    with stream:
        while piece := stream.read(PIECE):
            put(result, piece)
        header = stream.header
    return {
        "suite": header.algorithm.algorithm_id,
        "frameLength": header.frame_length,
        "context": header.encryption_context,
    }


def answer(job: dict, pieces: BinaryIO, result: BinaryIO) -> None:
    """Does one job and leaves the pipe in front of the next."""
    source = io.BufferedReader(Source(pieces), PIECE)
    try:
        said = work(job, source, result)
    except REFUSALS as refusal:
        said = {"refused": type(refusal).__name__}
    while source.read(PIECE):
        pass
    put(result, b"")
    result.write(json.dumps(said).encode() + b"\n")
    result.flush()


def main() -> None:
    """Does jobs until the input ends."""
    logging.disable()  # the client logs each refusal with its trace
    pieces, result = sys.stdin.buffer, sys.stdout.buffer
    while line := pieces.readline():
        answer(json.loads(line), pieces, result)


if __name__ == "__main__":
    main()
