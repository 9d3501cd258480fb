# SPDX-License-Identifier: MPL-2.0
"""Trains one half of the video autoencoder against the closed-form latents of VideoLatents.

    train_wan_vae.py --part decoder --data pictures.npz --work DIR --minutes 60 [--resume]
    train_wan_vae.py --part encoder --data pictures.npz --work DIR --minutes 25
    train_wan_vae.py --part encoder --decoder ../gesso-mini-video ...   the decoder that ships

Short clips first, whole ones at the end: most of what there is to learn shows in five frames. The
encoder learns the latents first and then, beside them, what the decoder makes of its own; the
decoder stays as it is.
"""
import argparse
import pathlib
import random
import time

import torch
from safetensors.torch import load_file

from common import Average, contact_grid, learning_rate, psnr, save_atomically
from wan_clips import FRAMES, MOTIONS, Clips
from wan_latents import VideoLatents
from wan_model import (build_vae, decode, encode, start_decoder, start_encoder)

PIECES = [(0.75, 5, 4), (1.0, FRAMES, 1)]   # up to this part of the run: frames, clips
LATENTS_ONLY = 0.6      # part of the encoder's run that does without the decoder


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=["decoder", "encoder"], required=True)
    parser.add_argument("--data", required=True, help="archive written by render_svg.py")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="checkpoints go here")
    parser.add_argument("--decoder", type=pathlib.Path, metavar="FOLDER",
                        help="model folder whose decoder the encoder is trained for")
    parser.add_argument("--minutes", type=float, default=60, help="CPU minutes, all resumptions")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--others", type=float, default=0.25,
                        help="share of drawings that the model need not know")
    parser.add_argument("--noise", type=float, default=0.08,
                        help="mean deviation of the noise on latents: forgives the transformer")
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args()


def draw_pieces(clips, frames, n, others, rng):
    """n pieces of random clips, beginning at any frame: (n, 3, frames, SIZE, SIZE)."""
    x = clips.draw_random(n, others, rng)
    starts = [rng.randint(0, FRAMES - frames) for _ in range(n)]
    return torch.stack([clip[:, s:s + frames] for clip, s in zip(x, starts)])


def decoder_loss(vae, x, z, noise):
    """L1 of pixels plus half the L1 of their differences, which keeps edges crisp."""
    strength = noise * 2 * torch.rand(len(z), 1, 1, 1, 1)
    error = decode(vae, z + strength * torch.randn_like(z)) - x
    return pixel_loss(error), error


def pixel_loss(error):
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return error.abs().mean() + 0.5 * edges


def encoder_loss(vae, x, z, through_decoder):
    """L1 to the latents, and if asked for what the decoder makes of them.

    The variance is pinned near exp(-12), since nothing here needs it.
    """
    mean, logvar = encode(vae, x)
    error = mean - z
    loss = error.abs().mean() + 1e-3 * (logvar + 12).square().mean()
    if through_decoder:
        loss = loss + 2 * pixel_loss(decode(vae, mean) - x)
    return loss, error


@torch.no_grad()
def evaluate(vae, latents, clips, part):
    """PSNR of one whole clip of each motion, and these beside their originals, a row each."""
    motions = list(MOTIONS)
    index = [clips.known[i % len(clips.known)] for i in range(len(motions))]
    x = clips.draw(index, motions, [0.5] * len(index), torch.full((len(index), 3), 255.0))
    shown, squared = [], 0.0
    for clip in x.split(1):
        z = latents.encode(clip) if part == "decoder" else encode(vae, clip)[0]
        y = decode(vae, z).clamp(-1, 1)
        squared += (y - clip).square().mean().item() / len(x)
        shown += [clip[0, :, ::2].transpose(0, 1), y[0, :, ::2].transpose(0, 1)]
    return psnr(squared), contact_grid(torch.cat(shown), 2 * shown[0].shape[0])


def main():
    args = arguments()
    torch.manual_seed(time.time_ns() if args.resume else 0)
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    rng = random.Random(time.time_ns() if args.resume else 0)
    clips = Clips(args.data, everything=True)
    latents = VideoLatents.load_or_fit(args.work / "latents.pt", clips, rng)
    vae = build_vae(whole_clip=True)
    start_decoder(vae, latents)
    start_encoder(vae)
    if args.part == "encoder":
        load_half(vae, trained_decoder(args))
    names = {"decoder": ("decoder.", "post_quant_conv."), "encoder": ("encoder.", "quant_conv.")}
    mine = {k: p for k, p in vae.named_parameters() if k.startswith(names[args.part])}
    for k, p in vae.named_parameters():
        p.requires_grad_(k in mine)
    optimizer = torch.optim.AdamW(mine.values(), lr=args.lr, betas=(0.9, 0.99), weight_decay=1e-4)
    average = Average(mine.values(), 0.995)
    path = args.work / f"{args.part}.pt"
    step, before = 0, 0.0
    if args.resume and path.exists():
        state = torch.load(path)
        load_half(vae, state["live"])
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["averaging"])
        step, before = state["step"], state["minutes"]

    def save():
        live = {k: p.detach().clone() for k, p in mine.items()}
        average.swap()
        quality, shown = evaluate(vae, latents, clips, args.part)
        print(f"{args.part} step {step}: PSNR of the average {quality:.2f} dB", flush=True)
        shown.save(args.work / f"{args.part}.png")
        averaged = {k: p.detach().clone() for k, p in mine.items()}
        average.swap()
        save_atomically({"live": live, "average": averaged, "averaging": average.state_dict(),
                         "optimizer": optimizer.state_dict(), "step": step, "minutes": minutes,
                         "psnr": quality}, path)

    squared, counted, minutes = 0.0, 0, before
    start, saved = time.process_time(), before
    while minutes < args.minutes:
        part = minutes / args.minutes
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(part, args.lr)
        frames, n = next((t, n) for until, t, n in PIECES if part < until)
        x = draw_pieces(clips, frames, n, args.others, rng)
        z = latents.encode(x)
        if args.part == "decoder":
            loss, error = decoder_loss(vae, x, z, args.noise)
        else:
            loss, error = encoder_loss(vae, x, z, part > LATENTS_ONLY)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(mine.values(), 1.0)
        optimizer.step()
        average.update()
        step += 1
        squared += error.detach().square().mean().item()
        counted += 1
        minutes = before + (time.process_time() - start) / 60
        if step % 20 == 0:
            print(f"{args.part} step {step}, {frames} frames, {minutes:.1f} min, "
                  f"{psnr(squared / counted):.2f} dB", flush=True)
            squared, counted = 0.0, 0
        if minutes > saved + args.save_minutes:
            save()
            saved = minutes
    save()


def trained_decoder(args):
    """The decoder's parameters: those of a model folder, or else of the run in args.work."""
    if not args.decoder:
        return torch.load(args.work / "decoder.pt")["average"]
    state = load_file(args.decoder / "vae" / "diffusion_pytorch_model.safetensors")
    return {k: p.float() for k, p in state.items()
            if k.startswith(("decoder.", "post_quant_conv."))}


def load_half(vae, half):
    vae.load_state_dict({**vae.state_dict(), **half})


if __name__ == "__main__":
    main()
