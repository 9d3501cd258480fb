# SPDX-License-Identifier: MPL-2.0
"""Noise of torchsde's Brownian tree, and the SDE samplers as ComfyUI runs them on it.

ComfyUI itself is not needed: its samplers are k-diffusion's, written out below for the model
D (x, sigma) = tanh (x / sqrt (1 + sigma^2)).
"""

import warnings

import torch
import torchsde

import common

TRAIN_STEPS = 1000
N = 24  # values of a picture; below 16 torch draws otherwise

# name: seed, start and end of the path, values, times from which pairs are asked for
PATHS = {
    "plain": (1234, 0.0292, 14.6146, N, [14.6146, 9.0, 3.25, 3.0, 0.5, 0.0292]),
    "few-values": (7, 0.0292, 14.6146, 6, [14.6146, 2.5, 0.4, 0.0292]),
    "long-seed": (2**53 + 17, 0.0292, 14.6146, N, [11.0, 10.5, 1.0]),
    "largest-seed": (2**64 - 1, 0.0292, 14.6146, N, [11.0, 10.5, 1.0]),
    "wide": (42, 0.002, 4096.0, N, [4096.0, 4095.9, 100.0, 0.0025, 0.002]),
    "deep": (42, 0.002, 1e6, N, [1e6, 999999.75, 612345.6875, 1.0]),  # places beyond 32 bits
    "narrow": (42, 0.5, 0.50001, N, [0.50001, 0.500007, 0.500003, 0.5]),
    "halves": (42, 0.002, 1.0, N, [1.0, 0.0234375, 0.0078125, 0.002]),  # 23437.5 and 7812.5 ticks
    "beyond-ends": (42, 0.5, 2.0, N, [2.000003, 1.0, 0.499998]),
}
# name: sampler, steps, denoise, eta, seed
RUNS = {
    "sde": ("dpmpp_sde", 8, 1.0, 1.0, 5),
    "sde-2-steps": ("dpmpp_sde", 2, 1.0, 1.0, 5),
    "sde-1-step": ("dpmpp_sde", 1, 1.0, 1.0, 5),
    "sde-eta": ("dpmpp_sde", 8, 1.0, 0.4, 2**40),
    "sde-denoise": ("dpmpp_sde", 6, 0.5, 1.0, 6),
    "2m-sde": ("dpmpp_2m_sde", 8, 1.0, 1.0, 5),
    "2m-sde-20-steps": ("dpmpp_2m_sde", 20, 1.0, 1.0, 11),
    "2m-sde-eta": ("dpmpp_2m_sde", 8, 1.0, 0.4, 5),
    "2m-sde-denoise": ("dpmpp_2m_sde", 6, 0.5, 1.0, 6),
    "2m-sde-heun": ("dpmpp_2m_sde_heun", 8, 1.0, 1.0, 5),
    "3m-sde": ("dpmpp_3m_sde", 8, 1.0, 1.0, 5),
    "3m-sde-eta": ("dpmpp_3m_sde", 20, 1.0, 0.4, 11),
    "3m-sde-denoise": ("dpmpp_3m_sde", 6, 0.5, 1.0, 6),
}
PICTURES = 2


class Paths:
    """One tree a picture, over the sigmas of a run; the noise from one sigma down to the next."""

    def __init__(self, seeds, start, end, n):
        zero = torch.zeros(n)
        self.trees = [torchsde.BrownianTree(start, zero, end, entropy=seed) for seed in seeds]

    def __call__(self, sigma, sigma_next):
        w = -torch.stack([tree(sigma_next, sigma) for tree in self.trees])
        return w / (sigma - sigma_next).abs().sqrt()


def paths():
    out = {}
    for name, (seed, start, end, n, times) in PATHS.items():
        times, ends = torch.tensor(times), torch.tensor([start, end])
        noise = Paths([seed], ends[0], ends[1], n)
        out[f"path.{name}.noise"] = torch.cat([noise(a, b) for a, b in zip(times[:-1], times[1:])])
        out[f"path.{name}.times"], out[f"path.{name}.ends"] = times, ends
        words = [seed >> shift & 0xFFFF for shift in (0, 16, 32, 48)]  # exact in float32
        out[f"path.{name}.seed"] = torch.tensor(words, dtype=torch.float32)
    return out


def karras(n, denoise):
    """ComfyUI's karras sigmas of SD, of which denoise < 1 leaves the last @n + 1."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, TRAIN_STEPS, dtype=torch.float64) ** 2
    alphas = torch.cumprod(1 - betas, 0)
    table = ((1 - alphas) / alphas).sqrt().float()
    total = int(n / denoise)
    low, high = table[0].item() ** (1 / 7), table[-1].item() ** (1 / 7)
    sigmas = (high + torch.linspace(0, 1, total) * (low - high)) ** 7
    return torch.cat([sigmas, torch.zeros(1)])[-(n + 1):]


def model(x, sigma):
    return torch.tanh(x / (1 + sigma**2).sqrt())


def ancestral(sigma, target, eta):
    up = torch.minimum(target, eta * target * (1 - target**2 / sigma**2).sqrt())
    return (target**2 - up**2).sqrt(), up


def sde_step(x, sigma, target, eta, noise):
    middle = (sigma.log() + 0.5 * (target.log() - sigma.log())).exp()
    down, up = ancestral(sigma, middle, eta)
    d = model(x, sigma)
    x2 = d + down / sigma * (x - d) + up * noise(sigma, middle)
    down, up = ancestral(sigma, target, eta)
    d = model(x2, middle)
    return d + down / sigma * (x - d) + up * noise(sigma, target)


def multistep(x, sigmas, i, eta, noise, old, heun):
    """One step of 2M SDE; @old is the model's last answer. Returns x and the answer."""
    sigma, target = sigmas[i], sigmas[i + 1]
    h, d = sigma.log() - target.log(), model(x, sigma)
    fall = -torch.expm1(-h * (1 + eta))
    out = target / sigma * (-h * eta).exp() * x + fall * d
    if old is not None:
        slope = (d - old) * h / (sigmas[i - 1].log() - sigma.log())
        out = out + slope * (1 - fall / (h * (1 + eta)) if heun else 0.5 * fall)
    fresh = target * (-torch.expm1(-2 * h * eta)).sqrt()
    return out + fresh * noise(sigma, target), d


def third_order(x, sigmas, i, eta, noise, olds):
    """One step of 3M SDE; @olds are the model's last two answers, newest first. Returns x and the answer."""
    sigma, target = sigmas[i], sigmas[i + 1]
    h, d = sigma.log() - target.log(), model(x, sigma)
    he = h * (1 + eta)
    phi_2 = torch.expm1(-he) / he + 1
    out = target / sigma * (-h * eta).exp() * x - torch.expm1(-he) * d
    if olds:
        r_0 = (sigmas[i - 1].log() - sigma.log()) / h
        first = (d - olds[0]) / r_0
        if len(olds) > 1:
            r_1 = (sigmas[i - 2].log() - sigmas[i - 1].log()) / h
            bend = (first - (olds[0] - olds[1]) / r_1) / (r_0 + r_1)
            out = out + phi_2 * (first + bend * r_0) - (phi_2 / he - 0.5) * bend
        else:
            out = out + phi_2 * first
    fresh = target * (-torch.expm1(-2 * h * eta)).sqrt()
    return out + fresh * noise(sigma, target), d


def run(sampler, steps, denoise, eta, seed):
    sigmas = karras(steps, denoise)
    noise = Paths([seed + i for i in range(PICTURES)], sigmas[:-1].min(), sigmas.max(), N)
    x, old, xs, olds = common.normal("brownian.start", PICTURES, N) * sigmas[0], None, [], []
    for i in range(steps):
        xs.append(x)
        if i == steps - 1:
            x = model(x, sigmas[i])
        elif sampler == "dpmpp_sde":
            x = sde_step(x, sigmas[i], sigmas[i + 1], eta, noise)
        elif sampler == "dpmpp_3m_sde":
            x, answer = third_order(x, sigmas, i, eta, noise, olds)
            olds = [answer] + olds[:1]
        else:
            x, old = multistep(x, sigmas, i, eta, noise, old, sampler.endswith("heun"))
    return torch.stack([*xs, x])


def export():
    warnings.simplefilter("ignore")  # torchsde about times beyond the path's ends
    tensors, runs = paths(), []
    for name, (sampler, steps, denoise, eta, seed) in RUNS.items():
        tensors[f"run.{name}.x"] = run(sampler, steps, denoise, eta, seed)
        assert torch.isfinite(tensors[f"run.{name}.x"]).all(), name
        runs.append(dict(name=name, sampler=sampler, steps=steps, denoise=denoise, eta=eta, seed=seed))
    common.save_tensors("brownian.safetensors", tensors)
    common.save_json("brownian.json", dict(paths=list(PATHS), runs=runs))
    print(f"brownian: {len(PATHS)} paths, {len(runs)} runs")
