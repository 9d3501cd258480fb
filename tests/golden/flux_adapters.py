# SPDX-License-Identifier: MPL-2.0
"""LoRAs of flux-tiny under the names of kohya's, XLabs' and PEFT's trainers, read by diffusers' own converters."""

import functools
import inspect

import torch
from diffusers.loaders import lora_conversion_utils, lora_pipeline

import adapter_files
import common
import flux_models

DIM, MLP, RANK = 32, 128, 3
ALPHA = 2.0
WIDTHS = {"12288": str(MLP), "3072": str(DIM)}  # diffusers' converters know the published model's only


def factors(name, n_out, n_in, rank=RANK):
    down = common.normal(f"flux/lora/{name}/down", rank, n_in) / n_in**0.5
    return down.half(), (0.4 * common.normal(f"flux/lora/{name}/up", n_out, rank)).half()


def kohya():
    """Without the last layer: diffusers 0.42 converts it to names that it then passes over."""
    layers = {}
    for i in range(2):
        for s in ("img", "txt"):
            block = f"double_blocks_{i}_{s}_"
            layers.update({
                block + "attn_qkv": (3 * DIM, DIM), block + "attn_proj": (DIM, DIM), block + "mlp_0": (MLP, DIM),
                block + "mlp_2": (DIM, MLP), block + "mod_lin": (6 * DIM, DIM),
            })
        block = f"single_blocks_{i}_"
        layers.update({
            block + "linear1": (3 * DIM + MLP, DIM), block + "linear2": (DIM, DIM + MLP), block + "modulation_lin": (3 * DIM, DIM),
        })
    out = {}
    for layer, (n_out, n_in) in layers.items():
        key = "lora_unet_" + layer
        out[key + ".lora_down.weight"], out[key + ".lora_up.weight"] = factors(layer, n_out, n_in)
        out[key + ".alpha"] = torch.tensor(ALPHA)
    return out


def xlabs():
    out = {}
    for i in range(2):
        for n in (1, 2):
            for part, n_out in (("qkv", 3 * DIM), ("proj", DIM)):
                key = f"double_blocks.{i}.processor.{part}_lora{n}"
                out[key + ".down.weight"], out[key + ".up.weight"] = factors(key, n_out, DIM)
        for part, n_out, n_in in (("qkv", 3 * DIM, DIM), ("proj", DIM, DIM + MLP)):
            key = f"single_blocks.{i}.processor.{part}_lora"
            out[key + ".down.weight"], out[key + ".up.weight"] = factors(key, n_out, n_in)
    return out


def peft():
    model = flux_models.load("flux-tiny/transformer")
    out = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            key = "transformer." + name
            out[key + ".lora_A.weight"], out[key + ".lora_B.weight"] = factors(key, *module.weight.shape)
    return out


FILES = {f"adapters/flux/{make.__name__}.safetensors": make for make in (kohya, xlabs, peft)}


@functools.cache
def narrow_converters():
    """The published widths in diffusers' source become the small model's."""
    name = "_convert_kohya_flux_lora_to_diffusers"
    source = inspect.getsource(getattr(lora_conversion_utils, name))
    for wide, narrow in WIDTHS.items():
        assert wide in source, name
        source = source.replace(wide, narrow)
    space = dict(vars(lora_conversion_utils))
    exec(compile(source, name, "exec"), space)  # noqa: S102
    setattr(lora_pipeline, name, space[name])


def export():
    (common.FIXTURES / "adapters/flux").mkdir(parents=True, exist_ok=True)
    for name, make in FILES.items():
        adapter_files.write(name.removeprefix("adapters/").removesuffix(".safetensors"), make())


def load(pipe, adapters):
    """@adapters: (path, weight) each"""
    narrow_converters()
    for i, (name, weight) in enumerate(adapters):
        pipe.load_lora_weights({k: v.clone() for k, v in FILES[name]().items()}, adapter_name=f"a{i}")
    pipe.set_adapters([f"a{i}" for i in range(len(adapters))], [weight for _, weight in adapters])
