#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Draws one picture with diffusers and with gesso-cli from the same diffusers folder and compares them.

    same_picture.py GESSO_CLI MODEL_FOLDER [--prompt TEXT] [--seed N] [--steps N] [--cfg X] [--size PX]

Prints the largest difference of the final latents, relative to the largest value, and the PSNR of the pictures.
Exit status 0 when they agree to 1e-3 and 50 dB.  Needs the packages named in README.md.
"""
import argparse
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from safetensors.numpy import load_file

LATENT_TOLERANCE, PICTURE_DB = 1e-3, 50


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cli", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--prompt", default="a red apple")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg", type=float, default=4.0)
    parser.add_argument("--size", type=int, default=0)
    return parser.parse_args()


def draw_with_diffusers(args):
    pipeline = DiffusionPipeline.from_pretrained(args.model, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    size = {"width": args.size, "height": args.size} if args.size else {}
    call = dict(prompt=args.prompt, num_inference_steps=args.steps, guidance_scale=args.cfg, **size)
    latent = pipeline(**call, generator=torch.Generator().manual_seed(args.seed), output_type="latent").images
    picture = pipeline(**call, generator=torch.Generator().manual_seed(args.seed), output_type="np").images[0]
    return latent.numpy(), picture


def draw_with_gesso(args):
    with tempfile.TemporaryDirectory() as folder:
        picture, latent = pathlib.Path(folder, "picture.png"), pathlib.Path(folder, "latent.safetensors")
        size = ["--width", str(args.size), "--height", str(args.size)] if args.size else []
        subprocess.run(
            [args.cli, "generate", args.prompt, "--model", args.model, "--seed", str(args.seed), "--steps", str(args.steps),
             "--guidance", str(args.cfg), "--precision", "f32", "--weighting", "none", "--output", picture,
             "--latent-out", latent, *size],
            check=True, stdout=subprocess.DEVNULL)
        return load_file(latent)["latent"], np.asarray(Image.open(picture)) / 255.0


def main():
    args = arguments()
    (want, want_picture), (got, got_picture) = draw_with_diffusers(args), draw_with_gesso(args)
    error = float(np.abs(got - want).max() / np.abs(want).max())
    db = -10 * math.log10(float(np.square(got_picture - want_picture).mean()) + 1e-12)
    print(f"latents differ by {error:.1e} of the largest value, pictures by {db:.1f} dB")
    sys.exit(not (error <= LATENT_TOLERANCE and db >= PICTURE_DB))


main()
