# SPDX-License-Identifier: MPL-2.0
"""Draws a clip of every object and motion, through diffusers, and measures how well it does.

    evaluate_wan.py --data pictures.npz FOLDER [--sheet contact-sheet.png]

A clip scores when the nearest of all true clips, at 16x16 pixels in every frame, is one of the
object and motion asked for.
"""
import argparse
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import WanPipeline
from PIL import Image, ImageDraw, ImageOps

from captions import with_article
from wan_clips import FRAMES, MOTIONS, OBJECTS, PLAIN, SIZE, Clips

BATCH = 9
AMOUNTS = (0.0, 0.5, 1.0)   # of each true clip: how far it goes is for the seed to choose

SHOWN = [
    "a red apple bouncing", "a star spinning", "a rocket sliding to the right",
    "a red heart pulsing", "a car moving left", "a star zooming in", "a red apple falling",
    "a paper boat drifts across a pond", "a rocket zooming out", "a car driving",
    "a heart is jumping up and down", "an apple rolls", "a sailboat getting bigger",
    "a star on a purple background", "a rocket falls down", "a boat sliding to the left",
]


def every_prompt():
    """Returns the prompts and, for each, its object and motion."""
    asked = [(name, motion) for name in OBJECTS for motion in MOTIONS]
    return [f"{with_article(OBJECTS[n][0])} {MOTIONS[m][0][0]}".strip() for n, m in asked], asked


def true_clips(clips):
    """(objects * motions * len(AMOUNTS), 3, FRAMES, SIZE, SIZE) in 0..1, in the prompts' order."""
    drawn = []
    for picture in clips.known:
        for motion in MOTIONS:
            n = len(AMOUNTS)
            drawn.append(clips.draw([picture] * n, [motion] * n, AMOUNTS,
                                    torch.full((n, 3), 255.0)))
    return (torch.cat(drawn) + 1) / 2


def draw(pipeline, prompts, args):
    """(n, 3, FRAMES, SIZE, SIZE) in 0..1; every prompt starts from noise of its own seed."""
    clips = []
    for k in range(0, len(prompts), BATCH):
        part = prompts[k:k + BATCH]
        seeds = [torch.Generator().manual_seed(args.seed + k + i) for i in range(len(part))]
        frames = pipeline(
            prompt=part, height=SIZE, width=SIZE, num_frames=FRAMES, guidance_scale=args.cfg,
            num_inference_steps=args.steps, output_type="pt", generator=seeds).frames
        clips.append(frames.float().transpose(1, 2))
    return torch.cat(clips)


def coarse(clips):
    """(n, 3, t, H, W) to (n, 3 * t * 256)."""
    return F.adaptive_avg_pool3d(clips, (FRAMES, 16, 16)).flatten(1)


def score(drawn, truth, asked):
    """Prints which of the true clips lies nearest to each drawing."""
    distance = torch.cdist(coarse(drawn), coarse(truth)).view(len(drawn), len(asked), -1).amin(2)
    found = [asked[i] for i in distance.argmin(1)]
    own = distance.diagonal().mean().item() / coarse(drawn[:1]).shape[1] ** 0.5
    n = len(asked)
    print(f"{n} clips: both right {sum(a == f for a, f in zip(asked, found)) / n:.3f}, "
          f"object {sum(a[0] == f[0] for a, f in zip(asked, found)) / n:.3f}, "
          f"motion {sum(a[1] == f[1] for a, f in zip(asked, found)) / n:.3f}, "
          f"RMS to the asked clip {own:.3f} of 1")
    print("missed: " + ", ".join(f"{' '.join(a)} ({' '.join(f)})"
                                 for a, f in zip(asked, found) if a != f))


def to_image(picture):
    array = (picture.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
    return Image.fromarray(np.ascontiguousarray(array))


def contact_sheet(drawn, labels, columns=2, shown=6, margin=14):
    """A clip a row, in two columns, every third frame."""
    picks = torch.linspace(0, FRAMES - 1, shown).round().long()
    width, height = shown * (SIZE + 2) + 8, SIZE + margin + 2
    rows = -(-len(labels) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    text = ImageDraw.Draw(sheet)
    for i, (clip, label) in enumerate(zip(drawn, labels)):
        left, top = i % columns * width, i // columns * height
        for k, frame in enumerate(picks):
            sheet.paste(to_image(clip[:, frame]), (left + k * (SIZE + 2), top + margin))
        text.text((left + 2, top), label, fill="black", font_size=11)
    return sheet


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--sheet", type=pathlib.Path, help="draws only the prompts shown there")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    pipeline = WanPipeline.from_pretrained(args.folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    if args.sheet:
        sheet = contact_sheet(draw(pipeline, SHOWN, args), SHOWN)
        # Six bits a colour: unseen at this size, and a third smaller as PNG.
        ImageOps.posterize(sheet, 6).save(args.sheet, optimize=True)
        return
    truth = true_clips(Clips(args.data))
    prompts, asked = every_prompt()
    start = time.process_time()
    drawn = draw(pipeline, prompts, args)
    seconds = (time.process_time() - start) / len(prompts)
    print(f"{args.steps} steps, guidance {args.cfg}, {seconds:.2f} CPU-seconds a clip")
    score(drawn, truth, asked)


if __name__ == "__main__":
    main()
