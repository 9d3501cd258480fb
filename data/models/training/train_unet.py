# SPDX-License-Identifier: MPL-2.0
"""Trains the UNet and both text encoders together on the closed-form latents.

    train_unet.py --data pictures.npz --work DIR --minutes 90 [--resume]

v-prediction: its error weighs x0 by SNR + 1 where epsilon's weighs it by SNR, next to nothing at
high noise, where the text decides layout and colour.
"""
import argparse
import pathlib
import random
import time

import torch

from captions import MAX_TOKENS, Captioner, tokenizers
from common import (BACKGROUNDS, SIZE, Average, PcaLatents, Pictures, contact_grid, learning_rate,
                    save_atomically)
from model import SCHEDULER, TextEncoders, build_pipeline, build_unet, build_vae

SNR_CLIP = 5            # weight of the loss in x0: min(SNR + 1, 5), as min-SNR for v
WATCHED = [
    "a red apple", "a cat", "pizza", "a rocket", "sunflower", "red heart", "a dog face",
    "soccer ball", "a green apple", "house", "octopus", "a hamburger", "grinning face", "umbrella",
    "a car", "a tree", "guitar", "a banana on a blue background", "fire", "frog", "crown", "fish",
    "mushroom", "snowman",
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="archive written by render_svg.py")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="checkpoints go here")
    parser.add_argument("--minutes", type=float, default=90, help="the whole run, all resumptions")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--others", type=float, default=0.0,
                        help="share of pictures beyond those that the model must know")
    parser.add_argument("--coloured", type=float, default=0.12, help="share not on white")
    parser.add_argument("--save-minutes", type=float, default=8)
    parser.add_argument("--threads", type=int, default=2,
                        help="1 where the cores are shared: threads that wait for each other stall")
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args()


class Samples:
    """Latents and captions of every picture on every background, made once.

    Captions are kept as token numbers, VARIANTS for each picture and background.
    """

    VARIANTS = 24

    def __init__(self, pictures, latents, others):
        rng = random.Random(0)
        captioner = Captioner([pictures.records[i] for i in pictures.known])
        first, second = tokenizers()
        chosen = range(len(pictures.records)) if others else pictures.known
        self.known = torch.tensor([n for n, i in enumerate(chosen) if i in set(pictures.known)])
        self.n_pictures = len(chosen)
        self.latents, texts = [], []
        for i in chosen:
            colours = torch.tensor(list(BACKGROUNDS.values()))
            self.latents.append(latents.encode(pictures.compose([i] * len(colours), colours)))
            for background in BACKGROUNDS:
                texts += [captioner.caption(pictures.records[i], background, rng)
                          for _ in range(self.VARIANTS)]
        self.latents = torch.stack(self.latents)
        shape = (self.n_pictures, len(BACKGROUNDS), self.VARIANTS, MAX_TOKENS)
        self.ids, self.ids_2 = (self._tokens(t, texts).view(shape) for t in (first, second))
        self.empty, self.empty_2 = (self._tokens(t, [""])[0] for t in (first, second))

    @staticmethod
    def _tokens(tokenizer, texts):
        # Many captions repeat: tokenize each once.
        unique = list(dict.fromkeys(texts))
        ids = tokenizer(unique, padding="max_length", max_length=MAX_TOKENS,
                        truncation=True, return_tensors="pt").input_ids.to(torch.int16)
        where = {text: n for n, text in enumerate(unique)}
        return ids[[where[text] for text in texts]]

    def draw(self, n, others, coloured):
        """Returns latents (n, 4, h, w), both encoders' token ids (n, 77), keep (n).

        keep is 0 where the embeddings are to be zeroed. 5% of the captions are empty and 5% zeroed:
        diffusers forms the unconditional input by zeros, most other programs from the empty text.
        """
        index = self.known[torch.randint(0, len(self.known), (n,))]
        index = torch.where(torch.rand(n) < others, torch.randint(0, self.n_pictures, (n,)), index)
        background = torch.randint(1, len(BACKGROUNDS), (n,)) * (torch.rand(n) < coloured)
        variant = torch.randint(0, self.VARIANTS, (n,))
        u = torch.rand(n)
        ids = self.ids[index, background, variant]
        ids_2 = self.ids_2[index, background, variant]
        ids[u < 0.05] = self.empty
        ids_2[u < 0.05] = self.empty_2
        keep = (u < 0.95).float()
        return self.latents[index, background], ids.long(), ids_2.long(), keep


def draw_time_ids(n):
    """SDXL's sizes and crops; one in ten is odd, so that odd requests do no harm."""
    time_ids = torch.tensor([[SIZE, SIZE, 0, 0, SIZE, SIZE]]).repeat(n, 1)
    odd = torch.randint(64, 1025, (n, 1)) * torch.tensor([[1, 1, 0, 0, 1, 1]])
    return torch.where(torch.rand(n, 1) < 0.1, odd, time_ids)


class Noise:
    def __init__(self):
        first, last = SCHEDULER["beta_start"] ** 0.5, SCHEDULER["beta_end"] ** 0.5
        steps = SCHEDULER["num_train_timesteps"]
        betas = torch.linspace(first, last, steps, dtype=torch.float64).square()
        self.alphas_bar = (1 - betas).cumprod(0).float()

    def apply(self, x0):
        """Returns x_t, t, the target v and the weight of its error."""
        n = len(x0)
        # One time from each of n equal slices: less variance than independent draws.
        t = ((torch.rand(n) + torch.arange(n)) / n * len(self.alphas_bar)).long()
        t = t.clamp(max=len(self.alphas_bar) - 1)
        noise = torch.randn_like(x0)
        a = self.alphas_bar[t].view(-1, 1, 1, 1)
        xt = (a.sqrt() * x0 + (1 - a).sqrt() * noise).contiguous(memory_format=torch.channels_last)
        v = a.sqrt() * noise - (1 - a).sqrt() * x0
        snr = self.alphas_bar[t] / (1 - self.alphas_bar[t])
        return xt, t, v, (snr + 1).clamp(max=SNR_CLIP) / (snr + 1)


def predict(unet, text, xt, t, ids, ids_2, keep, time_ids):
    context, pooled = text(ids, ids_2)
    keep = keep.to(context.dtype)
    added = {"text_embeds": pooled * keep[:, None], "time_ids": time_ids}
    return unet(xt, t, context * keep[:, None, None], added_cond_kwargs=added).sample


@torch.no_grad()
def draw_watched(unet, text, work):
    vae = build_vae()
    if (work / "vae.pt").exists():
        vae.load_state_dict(torch.load(work / "vae.pt"))
    pipeline = build_pipeline(unet, text, vae)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = pipeline(WATCHED, num_inference_steps=20, guidance_scale=4.0, generator=generator,
                     output_type="pt").images
    return contact_grid(x * 2 - 1, 12)


def main():
    args = arguments()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    pictures = Pictures(args.data)
    samples = Samples(pictures, PcaLatents.load_or_fit(args.work / "pca.pt", pictures), args.others)
    unet, text, noise = build_unet(), TextEncoders(), Noise()
    parameters = [*unet.parameters(), *text.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=args.lr, betas=(0.9, 0.99), weight_decay=0.01,
                                  fused=True)
    average = Average(parameters, args.ema)
    path, step, before = args.work / "unet.pt", 0, 0.0
    if args.resume and path.exists():
        state = torch.load(path)
        unet.load_state_dict(state["unet"])
        text.load_state_dict(state["text"])
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["average"])
        step, before = state["step"], state["minutes"]
        torch.manual_seed(step)

    def save():
        save_atomically({"unet": unet.state_dict(), "text": text.state_dict(),
                         "optimizer": optimizer.state_dict(), "average": average.state_dict(),
                         "step": step, "minutes": minutes}, path)
        average.swap()
        save_atomically({"unet": unet.state_dict(), "text": text.state_dict(), "step": step},
                        args.work / "average.pt")
        draw_watched(unet, text, args.work).save(args.work / f"watched-{step:06}.png")
        average.swap()

    compiled = torch.compile(predict)
    total, start = 0.0, time.monotonic()
    minutes = saved = before
    while minutes < args.minutes:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(minutes / args.minutes, args.lr)
        x0, ids, ids_2, keep = samples.draw(args.batch, args.others, args.coloured)
        xt, t, v, weight = noise.apply(x0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = compiled(unet, text, xt, t, ids, ids_2, keep, draw_time_ids(args.batch))
        error = (out.float() - v).square().mean((1, 2, 3))
        optimizer.zero_grad(set_to_none=True)
        (error * weight).mean().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update()
        step += 1
        total += error.detach().mean().item()
        minutes = before + (time.monotonic() - start) / 60
        if step % 50 == 0:
            print(f"step {step} {minutes:.1f} min: {step * args.batch} samples, "
                  f"mse of v {total / 50:.4f}", flush=True)
            total = 0.0
        if minutes > saved + args.save_minutes:
            save()
            saved = minutes
    save()


if __name__ == "__main__":
    main()
