#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Makes clip/merges.txt and clip/LICENSE again from the wheel of the package open-clip-torch.

    pip download --no-deps open-clip-torch==3.3.0
    ./make-clip.py open_clip_torch-3.3.0-py3-none-any.whl
"""

import gzip
import pathlib
import sys
import zipfile

N_MERGES = 48894  # the list is longer: CLIP was trained with the first 49152 - 256 - 2 merges


def main(wheel):
    target = pathlib.Path(__file__).resolve().parent / "clip"
    with zipfile.ZipFile(wheel) as files:
        packed = files.read("open_clip/bpe_simple_vocab_16e6.txt.gz")
        (licence,) = [n for n in files.namelist() if n.endswith("/LICENSE")]
        (target / "LICENSE").write_bytes(files.read(licence))
    lines = gzip.decompress(packed).decode("utf-8").split("\n")[1 : 1 + N_MERGES]
    if len(lines) != N_MERGES or any(len(line.split(" ")) != 2 for line in lines):
        sys.exit("%s does not hold CLIP's merges" % wheel)
    text = "#version: 0.2\n" + "\n".join(lines) + "\n"
    (target / "merges.txt").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
