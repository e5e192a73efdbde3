"""Ways in which a file comes out wrong: cut short, a bit turned, a part zeroed or swollen."""

from __future__ import annotations

from random import Random

CUT = "cut"
ZEROED = "zeroed"
FLIPPED = "flipped"

# What breaks programs that read numbers, names and nested things from text.
ODD_TEXTS = (
    "NaN",
    "-Infinity",
    "1e999",
    "9" * 5000,
    "-1",
    str(2**64),
    "null",
    '""',
    "[" * 20_000,
    "{" * 20_000,
    '{"a":' * 5_000,
    "\ufeff",
    "\x00",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "../../../etc/passwd",
    "/dev/zero",
    "x" * 300,
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "a,b;c|d",
    '"',
    "\r\n\r\n",
    "é" * 200,
    "\u202e",
    "[1, 2, 3]",
    "true",
    "0x10",
    "1979-05-27T07:32:00Z",
)


def cut(data: bytes, random: Random) -> bytes:
    """The file without its end."""
    return data[: random.randrange(len(data))]


def zero(data: bytes, random: Random) -> bytes:
    """The file with a part of zeros, as a disk or a transfer leaves it."""
    start = random.randrange(len(data))
    length = min(len(data) - start, random.choice((1, 16, 256, 4096)))
    return data[:start] + bytes(length) + data[start + length :]


def flip(data: bytes, random: Random) -> bytes:
    """The file with one bit turned."""
    place = random.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]


def scramble(data: bytes, random: Random) -> bytes:
    """The file with some bytes replaced, most of them near its head, where sizes stand."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 2, 4, 16))):
        place = random.randrange(min(len(data), random.choice((64, 1024, len(data)))))
        changed[place] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    return bytes(changed)


def double(data: bytes, random: Random) -> bytes:
    """The file with a part that comes twice."""
    start = random.randrange(len(data))
    end = min(len(data), start + random.choice((1, 8, 64, 1024)))
    return data[:end] + data[start:end] + data[end:]


def splice(data: bytes, random: Random) -> bytes:
    """The file with an odd text written into it."""
    place = random.randrange(len(data) + 1)
    over = random.choice((0, 0, 8))
    odd = random.choice(ODD_TEXTS).encode("utf-8")
    return data[:place] + odd + data[place + over :]


MUTATIONS = {
    CUT: cut,
    ZEROED: zero,
    FLIPPED: flip,
    "scrambled": scramble,
    "doubled": double,
    "spliced": splice,
}


def mutate(data: bytes, random: Random) -> tuple[str, bytes]:
    """A mutation's name, and what it makes of the file, which is not empty."""
    name = random.choice([*MUTATIONS])
    return name, MUTATIONS[name](data, random)
