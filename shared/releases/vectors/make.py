"""Orders to check a device's firmware with, signed by a key that is forgotten at once.

    python make.py     writes everything here but this script and README.md

Needs the package `cryptography`. Its bytes differ each time, as keys and signatures are random.
"""

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = Path(__file__).parent
MADE = 1_795_000_000_000
CLOCK = MADE + 60_000
DAY = 86_400_000
OVER = MADE + 30 * DAY
LAST = 253_402_300_799_999
IMAGE = b"An image for checks. " * 50
TRUSTED, STRANGER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

Key = ec.EllipticCurvePrivateKey


def name(key: Key) -> str:
    """What stands for a key in a manifest."""
    return hashlib.sha256(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).hexdigest()[:32]


def manifest(sequence: int = 17, version: str = "2.1.0", signer: Key = TRUSTED, **other: object) -> bytes:
    """A manifest; `other` are lines that say something else, with `_` for `-`."""
    lines: dict[str, object] = {
        "signer": name(signer),
        "sequence": sequence,
        "issued-at": MADE,
        "not-after": OVER,
        "release": hashlib.sha256(version.encode()).hexdigest()[:32],
        "version": version,
        "hardware": "board-c3 board-s3",
        "size": len(IMAGE),
        "sha256": hashlib.sha256(IMAGE).hexdigest(),
        "minimum-from": "-",
        "security-counter": 3,
        "downgrade": "no",
    }
    lines |= {line.replace("_", "-"): value for line, value in other.items()}
    return ("loam-firmware-v1\n" + "".join(f"{line}={value}\n" for line, value in lines.items())).encode()


def longest() -> bytes:
    """Each line as long as it may be, for a board that the device is."""
    boards = sorted(["board-c3"] + [str(number).rjust(64, "0") for number in range(15)])
    tail = "a" * 58
    other = {"issued_at": LAST - 1, "not_after": LAST, "hardware": " ".join(boards), "security_counter": 65_535}
    return manifest(2**64 - 1, f"9.0.0-{tail}", minimum_from=f"1.0.0-{tail}", **other)


def sign(message: bytes, key: Key = TRUSTED) -> bytes:
    """A signature in DER."""
    return key.sign(message, ec.ECDSA(hashes.SHA256()))


def with_a_tail(message: bytes) -> bytes:
    """A signature with a byte behind it, shorter than the longest: whoever reads only 72 bytes reads all of it."""
    signature = sign(message)
    while len(signature) > 71:
        signature = sign(message)
    return signature + b"\0"


GOOD, OTHER = manifest(), manifest(18, "2.2.0")
# By file name: the manifest, and the signature if it is not the trusted key's.
ORDERS: dict[str, tuple[bytes, bytes | None]] = {
    "good": (GOOD, None),
    "renewed": (manifest(18), None),
    "other": (OTHER, None),
    "twin": (manifest(17, "2.2.0"), None),
    "late": (manifest(18, issued_at=MADE + 100_000), None),
    "short": (manifest(19, not_after=MADE + 100_000), None),
    "early": (manifest(issued_at=CLOCK + DAY + 1), None),
    "elsewhere": (manifest(hardware="board-c2"), None),
    "same": (manifest(version="2.0.0"), None),
    "weaker": (manifest(security_counter=2), None),
    "weaker-back": (manifest(version="1.9.9", security_counter=2, downgrade="yes"), None),
    "older": (manifest(version="1.9.9"), None),
    "candidate": (manifest(version="2.0.0-rc.1"), None),
    "back": (manifest(version="1.9.9", downgrade="yes"), None),
    "at-minimum": (manifest(minimum_from="2.0.0"), None),
    "leap": (manifest(minimum_from="2.0.1"), None),
    "fits": (manifest(size=1_048_576), None),
    "large": (manifest(size=1_048_577), None),
    "longest": (longest(), None),
    "stranger": ((strange := manifest(signer=STRANGER)), sign(strange, STRANGER)),
    "false-name": (GOOD, sign(GOOD, STRANGER)),
    "of-another": (GOOD, sign(OTHER)),
    "tail": (GOOD, with_a_tail(GOOD)),
    "line-ends": (GOOD.replace(b"\n", b"\r\n"), None),
    "leading-zero": (manifest(sequence="017"), None),
    "unsorted": (manifest(hardware="board-s3 board-c3"), None),
    "no-end": (GOOD[:-1], None),
    "another-line": (GOOD + b"more=1\n", None),
}
MALFORMED = ("line-ends", "leading-zero", "unsorted", "no-end", "another-line")
# Verdict, order, the newest order accepted before, the announced one, the device's clock.
CASES: list[tuple[str, str, str, str, int | str]] = [
    ("accepted", "good", "-", "-", CLOCK),
    ("accepted", "good", "-", "good", CLOCK),
    ("accepted", "good", "good", "good", CLOCK),
    ("accepted", "renewed", "good", "good", CLOCK),
    ("accepted", "back", "-", "-", CLOCK),
    ("accepted", "at-minimum", "-", "-", CLOCK),
    ("accepted", "fits", "-", "-", CLOCK),
    ("accepted", "longest", "-", "-", LAST - 1),
    ("accepted", "early", "-", "-", CLOCK + 1),
    ("accepted", "good", "-", "-", OVER - 1),
    *[("unsigned", order, "-", "-", CLOCK) for order in MALFORMED],
    ("unknown-signer", "stranger", "-", "-", CLOCK),
    *[("bad-signature", order, "-", "-", CLOCK) for order in ("false-name", "of-another", "tail")],
    ("mixed-up", "other", "-", "good", CLOCK),
    ("mixed-up", "good", "-", "renewed", CLOCK),
    ("wrong-hardware", "elsewhere", "-", "-", CLOCK),
    ("replayed", "good", "renewed", "good", CLOCK),
    ("replayed", "twin", "good", "twin", CLOCK),
    ("clock-not-set", "good", "-", "-", "-"),
    ("expired", "good", "-", "-", OVER),
    ("expired", "short", "late", "-", CLOCK),
    ("not-yet-valid", "early", "-", "-", CLOCK),
    ("already-installed", "same", "-", "-", CLOCK),
    ("security-counter", "weaker", "-", "-", CLOCK),
    ("security-counter", "weaker-back", "-", "-", CLOCK),
    ("older-version", "older", "-", "-", CLOCK),
    ("older-version", "candidate", "-", "-", CLOCK),
    ("from-too-old", "leap", "-", "-", CLOCK),
    ("does-not-fit", "large", "-", "-", CLOCK),
]
IMAGES: dict[str, tuple[str, bytes]] = {
    "image": ("accepted", IMAGE),
    "changed": ("image-digest", bytes([IMAGE[0] ^ 1]) + IMAGE[1:]),
    "cut": ("image-size", IMAGE[:-1]),
    "longer": ("image-size", IMAGE + b"\0"),
}


def table(file: str, rows: list[tuple[object, ...]]) -> None:
    """Writes a table: cells between tabs, the first line says what they are."""
    (HERE / file).write_text("".join("\t".join(str(cell) for cell in row) + "\n" for row in rows), encoding="ascii")


def write() -> None:
    """Writes all files."""
    (HERE / "orders").mkdir(exist_ok=True)
    (HERE / "images").mkdir(exist_ok=True)
    public = TRUSTED.public_key()
    (HERE / "trusted.der").write_bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    (HERE / "trusted.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for order, (message, signature) in ORDERS.items():
        (HERE / "orders" / f"{order}.manifest").write_bytes(message)
        (HERE / "orders" / f"{order}.sig").write_bytes(signature or sign(message))
    for image, (_, content) in IMAGES.items():
        (HERE / "images" / f"{image}.bin").write_bytes(content)
    table("orders.tsv", [("verdict", "order", "seen", "announced", "clock"), *CASES])
    table("images.tsv", [("verdict", "image"), *((verdict, image) for image, (verdict, _) in IMAGES.items())])


if __name__ == "__main__":
    write()
