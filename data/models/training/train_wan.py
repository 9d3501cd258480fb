# SPDX-License-Identifier: MPL-2.0
"""Trains the video transformer and its text encoder on the closed-form latents.

    train_wan.py --data pictures.npz --work DIR --minutes 30 [--resume]
    train_wan.py --experts --data pictures.npz --work DIR --minutes 10

Flow matching: x_t = (1 - t) x_0 + t noise, and the velocity noise - x_0 is learnt. The first
command trains one transformer for all t; the second takes two copies of it further: one for t of
BOUNDARY and above, where the text decides what moves how, together with the text encoder, and then
one for t below, with the text encoder as the first left it.
"""
import argparse
import copy
import math
import pathlib
import random
import time

import torch
from diffusers.models.transformers.transformer_wan import WanAttnProcessor

from common import Average, contact_grid, learning_rate, save_atomically
from wan_clips import FRAMES, MOTIONS, OBJECTS, PLAIN, SIZE, Clips, caption
from wan_latents import CHANNELS, SPACE, TIME, VideoLatents
from wan_model import (BOUNDARY, MAX_WORDS, SHIFT, TEXT_TOKENS, build_text_encoder,
                       build_transformer)
from wan_text import PAD, Words

PADDING = TEXT_TOKENS - MAX_WORDS + 1   # tokens that the last of MAX_WORDS stands for
FIRST_FRAME = 0.2       # share of the batches that are given the first frame
WATCHED = ["a red apple bouncing", "a star spinning", "a rocket sliding to the right",
           "a red heart pulsing", "a car moving left", "a star zooming in", "a car falling",
           "a paper boat drifts across a pond"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="archive written by render_svg.py")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="checkpoints go here")
    parser.add_argument("--experts", action="store_true", help="the two, from the common one")
    parser.add_argument("--minutes", type=float, default=30, help="CPU minutes, all resumptions")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1.2e-3)
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args()


class Samples:
    """Latents and captions of every object and motion on every colour, made once.

    Three quarters of the clips are on white. Captions are kept as token numbers, VARIANTS for each
    clip.
    """

    VARIANTS = 24
    CLIPS = 8           # of each object and motion

    def __init__(self, clips, latents, words):
        rng = random.Random(0)
        colours = [c for c in PLAIN if c != "white"]
        self.latents, texts = [], []
        for name, picture in zip(OBJECTS, clips.known):
            for motion in MOTIONS:
                drift = name == "sailboat" and motion == "sliding right"
                chosen = ["white"] * (3 * self.CLIPS // 4)
                chosen += ["light blue"] * 2 if drift else []
                chosen += rng.sample(colours, self.CLIPS - len(chosen))
                amounts = [rng.random() for _ in chosen]
                x = clips.draw([picture] * len(chosen), [motion] * len(chosen), amounts,
                               torch.tensor([PLAIN[c] for c in chosen]))
                self.latents.append(latents.encode(x))
                texts += [caption(name, motion, c, rng) for c in chosen
                          for _ in range(self.VARIANTS)]
        self.latents = torch.cat(self.latents)
        self.ids = words(texts).view(len(self.latents), self.VARIANTS, MAX_WORDS)
        self.empty = words([""])[0]

    def draw(self, n):
        """Returns latents (n, CHANNELS, t, h, w) and token numbers (n, MAX_WORDS), 10% of ''."""
        index = torch.randint(0, len(self.latents), (n,))
        ids = self.ids[index, torch.randint(0, self.VARIANTS, (n,))]
        ids[torch.rand(n) < 0.1] = self.empty
        return self.latents[index], ids


class PaddedText(WanAttnProcessor):
    """Lets the last token stand for all the padding: exactly what TEXT_TOKENS tokens give.

    Padding is zeros, not masked, so that its many keys are all alike; count of them weigh as one
    whose score is higher by log(count).
    """

    def __init__(self):
        super().__init__()
        self.bias = torch.zeros(1, 1, 1, MAX_WORDS)

    def set_count(self, count):
        self.bias[..., -1] = math.log(count)

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None,
                 rotary_emb=None):
        bias = None if encoder_hidden_states is None else self.bias
        return super().__call__(attn, hidden_states, encoder_hidden_states, bias, rotary_emb)


def shifted(u):
    return SHIFT * u / (1 + (SHIFT - 1) * u)


def draw_times(n, expert):
    """One time from each of n equal slices of the expert's range, crowded to 1 as in sampling."""
    first, last = {None: (0, 1), "high": (BOUNDARY, 1), "low": (0, BOUNDARY)}[expert]
    unshift = lambda t: t / (SHIFT - (SHIFT - 1) * t)
    first, last = unshift(first), unshift(last)
    u = (torch.rand(n) + torch.arange(n)) / n
    return shifted(first + (last - first) * u)[torch.randperm(n)]


def read(text, ids):
    """What the transformer is told: the encoder's output, zeros in place of padding."""
    mask = (ids != PAD).long()
    return text(ids, attention_mask=mask).last_hidden_state * mask[..., None]


def flow_loss(text, transformer, x0, ids, expert):
    t = draw_times(len(x0), expert)
    noise = torch.randn_like(x0)
    parts = t.view(-1, 1, 1, 1, 1)
    x = (1 - parts) * x0 + parts * noise
    given = random.random() < FIRST_FRAME
    times = 1000 * t
    if given:
        # As Wan 2.2 TI2V: the first latent frame is clean and its tokens have time 0.
        x[:, :, 0] = x0[:, :, 0]
        tokens = x[:, 0, :, ::2, ::2].flatten(1).shape[1] // x.shape[2]
        times = times[:, None].repeat(1, x.shape[2] * tokens)
        times[:, :tokens] = 0
    v = transformer(x, times, read(text, ids), return_dict=False)[0]
    error = v - (noise - x0)
    return (error[:, :, 1:] if given else error).square().mean()


@torch.no_grad()
def draw_watched(text, transformer, words, latents, steps=16, guidance=4.0):
    """A row of frames for each watched prompt, through the linear inverse; plain Euler."""
    n = len(WATCHED)
    context = read(text, words(WATCHED + [""] * n))
    shape = (CHANNELS, 1 + (FRAMES - 1) // TIME, SIZE // SPACE, SIZE // SPACE)
    x = torch.randn((n, *shape), generator=torch.Generator().manual_seed(1))
    sigma = shifted(torch.linspace(1, 0, steps + 1))
    for now, then in zip(sigma[:-1], sigma[1:]):
        v, plain = transformer(torch.cat([x, x]), torch.full((2 * n,), 1000 * now), context,
                               return_dict=False)[0].chunk(2)
        x = x + (plain + guidance * (v - plain)) * (then - now)
    clips = latents.decode(x).clamp(-1, 1)[:, :, ::2]
    return contact_grid(clips.transpose(1, 2).flatten(0, 1), clips.shape[2])


class Training:
    """One transformer's training: the common one, or an expert that starts as its copy.

    state: in `path`, written atomically; both the live weights and their averages
    """

    def __init__(self, args, expert, samples, words, latents):
        self.args, self.expert, self.samples = args, expert, samples
        self.words, self.latents = words, latents
        text, transformer = build_text_encoder(), build_transformer()
        self.models = {"text": text, "transformer": transformer}
        self.padding = PaddedText()
        self.padding.set_count(PADDING)
        transformer.set_attn_processor(self.padding)
        self.path = args.work / f"{expert or 'transformer'}.pt"
        if expert:
            transformer.load_state_dict(
                torch.load(args.work / "transformer.pt")["average_transformer"])
            source = "high.pt" if expert == "low" else "transformer.pt"
            text.load_state_dict(torch.load(args.work / source)["average_text"])
            text.requires_grad_(expert == "high")
        self.parameters = [p for m in self.models.values() for p in m.parameters()
                           if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=args.lr, betas=(0.9, 0.99),
                                           weight_decay=0.01)
        self.average = Average(self.parameters, 0.997)
        self.step, self.minutes, self.loss = 0, 0.0, float("nan")
        if args.resume and self.path.exists():
            self.load(torch.load(self.path))

    def load(self, state):
        for name, model in self.models.items():
            model.load_state_dict(state[name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["averaging"])
        self.step, self.minutes = state["step"], state["minutes"]

    def save(self):
        state = {k: copy.deepcopy(m.state_dict()) for k, m in self.models.items()}
        self.average.swap()
        state |= {f"average_{k}": copy.deepcopy(m.state_dict()) for k, m in self.models.items()}
        if not self.expert:
            draw_watched(*self.models.values(), self.words, self.latents).save(
                self.args.work / "watched.png")
        self.average.swap()
        save_atomically(state | {"averaging": self.average.state_dict(), "loss": self.loss,
                                 "optimizer": self.optimizer.state_dict(), "step": self.step,
                                 "minutes": self.minutes}, self.path)

    def take_step(self, part):
        """part: of the run done. Returns the loss."""
        floor = 0.0 if self.expert else 0.3
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(part, self.args.lr, floor=floor)
        if not self.expert:
            # At first little padding: else hardly anything of the text comes through.
            self.padding.set_count(PADDING ** min(1.0, part / 0.4))
        x0, ids = self.samples.draw(self.args.batch)
        loss = flow_loss(*self.models.values(), x0, ids, self.expert)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.average.update()
        self.step += 1
        return loss.item()

    def run(self, minutes):
        before, saved, start = self.minutes, self.minutes, time.process_time()
        total, counted = 0.0, 0
        while self.minutes < minutes:
            total += self.take_step(self.minutes / minutes)
            counted += 1
            self.minutes = before + (time.process_time() - start) / 60
            if self.step % 50 == 0:
                self.loss = total / counted
                print(f"{self.expert or 'all'} step {self.step}, {self.minutes:.1f} min, "
                      f"{self.loss:.4f}", flush=True)
                total, counted = 0.0, 0
            if self.minutes > saved + self.args.save_minutes:
                self.save()
                saved = self.minutes
        self.save()


def main():
    args = arguments()
    torch.manual_seed(time.time_ns() if args.resume else 0)
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    clips = Clips(args.data)
    latents = VideoLatents.load_or_fit(args.work / "latents.pt", clips, random.Random(0))
    words = Words()
    samples = Samples(clips, latents, words)
    print(f"{len(samples.latents)} clips", flush=True)
    if args.experts:
        for expert, part in (("high", 0.4), ("low", 0.6)):
            Training(args, expert, samples, words, latents).run(part * args.minutes)
    else:
        Training(args, None, samples, words, latents).run(args.minutes)


if __name__ == "__main__":
    main()
