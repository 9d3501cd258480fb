# SPDX-License-Identifier: MPL-2.0
"""Trains one half of the autoencoder against the closed-form latents of common.PcaLatents.

    train_vae.py --part decoder --data pictures.npz --work DIR --minutes 14
    train_vae.py --part encoder --data pictures.npz --work DIR --minutes 5
    train_vae.py --part decoder --data pictures.npz --work DIR --minutes 8 --drawn 0.5 --lr 5e-4

The decoder learns latents -> picture, the encoder picture -> latents. Both are regressions with a
fixed target, so that either can be improved later without touching the UNet.
"""
import argparse
import pathlib
import time

import torch

from common import (BACKGROUNDS, SCALING_FACTOR, Average, PcaLatents, Pictures, contact_grid,
                    learning_rate, psnr, save_atomically)
from model import build_vae

HELD_OUT = 48           # pictures, or drawn latents, that the quality is measured on


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=["decoder", "encoder"], required=True)
    parser.add_argument("--data", required=True, help="archive written by render_svg.py")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="checkpoints go here")
    parser.add_argument("--minutes", type=float, default=14)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--known", type=float, default=0.6,
                        help="share of the pictures that the model must know; the rest is others")
    parser.add_argument("--noise", type=float, default=0.05,
                        help="mean deviation of the noise on latents: forgives the UNet's errors")
    parser.add_argument("--drawn", type=float, default=0.0,
                        help="share of latents drawn by the UNet, from draw_latents.py")
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def draw_batch(pictures, n, known_share):
    """A quarter on coloured backgrounds, the rest on white."""
    known = torch.tensor(pictures.known)
    index = torch.randint(0, len(pictures.records), (n,))
    index = torch.where(torch.rand(n) < known_share, known[torch.randint(0, len(known), (n,))],
                        index)
    table = torch.tensor(list(BACKGROUNDS.values()))
    pick = torch.randint(0, len(table), (n,)) * (torch.rand(n) < 0.25)
    return pictures.compose(index, table[pick])


def mix_drawn(drawn, pictures, x, z, share):
    """Replaces the first part of a batch by latents that the UNet drew and their pictures.

    The decoder so learns to set right the UNet's small errors, which noise does not resemble.
    """
    n = round(share * len(z))
    pick = torch.randint(0, len(drawn["index"]) - HELD_OUT, (n,))
    x[:n] = pictures.on_white(drawn["index"][pick])
    z[:n] = drawn["latents"][pick]


def decoder_loss(vae, x, z, noise):
    """L1 of pixels plus half the L1 of their differences, which keeps edges crisp."""
    strength = noise * 2 * torch.rand(len(z), 1, 1, 1)
    noisy = (z + strength * torch.randn_like(z)) / SCALING_FACTOR
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = vae.decode(noisy.contiguous(memory_format=torch.channels_last)).sample
    error = y.float() - x
    edges = (error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean())
    return error.abs().mean() + 0.5 * edges, error


def encoder_loss(vae, x, z):
    """L1 to the latents; the variance is pinned near exp(-12), since nothing here needs it."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        distribution = vae.encode(x).latent_dist
    error = distribution.mean.float() * SCALING_FACTOR - z
    pinned = (distribution.logvar.float() + 12).square().mean()
    return error.abs().mean() + 1e-3 * pinned, error


@torch.no_grad()
def evaluate(vae, latents, pictures, part, drawn):
    """PSNR of 48 known pictures on white, and the first 16 beside their originals.

    decoder: from the exact latents, or from those drawn by the UNet that training left out;
    encoder: from its own latents.
    """
    index = pictures.known[::max(1, len(pictures.known) // HELD_OUT)][:HELD_OUT]
    if drawn:
        index = drawn["index"][-HELD_OUT:]
    x = pictures.on_white(index)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = drawn["latents"][-HELD_OUT:] if drawn else latents.encode(x)
        z = z / SCALING_FACTOR
        if part == "encoder":
            z = vae.encode(x).latent_dist.mean.float()
        y = vae.decode(z).sample.float().clamp(-1, 1)
    return psnr((y - x).square().mean().item()), torch.cat([x[:16], y[:16]])


def main():
    args = arguments()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    pictures = Pictures(args.data)
    latents = PcaLatents.load_or_fit(args.work / "pca.pt", pictures)
    path = args.work / "vae.pt"
    vae = build_vae()
    if path.exists():
        vae.load_state_dict(torch.load(path))
    drawn = torch.load(args.work / "drawn.pt") if args.drawn else None
    half = [vae.decoder] if args.part == "decoder" else [vae.encoder, vae.quant_conv]
    parameters = [p for module in half for p in module.parameters()]
    for p in vae.parameters():
        p.requires_grad_(False)
    for p in parameters:
        p.requires_grad_(True)
    optimizer = torch.optim.AdamW(parameters, lr=args.lr, betas=(0.9, 0.99), weight_decay=1e-4)
    average = Average(parameters, 0.995)

    best, _ = evaluate(vae, latents, pictures, args.part, drawn)
    print(f"{args.part}: PSNR at the start {best:.2f} dB", flush=True)

    def save():
        """Keeps the average if it is the best so far: a short run may end below its start."""
        nonlocal best
        average.swap()
        quality, shown = evaluate(vae, latents, pictures, args.part, drawn)
        print(f"{args.part} step {step}: PSNR of the average {quality:.2f} dB", flush=True)
        contact_grid(shown, 16).save(args.work / f"{args.part}.png")
        if quality <= best:
            average.swap()
            return
        best = quality
        # The two halves may be trained at the same time: keep the other half as it is on disk.
        state = vae.state_dict()
        if path.exists():
            kept = torch.load(path)
            mine = ("decoder",) if args.part == "decoder" else ("encoder", "quant_conv")
            state = {k: v if k.startswith(mine) else kept[k] for k, v in state.items()}
        save_atomically(state, path)
        average.swap()

    step, squared = 0, 0.0
    start, saved = time.monotonic(), 0.0
    while (minutes := (time.monotonic() - start) / 60) < args.minutes:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(minutes / args.minutes, args.lr)
        x = draw_batch(pictures, args.batch, args.known)
        z = latents.encode(x)
        if args.part == "decoder":
            if args.drawn:
                mix_drawn(drawn, pictures, x, z, args.drawn)
            loss, error = decoder_loss(vae, x, z, args.noise)
        else:
            loss, error = encoder_loss(vae, x, z)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update()
        step += 1
        squared += error.detach().square().mean().item()
        if step % 50 == 0:
            print(f"{args.part} step {step} {minutes:.1f} min {psnr(squared / 50):.2f} dB",
                  flush=True)
            squared = 0.0
        if minutes > saved + args.save_minutes:
            save()
            saved = minutes
    save()


if __name__ == "__main__":
    main()
