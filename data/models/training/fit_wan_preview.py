# SPDX-License-Identifier: MPL-2.0
"""Fits what the latents of a video model look like, and writes it into its gesso.json ("preview").

Usage: fit_wan_preview.py MODEL_FOLDER CLIP.gclip...  Clips that the model made with gesso-cli video; a dozen of
different things are enough.  Needs numpy and Pillow.  Least squares from latents to the mean colour of the pixels that
each stands for: 12 clips of gesso-mini-video explain 91 % of the variance.
"""
import io
import json
import pathlib
import struct
import sys
import zipfile

import numpy as np
from PIL import Image

RIDGE = 1e-3


def read(path):
    """Latents (C, T, h, w) and frames (n, H, W, 3) in -1..1."""
    with zipfile.ZipFile(path) as z:
        data = z.read("latents.safetensors")
        size = struct.unpack("<Q", data[:8])[0]
        shape = json.loads(data[8:8 + size])["latent"]["shape"]
        latents = np.frombuffer(data[8 + size:], dtype=np.float32).reshape(shape)[0]
        names = sorted(n for n in z.namelist() if n.startswith("frames/"))
        frames = [np.asarray(Image.open(io.BytesIO(z.read(n))).convert("RGB"), dtype=float) for n in names]
    return latents, np.stack(frames) / 127.5 - 1


def samples(path):
    """A row for each latent pixel: its channels and a one, and the mean colour of its four frames' pixels."""
    latents, frames = read(path)
    c, t, h, w = latents.shape
    n, height, width, _ = frames.shape
    small = frames.reshape(n, h, height // h, w, width // w, 3).mean((2, 4))
    colours = np.stack([small[max(0, 4 * i - 3):4 * i + 1].mean(0) for i in range(t)])
    values = latents.transpose(1, 2, 3, 0).reshape(-1, c)
    return np.hstack([values, np.ones((len(values), 1))]), colours.reshape(-1, 3)


def main():
    path = pathlib.Path(sys.argv[1]) / "gesso.json"
    x, y = (np.concatenate(part) for part in zip(*map(samples, sys.argv[2:])))
    factors = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
    explained = 1 - ((x @ factors - y) ** 2).sum() / ((y - y.mean(0)) ** 2).sum()
    settings = json.loads(path.read_text())
    settings.pop("preview", None)
    text = json.dumps(settings, indent=1).rstrip("}\n")
    rows = ",\n  ".join(json.dumps([round(float(v), 4) for v in row]) for row in factors)
    path.write_text(f'{text},\n "preview": [\n  {rows}\n ]\n}}\n')
    print(f"{explained:.1%} of the variance explained")


main()
