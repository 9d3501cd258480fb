# SPDX-License-Identifier: MPL-2.0
"""Draws latents of every known picture, so that the decoder can be tuned to what the UNet makes.

    draw_latents.py --data pictures.npz --work DIR --rounds 3

Writes DIR/drawn.pt: index (n) of the picture asked for, latents (n, 4, h, w). A drawing whose
nearest known picture is another one is left out: the decoder must not learn to correct that.
"""
import argparse
import pathlib

import torch
import torch.nn.functional as F

from common import PcaLatents, Pictures, save_atomically
from evaluate import prompt_for
from model import TextEncoders, build_pipeline, build_unet, build_vae


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="archive written by render_svg.py")
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=27)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    pictures = Pictures(args.data)
    latents = PcaLatents.load_or_fit(args.work / "pca.pt", pictures)
    average = torch.load(args.work / "average.pt")
    unet, text = build_unet(), TextEncoders()
    unet.load_state_dict(average["unet"])
    text.load_state_dict(average["text"])
    pipeline = build_pipeline(unet, text, build_vae())
    pipeline.set_progress_bar_config(disable=True)

    targets = latents.encode(pictures.on_white(pictures.known))
    known = torch.tensor(pictures.known)
    coarse = F.avg_pool2d(targets, 2).flatten(1)
    index, drawn, n_drawn = [], [], 0
    for seed in range(args.rounds):
        generator = torch.Generator().manual_seed(1000 + seed)
        for k in range(0, len(known), args.batch):
            part = torch.arange(k, min(k + args.batch, len(known)))
            prompts = [prompt_for(pictures.records[known[i]]) for i in part]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                z = pipeline(prompts, num_inference_steps=20, guidance_scale=4.0,
                             generator=generator, output_type="latent").images.float()
            nearest = torch.cdist(F.avg_pool2d(z, 2).flatten(1), coarse).argmin(1)
            good = nearest == part
            index.append(known[part[good]])
            drawn.append(z[good])
            n_drawn += len(part)
        print(f"round {seed + 1}: {sum(map(len, index))} of {n_drawn} kept", flush=True)
        save_atomically({"index": torch.cat(index), "latents": torch.cat(drawn)},
                        args.work / "drawn.pt")


if __name__ == "__main__":
    main()
