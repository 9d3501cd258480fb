# SPDX-License-Identifier: MPL-2.0
"""Trains the preview decoder (diffusers' AutoencoderTiny, decoder only).

    train_preview.py --data pictures.npz --work DIR --minutes 5
"""
import argparse
import pathlib
import time

import torch

from common import (Average, PcaLatents, Pictures, contact_grid, learning_rate, psnr,
                    save_atomically)
from model import build_preview
from train_vae import draw_batch


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="archive written by render_svg.py")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="checkpoints go here")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    pictures = Pictures(args.data)
    latents = PcaLatents.load_or_fit(args.work / "pca.pt", pictures)
    decoder = build_preview().decoder
    path = args.work / "preview.pt"
    if path.exists():
        decoder.load_state_dict(torch.load(path))
    parameters = list(decoder.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=args.lr, betas=(0.9, 0.99), weight_decay=1e-4)
    average = Average(parameters, 0.99)

    step, squared, start = 0, 0.0, time.monotonic()
    while (minutes := (time.monotonic() - start) / 60) < args.minutes:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(minutes / args.minutes, args.lr)
        x = draw_batch(pictures, args.batch, 0.6)
        z = latents.encode(x)
        # A preview sees unfinished latents: half of the noise levels are large.
        z = z + 0.3 * torch.rand(len(z), 1, 1, 1).square() * torch.randn_like(z)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = decoder(z.contiguous(memory_format=torch.channels_last))
        error = y.float() - x
        edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
        optimizer.zero_grad(set_to_none=True)
        (error.abs().mean() + 0.5 * edges).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update()
        step += 1
        squared += error.detach().square().mean().item()
        if step % 50 == 0:
            print(f"preview step {step} {minutes:.1f} min {psnr(squared / 50):.2f} dB", flush=True)
            squared = 0.0
    average.swap()
    save_atomically(decoder.state_dict(), path)
    index = pictures.known[::max(1, len(pictures.known) // 48)][:48]
    x = pictures.on_white(index)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        y = decoder(latents.encode(x)).float().clamp(-1, 1)
    print(f"preview step {step}: PSNR of the average {psnr((y - x).square().mean().item()):.2f} dB")
    contact_grid(torch.cat([x[:16], y[:16]]), 16).save(args.work / "preview.png")


if __name__ == "__main__":
    main()
