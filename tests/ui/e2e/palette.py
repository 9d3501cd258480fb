# SPDX-License-Identifier: MPL-2.0
"""A screenshot with at most 256 colours: those of the surfaces as they are, those of pictures by median cut."""
import collections
import heapq
import pathlib
import struct
import zlib

N_COLOURS = 256
N_EXACT = 32  # the most frequent: flat surfaces must not change their shade


def split(box):
    """By the widest channel, at the middle of its colours."""
    widest = max(range(3), key=lambda i: max(c[i] for c in box) - min(c[i] for c in box))
    box = sorted(box, key=lambda c: c[widest])
    return box[:len(box) // 2], box[len(box) // 2:]


def weight(box, counts):
    """What is gained by splitting it: many pixels, far apart."""
    spread = max(max(c[i] for c in box) - min(c[i] for c in box) for i in range(3))
    return spread * sum(counts[c] for c in box) ** 0.5 if len(box) > 1 else 0


def mean(box, counts):
    n = sum(counts[c] for c in box)
    return tuple(round(sum(c[i] * counts[c] for c in box) / n) for i in range(3))


def choose(counts):
    """Colour -> number, and the colours by number."""
    exact = [c for c, _ in counts.most_common(N_EXACT)]
    rest = [c for c in counts if c not in set(exact)]
    boxes = [(-weight(rest, counts), 0, rest)] if rest else []
    for serial in range(1, N_COLOURS - N_EXACT):
        if not boxes or boxes[0][0] == 0:
            break
        for k, half in enumerate(split(heapq.heappop(boxes)[2])):
            heapq.heappush(boxes, (-weight(half, counts), 2 * serial + k, half))
    groups = [[c] for c in exact] + [box for _, _, box in boxes]
    return {c: i for i, box in enumerate(groups) for c in box}, [mean(box, counts) for box in groups]


def write(path, width, height, rows):
    """@rows: @height of RGB bytes."""
    pixels = [list(zip(row[0::3], row[1::3], row[2::3])) for row in rows]
    numbers, colours = choose(collections.Counter(c for row in pixels for c in row))
    packed = zlib.compress(b"".join(b"\0" + bytes(numbers[c] for c in row) for row in pixels), 9)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    pathlib.Path(path).write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + chunk(b"PLTE", bytes(v for c in colours for v in c)) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))
