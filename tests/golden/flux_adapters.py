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
PATCH, CONTEXT, POOLED, HEAD = 16, 24, 32, 16
# diffusers' converters know the published model's sizes only
SIZES = {
    "_convert_kohya_flux_lora_to_diffusers": {"12288": str(MLP), "3072": str(DIM)},
    "_convert_bfl_flux_control_lora_to_diffusers": {"= 19": "= 2", "= 38": "= 2", "3072": str(DIM)},
}


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


def control():
    """As Black Forest Labs' control LoRAs: factors and biases of every layer, norms whole, a first layer twice as wide."""
    layers = {
        "img_in": (DIM, 2 * PATCH), "txt_in": (DIM, CONTEXT), "final_layer.linear": (PATCH, DIM),
        "final_layer.adaLN_modulation.1": (2 * DIM, DIM), "vector_in.in_layer": (DIM, POOLED), "vector_in.out_layer": (DIM, DIM),
    }
    norms = []
    for part in ("time", "guidance"):
        layers.update({f"{part}_in.in_layer": (DIM, 256), f"{part}_in.out_layer": (DIM, DIM)})
    for i in range(2):
        for s in ("img", "txt"):
            block = f"double_blocks.{i}.{s}_"
            layers.update({
                block + "attn.qkv": (3 * DIM, DIM), block + "attn.proj": (DIM, DIM), block + "mlp.0": (MLP, DIM),
                block + "mlp.2": (DIM, MLP), block + "mod.lin": (6 * DIM, DIM),
            })
            norms += [f"{block}attn.norm.{n}_norm.scale" for n in ("query", "key")]
        block = f"single_blocks.{i}."
        layers.update({block + "linear1": (3 * DIM + MLP, DIM), block + "linear2": (DIM, DIM + MLP), block + "modulation.lin": (3 * DIM, DIM)})
        norms += [f"{block}norm.{n}_norm.scale" for n in ("query", "key")]
    out = {}
    for layer, (n_out, n_in) in layers.items():
        down, up = factors("control/" + layer, n_out, n_in, 4)
        if layer.startswith("final_layer.ada"):
            down = torch.cat([down[:2], down[:2]])  # diffusers 0.42 swaps halves of its rows, too
        out.update({layer + ".lora_A.weight": down, layer + ".lora_B.weight": up})
        out[layer + ".lora_B.bias"] = (0.1 * common.normal(f"flux/lora/control/{layer}/bias", n_out)).half()
    for name in norms:
        out[name] = (1 + 0.2 * common.normal("flux/lora/control/" + name, HEAD)).half()
    return out


FILES = {f"adapters/flux/{make.__name__}.safetensors": make for make in (kohya, xlabs, peft, control)}


@functools.cache
def narrow_converters():
    """The published sizes in diffusers' source become the small model's."""
    for name, sizes in SIZES.items():
        source = inspect.getsource(getattr(lora_conversion_utils, name))
        for wide, narrow in sizes.items():
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
