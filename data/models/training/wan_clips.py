# SPDX-License-Identifier: MPL-2.0
"""The clips that the video model learns: a drawing moved over a plain background, and captions."""
import math
import random

import torch
import torch.nn.functional as F

from captions import with_article
from common import BACKGROUNDS, Pictures

SIZE = 64               # side of a frame in pixels
FRAMES = 17             # one, and four for each further latent frame
FPS = 12

# Unicode name of the drawing: what people call it.
OBJECTS = {
    "red apple": ["red apple", "apple"],
    "rocket": ["rocket", "space rocket", "spaceship"],
    "automobile": ["car", "red car", "automobile"],
    "star": ["star", "yellow star"],
    "red heart": ["heart", "red heart"],
    "sailboat": ["sailboat", "boat", "paper boat", "sailing boat", "little boat"],
}

# Each motion's names, as they follow 'is' and as they follow the subject alone.
MOTIONS = {
    "bouncing": [("bouncing", "bounces"), ("bouncing up and down", "bounces up and down"),
                 ("jumping", "jumps"), ("hopping", "hops")],
    "spinning": [("spinning", "spins"), ("rotating", "rotates"), ("turning around", "turns around"),
                 ("rolling", "rolls")],
    "zooming in": [("zooming in", "zooms in"), ("growing", "grows"),
                   ("getting bigger", "gets bigger"), ("coming closer", "comes closer")],
    "zooming out": [("zooming out", "zooms out"), ("shrinking", "shrinks"),
                    ("getting smaller", "gets smaller"), ("going away", "goes away")],
    "sliding right": [("sliding to the right", "slides to the right"),
                      ("moving right", "moves right"),
                      ("moving to the right", "moves to the right"),
                      ("drifting", "drifts"), ("drifting across", "drifts across"),
                      ("sailing", "sails"), ("flying", "flies"), ("driving", "drives")],
    "sliding left": [("sliding to the left", "slides to the left"), ("moving left", "moves left"),
                     ("moving to the left", "moves to the left"),
                     ("drifting to the left", "drifts to the left"),
                     ("flying to the left", "flies to the left")],
    "pulsing": [("pulsing", "pulses"), ("beating", "beats"), ("throbbing", "throbs")],
    "falling": [("falling", "falls"), ("dropping down", "drops down"),
                ("falling down", "falls down")],
    "still": [("", ""), ("standing still", "stands still"), ("not moving", "does not move")],
}

# The backgrounds of common.py, and one for water and sky.
PLAIN = {**BACKGROUNDS, "light blue": (170, 215, 240)}
ON_WATER = ["across a pond", "on a pond", "across a lake", "on the water", "on the sea"]
IN_THE_SKY = ["in the sky", "across the sky"]


def motion_maps(motion, amount, frames=FRAMES):
    """How the drawing lies in each frame.

    motion: a key of MOTIONS; amount: 0..1, how far or in which direction it goes
    Returns (frames, 2, 3): from places of the frame to places of the drawing, both in -1..1.
    """
    u = torch.linspace(0, 1, frames)
    scale, angle = torch.full((frames,), 0.72), torch.zeros(frames)
    x, y = torch.zeros(frames), torch.zeros(frames)
    far = 0.9 + 0.2 * amount
    turn = 2 * math.pi * u
    if motion == "bouncing":
        y = 0.25 - 0.5 * far * turn.sin().abs()
    elif motion == "spinning":
        angle = turn
    elif motion == "zooming in":
        scale = 0.3 + 0.7 * u * far ** 0.5
    elif motion == "zooming out":
        scale = 1.0 - 0.7 * u * far ** 0.5
    elif motion == "sliding right":
        x = far * (1.4 * u - 0.7)
    elif motion == "sliding left":
        x = far * (0.7 - 1.4 * u)
    elif motion == "pulsing":
        scale = 0.72 + 0.18 * far * (2 * turn).sin()
    elif motion == "falling":
        y = -1.2 + 1.5 * far * u ** 2
    c, s = angle.cos() / scale, angle.sin() / scale
    rows = [torch.stack([c, s, -(c * x + s * y)], -1), torch.stack([-s, c, s * x - c * y], -1)]
    return torch.stack(rows, 1)


class Clips:
    """Draws clips of the known objects, or of any drawing of the archive.

    known: picture numbers of OBJECTS, in that order
    """

    def __init__(self, path, everything=False):
        pictures = Pictures(path)
        where = {record["name"]: i for i, record in enumerate(pictures.records)}
        self.known = [where[name] for name in OBJECTS]
        if everything:
            self.rgba = pictures.rgba
        else:
            self.rgba = pictures.rgba[self.known].clone()
            self.known = list(range(len(OBJECTS)))

    def draw(self, index, motions, amounts, colours, size=SIZE):
        """index: (b) picture numbers; motions: b keys; amounts: (b); colours: (b, 3) in 0..255
        Returns (b, 3, FRAMES, size, size) in -1..1.
        """
        maps = torch.cat([motion_maps(m, a) for m, a in zip(motions, amounts)])
        n = len(maps)
        sources = self.rgba[index].repeat_interleave(FRAMES, 0)
        # Drawn at twice the size and averaged, so that small drawings do not flicker.
        grid = F.affine_grid(maps, (n, 4, 2 * size, 2 * size), align_corners=False)
        x = F.avg_pool2d(F.grid_sample(sources, grid, align_corners=False), 2)
        background = torch.as_tensor(colours).float().repeat_interleave(FRAMES, 0) / 255
        x = (x[:, :3] + (1 - x[:, 3:]) * background[:, :, None, None]) * 2 - 1
        return x.view(-1, FRAMES, 3, size, size).transpose(1, 2)

    def draw_random(self, n, others, rng):
        """n clips for the autoencoder: any motion, 30% on colours, a share of other drawings."""
        index = [rng.randrange(len(self.rgba)) if rng.random() < others else rng.choice(self.known)
                 for _ in range(n)]
        motions = [rng.choice(list(MOTIONS)) for _ in range(n)]
        colours = [rng.choice(list(PLAIN.values())) if rng.random() < 0.3 else (255, 255, 255)
                   for _ in range(n)]
        return self.draw(index, motions, [rng.random() for _ in range(n)], torch.tensor(colours))


def setting(motion, colour, rng):
    """The words for a background."""
    if colour == "white":
        return rng.choice(["", "", "", "", " on a white background"])
    if colour == "light blue" and rng.random() < 0.7:
        drifts = motion in ("sliding right", "sliding left")
        return " " + rng.choice(ON_WATER if drifts and rng.random() < 0.6 else IN_THE_SKY)
    return rng.choice([" on a %s background", ", %s background",
                       " with a %s background"]) % colour


def caption(name, motion, colour, rng):
    """One of many captions for a clip; name: a key of OBJECTS."""
    subject = rng.choice(OBJECTS[name])
    if rng.random() < 0.75:
        subject = with_article(subject)
    doing, does = rng.choice(MOTIONS[motion])
    form = rng.random()
    if not doing:
        verb = ""
    elif form < 0.5:
        verb = " " + doing
    elif form < 0.85:
        verb = " " + does
    else:
        verb = " is " + doing
    return subject + verb + setting(motion, colour, rng)


def every_caption(count, seed=0):
    """count captions of each object and motion, for the tokenizer."""
    rng = random.Random(seed)
    return [caption(name, motion, rng.choice(list(PLAIN)), rng)
            for name in OBJECTS for motion in MOTIONS for _ in range(count)]
