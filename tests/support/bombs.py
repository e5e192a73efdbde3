"""Small files that would take a decoder minutes or gigabytes, each made by code.

`python -m tests.support.bombs` reads each in a fresh process and prints what that took.
"""

from __future__ import annotations

import io
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from pydicom import uid

if __name__ == "__main__":  # as a module of the repository, not with pytest's path
    sys.path.insert(0, str(Path(__file__).parent))
import films

from assistant.errors import IntakeError
from assistant.intake import read_film_bytes
from assistant.intake.decoding import close_decoders

# The passes of an interlaced PNG: (left, top, step to the right, step down), W3C PNG 8.2.
_ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip
LARGE = 6300  # pixels on a side: as large as is read


def png(side: int, depth: int, colour: int, *, interlaced: bool = False) -> bytes:
    """A black PNG of side x side pixels, W3C PNG 11.2.2."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    steps = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    size = sum(
        len(range(top, side, down)) * (1 + -(-len(range(left, side, right)) * samples * depth // 8))
        for left, top, right, down in steps
    )
    packed = zlib.compress(bytes(size), 9)
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, int(interlaced))
    parts = [(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")]
    if colour == 3:
        parts.insert(1, (b"PLTE", bytes(768)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts
    )


def png_text(size: int) -> bytes:
    """A PNG with a compressed text that unfolds to `size` bytes."""
    text = b"zTXt" + b"Comment\0\0" + zlib.compress(bytes(size), 9)
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    whole = films.picture(films.EIGHT)
    return whole[:33] + chunk * 20 + whole[33:]


def png_chunks(count: int) -> bytes:
    """A PNG with very many empty chunks."""
    chunk = struct.pack(">I", 0) + b"teSt" + struct.pack(">I", zlib.crc32(b"teSt"))
    whole = films.picture(films.EIGHT)
    return whole[:33] + chunk * count + whole[33:]


def progressive(side: int, scans: int) -> bytes:
    """A progressive JPEG with its last scan repeated, as often as makes `scans` more."""
    image = Image.new("L", (side, side), 100)
    file = io.BytesIO()
    image.save(file, "JPEG", progressive=True, quality=50)
    whole = file.getvalue()
    last = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * scans + b"\xff\xd9"


def lying_jpeg(side: int) -> bytes:
    """A JPEG of 64 by 64 pixels that claims more."""
    small = films.picture(np.full((64, 64), 128, np.uint8), "JPEG")
    at = small.index(b"\xff\xc0")
    return small[: at + 5] + struct.pack(">HH", side, side) + small[at + 9 :]


def jpeg_comments(count: int) -> bytes:
    """A JPEG with very many comments."""
    whole = films.picture(films.EIGHT, "JPEG")
    return whole[:2] + b"\xff\xfe\0\2" * count + whole[2:]


def tiff(side: int, tags: list[tuple[int, int, int, int]], body: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory: (tag, type, count, value) each, then `body`."""
    usual = [(256, 4, 1, side), (257, 4, 1, side), (262, 3, 1, 1), (277, 3, 1, 1)]
    entries = sorted([*usual, *tags])
    made = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + made + bytes(4) + body


def tiff_tiles(side: int, tile: int) -> bytes:
    """A TIFF of one tile, which is far larger than the picture or than its data."""
    data = zlib.compress(bytes(4096))
    where = 8 + 2 + 12 * 10 + 4
    tags = [(258, 3, 1, 8), (259, 3, 1, 8), (322, 4, 1, tile), (323, 4, 1, tile)]
    return tiff(side, [*tags, (324, 4, 1, where), (325, 4, 1, len(data))], data)


def tiff_shared(side: int) -> bytes:
    """A TIFF whose strips, a row each, are all the same deflated bytes."""
    data = zlib.compress(bytes(side), 9)
    where = 8 + 2 + 12 * 9 + 4
    starts = struct.pack(f"<{side}I", *[where + 8 * side] * side)
    lengths = struct.pack(f"<{side}I", *[len(data)] * side)
    tags = [(258, 3, 1, 8), (259, 3, 1, 8), (278, 4, 1, 1), (273, 4, side, where)]
    return tiff(side, [*tags, (279, 4, side, where + 4 * side)], starts + lengths + data)


def tiff_pages(count: int) -> bytes:
    """A TIFF of very many directories."""
    file = io.BytesIO()
    pages = [Image.new("L", (64, 64))] * count
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    return file.getvalue()


def dicom(syntax: str, frame: bytes, side: int, bits: int = 8, **elements: object) -> bytes:
    """A DICOM film that states side x side pixels, of any codestream."""
    found = films.dicom(np.zeros((64, 64)), bits, Rows=side, Columns=side, **elements)
    return films.written(found, syntax, codestream=frame)


def lying_jls(side: int) -> bytes:
    """A JPEG-LS codestream of 64 by 64 pixels that claims more."""
    import jpeg_ls

    frame = bytes(jpeg_ls.encode_array(np.full((64, 64), 7, np.uint8)))
    at = frame.index(b"\xff\xf7")
    return frame[: at + 5] + struct.pack(">HH", side, side) + frame[at + 9 :]


def j2k(side: int, components: int = 1, layers: int = 1, tile: int = 0) -> bytes:
    """A JPEG 2000 codestream without code: a header that claims all that, and empty tiles."""
    tile = tile or side
    size = struct.pack(">HIIIIIIIIH", 0, side, side, 0, 0, tile, tile, 0, 0, components)
    size += b"\7\1\1" * components
    coding = struct.pack(">BBHBBBBBB", 0, 0, layers, 0, 5, 4, 4, 0, 1)
    quantum = b"\x40" + bytes([8 << 3] * 16)
    stream = b"\xff\x4f"
    for marker, segment in ((0x51, size), (0x52, coding), (0x5C, quantum)):
        stream += struct.pack(">BBH", 0xFF, marker, len(segment) + 2) + segment
    body = b"\x80" * 64
    tiles = [
        struct.pack(">HHHIBB", 0xFF90, 10, number, 14 + len(body), 0, 1) + b"\xff\x93" + body
        for number in range((-(-side // tile)) ** 2)
    ]
    return b"".join([stream, *tiles, b"\xff\xd9"])


def blank_jls(side: int) -> bytes:
    """A blank film in JPEG-LS."""
    import jpeg_ls

    frame = bytes(jpeg_ls.encode_array(np.full((side, side), 7, np.uint8)))
    return dicom(uid.JPEGLSLossless, frame, side)


def full_j2k(side: int) -> bytes:
    """A film of noise in lossy JPEG 2000, as full as a file under 5 MB may be."""
    noise = np.random.default_rng(0).integers(0, 255, (side, side), np.uint8)
    rate = noise.size / 4_800_000
    frame = films.picture(
        noise, "JPEG2000", no_jp2=True, irreversible=True, quality_mode="rates",
        quality_layers=[rate],
    )  # fmt: skip
    return dicom(uid.JPEG2000, frame, side)


def rle(side: int, step: bytes) -> bytes:
    """A run-length code of many short runs."""
    body = step * (4_000_000 // len(step))
    return struct.pack("<16L", 1, 64, *[0] * 14) + body


def deflated(size: int) -> bytes:
    """A deflated DICOM file that unfolds to `size` bytes of zeros."""
    found = films.dicom(films.levels(films.TRUTH, 12))
    data = films.written(found, uid.DeflatedExplicitVRLittleEndian)
    (length,) = struct.unpack_from("<I", data, 140)
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = b"".join(engine.compress(bytes(10_000_000)) for _ in range(size // 10_000_000))
    return data[: 144 + length] + body + engine.flush()


def saved(kind: str, mode: str, side: int, **options: object) -> bytes:
    """A blank picture that Pillow writes."""
    return films.picture(Image.new(mode, (side, side)), kind, **options)


def noisy_jpeg(side: int, quality: int, *, progressive: bool = False) -> bytes:
    """A JPEG as full as a file under 5 MB may be."""
    noise = np.random.default_rng(0).integers(0, 255, (side // 4, side // 4), np.uint8)
    image = Image.fromarray(noise).resize((side, side), Image.Resampling.BILINEAR)
    return films.picture(image, "JPEG", quality=quality, progressive=progressive)


BOMBS: dict[str, Callable[[], bytes]] = {
    "PNG grey, 10,000 a side": partial(png, 10_000, 8, 0),
    "PNG grey, as large as is read": partial(png, LARGE, 8, 0),
    "PNG grey 16 bit, as large as is read": partial(png, LARGE, 16, 0),
    "PNG RGB": partial(png, 10_000, 8, 2),
    "PNG RGB, as large as is read": partial(png, 4400, 8, 2),
    "PNG RGBA": partial(png, 10_000, 8, 6),
    "PNG RGBA, as large as is read": partial(png, 3800, 8, 6),
    "PNG RGBA 16 bit, as large as is read": partial(png, 3800, 16, 6),
    "PNG palette, as large as is read": partial(png, 4400, 8, 3),
    "PNG interlaced, as large as is read": partial(png, LARGE, 8, 0, interlaced=True),
    "PNG of 1 bit": partial(png, LARGE // 8 * 8, 1, 0),
    "PNG texts": partial(png_text, 60_000_000),
    "PNG chunks": partial(png_chunks, 300_000),
    "JPEG of 2,500 scans": partial(progressive, 3000, 2500),
    "JPEG progressive, as many scans as are read": partial(progressive, LARGE, 25),
    "JPEG full, as large as is read": partial(noisy_jpeg, LARGE, 50),
    "JPEG progressive, full": partial(noisy_jpeg, 5000, 50, progressive=True),
    "JPEG progressive, full, as large as is read": partial(noisy_jpeg, LARGE, 30, progressive=True),
    "JPEG-LS, as large as is read": lambda: blank_jls(LARGE),
    "JPEG 2000, full, as large as is read": lambda: full_j2k(LARGE),
    "JPEG lies": partial(lying_jpeg, 10_000),
    "JPEG lies less": partial(lying_jpeg, LARGE),
    "JPEG comments": partial(jpeg_comments, 1_000_000),
    "TIFF tile": partial(tiff_tiles, 30_000, 30_000),
    "TIFF tile over a small picture": partial(tiff_tiles, 64, 30_000),
    "TIFF strips that are one": partial(tiff_shared, LARGE),
    "TIFF deflate, as large as is read": partial(
        saved, "TIFF", "I;16", LARGE, compression="tiff_adobe_deflate"
    ),
    "TIFF LZW RGB": partial(saved, "TIFF", "RGB", 4400, compression="tiff_lzw"),
    "TIFF pages": partial(tiff_pages, 300),
    "JPEG 2000 size": lambda: dicom(uid.JPEG2000, j2k(LARGE), LARGE),
    "JPEG 2000 tiles": lambda: dicom(uid.JPEG2000, j2k(6000, tile=32), 6000),
    "JPEG 2000 layers": lambda: dicom(uid.JPEG2000, j2k(4000, layers=65_535), 4000),
    "JPEG 2000 components": lambda: dicom(uid.JPEG2000, j2k(3000, components=16_000), 3000),
    "JPEG-LS lies": lambda: dicom(uid.JPEGLSLossless, lying_jls(10_000), 10_000),
    "JPEG-LS lies less": lambda: dicom(uid.JPEGLSLossless, lying_jls(LARGE), LARGE),
    "DICOM JPEG of 2,500 scans": lambda: dicom(
        uid.JPEGExtended12Bit, progressive(3000, 2500), 3000
    ),
    "RLE runs": lambda: dicom(uid.RLELossless, rle(LARGE, b"\0a"), LARGE),
    "RLE of nothing": lambda: dicom(uid.RLELossless, rle(LARGE, b"\x80"), LARGE),
    "deflated DICOM": partial(deflated, 400_000_000),
    "DICOM frames": lambda: films.written(
        films.dicom(films.levels(films.TRUTH, 12), NumberOfFrames=100_000)
    ),
    "GIF": partial(saved, "GIF", "L", 8000),
    "BMP": lambda: b"BM" + struct.pack("<IIIIiiHHI", 99, 0, 54, 40, 30_000, 30_000, 1, 8, 1),
    "WebP": partial(saved, "WEBP", "RGB", 4000, lossless=True),
}


def _measure(name: str) -> None:
    data = BOMBS[name]()
    # The reader of the kind is loaded, as in any process that has read a film.
    for first in (films.picture(films.EIGHT), films.written(films.dicom(films.EIGHT, 8))):
        read_film_bytes(first)
    (decoder,) = psutil.Process().children()
    before, began = _processor_seconds(decoder), time.perf_counter()
    try:
        answer = "{} x {} pixels".format(*read_film_bytes(data).pixels.shape)
    except IntakeError as refusal:
        answer = str(refusal).removeprefix('"film" ').split(":")[0].rstrip(".")
    took = time.perf_counter() - began
    worked = f"{_processor_seconds(decoder) - before:.2f}" if decoder.is_running() else "ended"
    peak = _peak_of(decoder.pid) if decoder.is_running() else 0
    close_decoders()
    if not peak:  # with the memory of this process, as it was when the other began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    kilobytes = f"{len(data) / 1000:,.0f}"
    print(f"| {name} | {kilobytes} | {worked} | {took:.2f} | {peak:,.0f} | {answer} |")


def _peak_of(pid: int) -> float:
    """The most memory that a process has taken up since it began, in MB; Linux only."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _measure(sys.argv[1])
    else:
        head = "| file | KB | processor, s | by the clock, s | MB at most | answer |"
        print(f"{head}\n|---|---|---|---|---|---|", flush=True)
        for bomb in BOMBS:
            subprocess.run([sys.executable, "-m", "tests.support.bombs", bomb], check=False)
