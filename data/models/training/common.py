# SPDX-License-Identifier: MPL-2.0
"""What every training script shares: pictures, closed-form latents, averaging, checkpoints."""
import json
import math
import os
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent

SIZE = 128              # side of a picture in pixels
LATENT_SCALE = 8        # pixels per latent element and side, as in SDXL
SCALING_FACTOR = 0.13025  # SDXL's own: programs that hard-code it stay right

BACKGROUNDS = {
    "white": (255, 255, 255), "black": (20, 20, 20), "red": (235, 64, 52),
    "orange": (250, 150, 50), "yellow": (255, 225, 90), "green": (90, 190, 100),
    "blue": (70, 140, 235), "purple": (150, 90, 200), "pink": (250, 170, 200),
    "gray": (150, 150, 155),
}


class Pictures:
    """The rendered pictures as premultiplied RGBA at SIZE, and the records that describe them.

    rgba: (n, 4, SIZE, SIZE) float32 in 0..1, colour premultiplied by alpha
    records: the n entries of meta.json that have a picture
    known: indices of the pictures listed in iconic.txt, which the model must know
    """

    def __init__(self, path):
        archive = np.load(path)
        everything = json.loads((HERE / "meta.json").read_text(encoding="utf8"))
        self.records = [everything[i] for i in archive["index"]]
        small = []
        for chunk in np.array_split(archive["rgba"], 32):
            x = torch.from_numpy(chunk).permute(0, 3, 1, 2).float() / 255
            x = torch.cat([x[:, :3] * x[:, 3:], x[:, 3:]], 1)
            small.append(F.interpolate(x, size=(SIZE, SIZE), mode="area"))
        self.rgba = torch.cat(small)
        lines = (HERE / "iconic.txt").read_text(encoding="utf8").splitlines()
        wanted = {name.strip() for line in lines for name in line.split(";")}
        self.known = [i for i, r in enumerate(self.records) if r["name"] in wanted]

    def compose(self, index, colours):
        """Pictures over plain colours.

        index: (b) picture numbers; colours: (b, 3) in 0..255
        Returns (b, 3, SIZE, SIZE) in -1..1, channels last.
        """
        x = self.rgba[index]
        background = torch.as_tensor(colours).float()[:, :, None, None] / 255
        x = (x[:, :3] + (1 - x[:, 3:]) * background) * 2 - 1
        return x.contiguous(memory_format=torch.channels_last)

    def on_white(self, index):
        return self.compose(index, torch.full((len(index), 3), 255.0))


class PcaLatents:
    """Latents in closed form: the four leading principal components of 8x8 patches, whitened.

    A learned autoencoder and a diffusion model that waits for it would cost hours on a CPU. With
    latents fixed beforehand the decoder is a plain regression, and the UNet trains beside it.
    """

    def __init__(self, mean, to_latent, to_patch):
        self.mean, self.to_latent, self.to_patch = mean, to_latent, to_patch

    @classmethod
    def fit(cls, pictures, seed=0):
        generator = torch.Generator().manual_seed(seed)
        n = len(pictures.records)
        table = torch.tensor(list(BACKGROUNDS.values()))
        pick = torch.randint(0, len(table), (n,), generator=generator)
        pick[torch.rand(n, generator=generator) > 0.15] = 0
        x = cls.patches(pictures.compose(torch.arange(n), table[pick])).flatten(0, 2).double()
        mean = x.mean(0)
        values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
        values, vectors = values.flip(0)[:4], vectors.flip(1)[:, :4]
        return cls(mean.float(), (vectors / values.sqrt()).float(),
                   (vectors * values.sqrt()).T.float())

    @classmethod
    def load_or_fit(cls, path, pictures):
        if not os.path.exists(path):
            new = cls.fit(pictures)
            save_atomically(vars(new), path)
        return cls(**torch.load(path))

    @staticmethod
    def patches(x):
        return F.pixel_unshuffle(x, LATENT_SCALE).permute(0, 2, 3, 1)

    def encode(self, x):
        """x: (b, 3, H, W) in -1..1. Returns (b, 4, H/8, W/8) with unit variance."""
        z = (self.patches(x) - self.mean) @ self.to_latent
        return z.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)

    def decode(self, z):
        """The linear inverse: blocky, but enough to look at a UNet before a decoder exists."""
        x = z.permute(0, 2, 3, 1) @ self.to_patch + self.mean
        return F.pixel_shuffle(x.permute(0, 3, 1, 2), LATENT_SCALE)


class Average:
    """Exponential moving average of parameters; short memory at first."""

    def __init__(self, parameters, decay):
        self.parameters = list(parameters)
        self.decay, self.steps = decay, 0
        self.shadow = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self):
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.shadow, [p.detach() for p in self.parameters], 1 - decay)

    @torch.no_grad()
    def swap(self):
        """Exchanges the live parameters with their averages; call it in pairs."""
        for shadow, parameter in zip(self.shadow, self.parameters):
            live = parameter.detach().clone()
            parameter.copy_(shadow)
            shadow.copy_(live)

    def state_dict(self):
        return {"steps": self.steps, "shadow": self.shadow}

    def load_state_dict(self, state):
        self.steps = state["steps"]
        for mine, saved in zip(self.shadow, state["shadow"]):
            mine.copy_(saved)


def learning_rate(fraction, peak, warmup=0.03, floor=0.05):
    """Linear warm-up, then a cosine down to floor * peak; fraction is the part of the run done."""
    if fraction < warmup:
        return peak * (0.01 + fraction / warmup)
    part = min(1.0, (fraction - warmup) / (1 - warmup))
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * part)))


def save_atomically(state, path):
    """A run can be stopped at any moment: readers see the old file or the new one."""
    scratch = f"{path}.new"
    torch.save(state, scratch)
    os.replace(scratch, path)


def psnr(mean_squared_error):
    """In dB, for pictures in -1..1."""
    return 10 * math.log10(4 / mean_squared_error)


def contact_grid(x, columns):
    """x: (n, 3, H, W) in -1..1. Returns a PIL image with the pictures side by side."""
    from PIL import Image
    x = ((x.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    n, height, width, _ = x.shape
    sheet = np.full((-(-n // columns) * (height + 2), columns * (width + 2), 3), 90, np.uint8)
    for i, picture in enumerate(x):
        top, left = i // columns * (height + 2), i % columns * (width + 2)
        sheet[top:top + height, left:left + width] = picture
    return Image.fromarray(sheet)
