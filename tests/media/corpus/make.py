#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Makes the corpus of damaged films: small ones of gesso-cli export, a few bytes changed.

    make.py GESSO_CLI

The seeds are fixed; encoders of other versions give other bytes, so what is here is kept.
"""
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = pathlib.Path(__file__).parent
KINDS = {"h264": "mp4", "h265": "mp4", "av1": "mp4", "vp9": "webm", "ffv1": "mkv", "prores": "mov", "webp": "webp", "gif": "gif",
         "clip": "gclip"}


def png(path, width, height, rgb):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + rgb[3 * width * y:3 * width * (y + 1)] for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def damage(data, rng, where):
    data = bytearray(data)
    low, high = {"head": (0, min(600, len(data))), "any": (0, len(data)), "tail": (len(data) // 2, len(data))}[where]
    for _ in range(rng.randrange(1, 12)):
        at = rng.randrange(low, high)
        kind = rng.randrange(3)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice((0, 0x7f, 0x80, 0xff))
        else:
            data[at:at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
    return bytes(data)


def main():
    cli, rng = sys.argv[1], random.Random(20)
    with tempfile.TemporaryDirectory() as scratch:
        pictures = pathlib.Path(scratch) / "in"
        pictures.mkdir()
        for f in range(5):
            rgb = b"".join(bytes((x * 7 + f * 20 & 255, y * 9 & 255, f * 50)) for y in range(24) for x in range(32))
            png(pictures / f"{f}.png", 32, 24, rgb)
        for kind, extension in KINDS.items():
            path = pathlib.Path(scratch) / f"film.{extension}"
            subprocess.run([cli, "export", "--overwrite", "--fps", "16", "--format", kind, pictures, path], check=True)
            whole = path.read_bytes()
            for where in ("head", "any", "tail"):
                (HERE / f"{kind}-{where}.{extension}").write_bytes(damage(whole, rng, where))


if __name__ == "__main__":
    main()
