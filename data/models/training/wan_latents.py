# SPDX-License-Identifier: MPL-2.0
"""Latents of clips, fixed before any training: the best linear code that the decoder can undo."""
import os

import torch
import torch.nn.functional as F

from common import learning_rate, psnr, save_atomically

CHANNELS = 16           # of a latent, as in Wan
SPACE, TIME = 8, 4      # pixels per latent element and side; frames per latent frame
COLOURS = 3 * TIME      # numbers of one pixel in four frames
SEEN = 3 * SPACE        # side of the pixels that one latent element is made from
FILTER = 2 * SPACE - 1  # side of the filter that a decoder of nearest-neighbour steps can form
CANVAS = FILTER + SPACE - 1


class VideoLatents:
    """A lapped linear transform of four frames; the first frame counts as four equal ones.

    Block transforms such as principal components of 8x8 patches do not do here: Wan's decoder
    doubles by nearest neighbours and convolves, and so cannot tell the pixels of a patch apart
    where neighbouring patches are alike. What it can do linearly is to repeat each element 8x8
    times and filter with 15x15 taps. Analysis and filter are fitted together under that
    restriction.

    bias: (COLOURS) what zero stands for; analysis: (CHANNELS, COLOURS, SEEN, SEEN);
    offset: (CHANNELS); synthesis: (CHANNELS, COLOURS, CANVAS, CANVAS), the filters of repeated
    elements. The channels are principal components, whitened half-way: deviations go as the fourth
    root of the variance that a channel explains, with a mean square of 1. Fully whitened, the
    faintest channel would weigh as much as the strongest in the transformer's loss; not whitened,
    the decoder's norms lose the faint ones.
    """

    def __init__(self, bias, analysis, offset, synthesis):
        self.bias, self.analysis, self.offset = bias, analysis, offset
        self.synthesis = synthesis

    @classmethod
    def load_or_fit(cls, path, clips, rng):
        if not os.path.exists(path):
            x = torch.cat([fours(clips.draw_random(16, 0.25, rng)) for _ in range(14)])
            fitted = cls.fit(x.flatten(0, 1))
            fitted.turn_to_components(x)
            save_atomically(vars(fitted), path)
        return cls(**torch.load(path))

    @classmethod
    def fit(cls, x, steps=400, held_out=80):
        """x: (n, COLOURS, H, W). Starts from the principal components of patches."""
        mean, vectors = components(x)
        analysis = F.pad(vectors, (SPACE,) * 4)
        margin = (FILTER - SPACE) // 2
        taps = F.pad(vectors / 16, (margin, margin + 1) * 2)
        parameters = [p.requires_grad_(True) for p in (analysis, taps, mean)]
        optimizer = torch.optim.Adam([{"params": [p]} for p in parameters], betas=(0.9, 0.95))
        for step in range(steps):
            for group, lr in zip(optimizer.param_groups, (1e-3, 1e-3, 1e-2)):
                group["lr"] = learning_rate(step / steps, lr, 0.05, 0)
            current = cls(mean, analysis, torch.zeros(CHANNELS), repeat(taps))
            batch = x[torch.randint(held_out, len(x), (24,))]
            error = (current.join(current.split(batch)) - batch).square().mean()
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
        fitted = cls(mean.detach(), analysis.detach(), torch.zeros(CHANNELS),
                     repeat(taps.detach()))
        part = x[:held_out]
        error = (fitted.join(fitted.split(part)) - part).square().mean().item()
        print(f"linear code: {psnr(error):.2f} dB", flush=True)
        return fitted

    def turn_to_components(self, x):
        """Rotates and scales the channels; what they code stays the same.

        x: (b, t, COLOURS, H, W)
        """
        z = self.split(x.flatten(0, 1)).permute(0, 2, 3, 1).flatten(0, 2).double()
        offset = z.mean(0)
        # The axes are those of the picture that a channel makes, not of its own number.
        gram = torch.einsum("achw,bchw->ab", self.synthesis, self.synthesis).double()
        root = torch.linalg.cholesky(gram)
        covariance = root.T @ ((z - offset).T @ (z - offset) / len(z)) @ root
        values, vectors = torch.linalg.eigh(covariance)
        deviation, vectors = values.flip(0).sqrt(), vectors.flip(1)
        wanted = deviation.sqrt() / deviation.mean().sqrt()
        print("deviations " + " ".join(f"{w:.2f}" for w in wanted.tolist()), flush=True)
        turn = (root @ (vectors * (wanted / deviation))).float()
        back = torch.linalg.inv(turn.double()).float()
        self.analysis = torch.einsum("acyx,ab->bcyx", self.analysis, turn)
        self.offset = offset.float() @ turn
        self.synthesis = torch.einsum("ba,acyx->bcyx", back, self.synthesis)

    def split(self, x):
        """x: (n, COLOURS, H, W). Returns (n, CHANNELS, H/8, W/8)."""
        x = F.pad(x - self.bias[:, None, None], (SPACE,) * 4, mode="replicate")
        return F.conv2d(x, self.analysis, stride=SPACE) - self.offset[:, None, None]

    def join(self, z):
        """The linear inverse of split."""
        z = z + self.offset[:, None, None]
        y = F.conv_transpose2d(z, self.synthesis, stride=SPACE, padding=FILTER // 2)
        return y + self.bias[:, None, None]

    def encode(self, x):
        """x: (b, 3, 1 + 4k, H, W) in -1..1. Returns (b, CHANNELS, 1 + k, H/8, W/8)."""
        x = fours(x)
        return self.split(x.flatten(0, 1)).unflatten(0, x.shape[:2]).transpose(1, 2).contiguous()

    def decode(self, z):
        """The linear inverse, to look at a transformer before a decoder exists."""
        z = z.transpose(1, 2)
        x = self.join(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        return x.unflatten(2, (TIME, 3)).flatten(1, 2)[:, TIME - 1:].transpose(1, 2)

    def mean_colours(self):
        """What decode makes of a plain latent: weight (COLOURS, CHANNELS) and bias (COLOURS)."""
        weight = self.synthesis.sum((-2, -1)).T / SPACE ** 2
        return weight, weight @ self.offset + self.bias


def fours(x):
    """x: (b, 3, 1 + 4k, H, W). Returns (b, 1 + k, COLOURS, H, W)."""
    x = torch.cat([x[:, :, :1]] * (TIME - 1) + [x], 2).transpose(1, 2)
    return x.unflatten(1, (-1, TIME)).flatten(2, 3)


def components(x):
    """x: (n, COLOURS, H, W). Returns the mean (COLOURS) and (CHANNELS, COLOURS, 8, 8)."""
    p = F.pixel_unshuffle(x, SPACE).permute(0, 2, 3, 1).flatten(0, 2).double()
    mean = p.mean(0)
    _, vectors = torch.linalg.eigh((p - mean).T @ (p - mean) / len(p))
    vectors = vectors.flip(1)[:, :CHANNELS].T.float()
    return (mean.float().view(COLOURS, -1).mean(1),
            vectors.reshape(CHANNELS, COLOURS, SPACE, SPACE).contiguous())


def repeat(taps):
    """What a filter of FILTER taps makes of an element repeated 8x8 times."""
    box = torch.ones(1, 1, SPACE, SPACE)
    return F.conv2d(taps.flatten(0, 1)[:, None], box, padding=SPACE - 1).view(
        CHANNELS, COLOURS, CANVAS, CANVAS)
