#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Makes t5/spiece.model again from the source package stable-diffusion-cpp-python.

    pip download --no-deps --no-binary :all: stable-diffusion-cpp-python==0.4.7
    ./make-t5.py stable_diffusion_cpp_python-0.4.7.tar.gz

The package holds T5's tokenizer.json as an array of bytes.  It is written as the ModelProto that SentencePiece
reads: 32,000 pieces, the table of characters and T5's rules, without the 100 markers that are no pieces.
"""

import base64
import json
import pathlib
import re
import struct
import sys
import tarfile

N_PIECES = 32000
NORMAL, UNKNOWN, CONTROL = 1, 2, 3


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def number(field, value):
    return varint(field << 3) + varint(value % (1 << 64))


def text(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def read_tokenizer(package):
    with tarfile.open(package) as files:
        (member,) = [m for m in files.getmembers() if m.name.endswith("/vocab/clip_t5.hpp")]
        source = files.extractfile(member).read().decode()
    start = source.index("{", source.index("t5_tokenizer_json_str"))
    values = re.findall(r"0x[0-9a-fA-F]+|\d+", source[start : source.index("}", start)])
    return json.loads(bytes(int(v, 0) for v in values))


def piece(name, score, kind):
    body = text(1, name.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score)
    return text(1, body if kind == NORMAL else body + number(3, kind))


def main(package):
    tokenizer = read_tokenizer(package)
    (charsmap,) = [n["precompiled_charsmap"] for n in tokenizer["normalizer"]["normalizers"] if n["type"] == "Precompiled"]
    unk = tokenizer["model"]["unk_id"]
    kinds = {0: CONTROL, 1: CONTROL, unk: UNKNOWN}
    vocab = tokenizer["model"]["vocab"][:N_PIECES]
    if [name for name, _ in vocab[:3]] != ["<pad>", "</s>", "<unk>"]:
        sys.exit("%s does not hold T5's vocabulary" % package)
    out = b"".join(piece(name, score, kinds.get(i, NORMAL)) for i, (name, score) in enumerate(vocab))
    trainer = number(3, 1) + number(4, N_PIECES) + number(40, unk) + number(41, -1) + number(42, 1) + number(43, 0)
    normalizer = text(1, b"nmt_nfkc") + text(2, base64.b64decode(charsmap)) + number(3, 1) + number(4, 1) + number(5, 1)
    target = pathlib.Path(__file__).resolve().parent / "t5" / "spiece.model"
    target.write_bytes(out + text(2, trainer) + text(3, normalizer))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
