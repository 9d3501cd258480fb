# SPDX-License-Identifier: MPL-2.0
"""Draws everything the model must know, through diffusers, and measures how well it does.

    evaluate.py --data pictures.npz FOLDER [--sheet contact-sheet.png] [--report scores.json]

A drawing scores when the nearest of the known pictures, at 16x16 pixels, is the one asked for.
"""
import argparse
import json
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import StableDiffusionXLPipeline
from PIL import Image, ImageDraw, ImageOps

from captions import Captioner, clean, with_article
from common import BACKGROUNDS, Pictures

PLURAL = ("grapes", "cherries", "french fries", "pancakes", "jeans", "glasses", "scissors",
          "popcorn", "sushi", "bread", "broccoli", "fire", "cooking", "tennis", "locked")


def prompt_for(record):
    name = clean(record["name"])
    return name if name in PLURAL or name.startswith("face ") else with_article(name)


def choose_prompts(pictures, kind):
    """Returns the indices of the pictures asked for, the prompts, and the colour behind them."""
    index, prompts = [], []
    captioner = Captioner([pictures.records[i] for i in pictures.known])
    for i in pictures.known:
        record = pictures.records[i]
        if kind == "other":
            words = captioner.other_names[record["name"]]
        elif kind == "bare":
            words = [clean(record["name"])]
        elif kind == "blue":
            words = [prompt_for(record) + " on a blue background"]
        else:
            words = [prompt_for(record)]
        index += [i] * len(words)
        prompts += words
    return index, prompts, BACKGROUNDS["blue" if kind == "blue" else "white"]


def draw(pipeline, prompts, args):
    """Returns (n, 3, H, W) in 0..1; every prompt starts from noise of its own seed."""
    pictures = []
    for k in range(0, len(prompts), args.batch):
        part = prompts[k:k + args.batch]
        seeds = [torch.Generator().manual_seed(args.seed + k + i) for i in range(len(part))]
        negative = None if args.negative is None else [args.negative] * len(part)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
            drawn = pipeline(part, num_inference_steps=args.steps, guidance_scale=args.cfg,
                             negative_prompt=negative, generator=seeds, output_type="pt").images
        pictures.append(drawn.float())
    return torch.cat(pictures)


def ranks(drawn, known, asked):
    """For each drawing the number of known pictures that lie nearer than the one asked for.

    drawn: (n, 3, H, W); known: (m, 3, H, W); asked: (n) rows of known.
    Also returns the RMS distance to the asked pictures, of pixels in 0..1.
    """
    small = [F.adaptive_avg_pool2d(x, 16).flatten(1) for x in (drawn, known)]
    distance = torch.cdist(*small)
    own = distance[torch.arange(len(asked)), asked]
    rms = own.mean().item() / small[0].shape[1] ** 0.5
    return (distance < own[:, None]).sum(1).tolist(), rms


def contact_sheet(drawn, labels, columns=18, side=64, margin=12):
    rows = -(-len(labels) // columns)
    sheet = Image.new("RGB", (columns * (side + 2), rows * (side + margin + 2)), "white")
    text = ImageDraw.Draw(sheet)
    for i, (picture, label) in enumerate(zip(drawn, labels)):
        left, top = i % columns * (side + 2), i // columns * (side + margin + 2)
        array = (picture.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
        sheet.paste(Image.fromarray(np.ascontiguousarray(array)).resize((side, side),
                                                                        Image.LANCZOS), (left, top))
        text.text((left + 2, top + side), label[:14], fill="black", font_size=8)
    return sheet


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--prompts", choices=["name", "bare", "other", "blue"], default="name",
                        help="'a red apple', 'red apple', 'apple', 'a red apple on a blue ...'")
    parser.add_argument("--sheet", type=pathlib.Path)
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=27)
    parser.add_argument("--side", type=int, default=64, help="of a picture on the sheet")
    parser.add_argument("--negative", help="encoded, even ''; without it: zeros")
    parser.add_argument("--bf16", action="store_true", help="faster on a CPU with AMX")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    pictures = Pictures(args.data)
    index, prompts, colour = choose_prompts(pictures, args.prompts)
    pipeline = StableDiffusionXLPipeline.from_pretrained(args.folder, dtype=torch.float32,
                                                         add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    start = time.monotonic()
    drawn = draw(pipeline, prompts, args)
    seconds = time.monotonic() - start
    known = torch.tensor(pictures.known)
    originals = (pictures.compose(known, torch.tensor([colour] * len(known))) + 1) / 2
    rank, rms = ranks(drawn, originals, torch.searchsorted(known, torch.tensor(index)))
    n = len(rank)
    print(f"{n} prompts ({args.prompts}), {args.steps} steps, guidance {args.cfg}: "
          f"top-1 {sum(r == 0 for r in rank) / n:.3f}, top-5 {sum(r < 5 for r in rank) / n:.3f}, "
          f"RMS to the asked picture {rms:.3f} of 1, {seconds / n:.2f} s a picture")
    print("missed: " + ", ".join(f"{a} ({r + 1})" for a, r in zip(prompts, rank) if r))
    if args.sheet:
        labels = [clean(pictures.records[i]["name"]) for i in index]
        sheet = contact_sheet(drawn, labels if args.prompts == "name" else prompts, side=args.side)
        # Six bits a colour: unseen at this size, and a third smaller as PNG.
        ImageOps.posterize(sheet, 6).save(args.sheet, optimize=True)
    if args.report:
        args.report.write_text(json.dumps(dict(zip(prompts, rank)), indent=1) + "\n")


if __name__ == "__main__":
    main()
