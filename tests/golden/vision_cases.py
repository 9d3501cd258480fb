# SPDX-License-Identifier: MPL-2.0
"""CLIP's image encoder in every layout, and pictures as it is shown them.

`vision/` holds two small encoders, float16: `hf/` (two heads, so that its config.json counts) and one with a single head in
transformers', OpenCLIP's and Wan's names.  `vision/expect.safetensors` has what transformers' CLIPVisionModel, its
CLIPImageProcessor and torch's interpolation (Wan-AI's own preprocessing) make of random pictures.
"""

import re

import numpy as np
import torch
from PIL import Image
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

import common
import tiny_models

SMALL = dict(
    architectures=["CLIPVisionModelWithProjection"], model_type="clip_vision_model", hidden_size=24, intermediate_size=40,
    num_hidden_layers=3, num_attention_heads=2, image_size=12, patch_size=4, projection_dim=10, hidden_act="quick_gelu",
    layer_norm_eps=1e-5, num_channels=3,
)
SINGLE = dict(SMALL, num_attention_heads=1, hidden_act="gelu")  # what shapes alone tell
SIDE = 12
# width, height: shrunk, enlarged, as they are; wide and tall
SIZES = [(48, 32), (19, 31), (12, 12), (7, 5), (12, 40), (200, 36)]
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
OPENCLIP = [
    (r"^vision_model\.embeddings\.class_embedding", "class_embedding"), (r"^vision_model\.embeddings\.patch_embedding", "conv1"),
    (r"^vision_model\.embeddings\.position_embedding\.weight", "positional_embedding"),
    (r"^vision_model\.pre_layrnorm", "ln_pre"), (r"^vision_model\.post_layernorm", "ln_post"),
    (r"^vision_model\.encoder\.layers\.", "transformer.resblocks."), (r"layer_norm", "ln_"), (r"self_attn\.out_proj", "attn.out_proj"),
    (r"mlp\.fc1", "mlp.c_fc"), (r"mlp\.fc2", "mlp.c_proj"), (r"^visual_projection\.weight", "proj"),
]
WAN = [
    (r"^vision_model\.embeddings\.class_embedding", "cls_embedding"), (r"^vision_model\.embeddings\.patch_embedding", "patch_embedding"),
    (r"^vision_model\.embeddings\.position_embedding\.weight", "pos_embedding"),
    (r"^vision_model\.pre_layrnorm", "pre_norm"), (r"^vision_model\.post_layernorm", "post_norm"),
    (r"^vision_model\.encoder\.layers\.", "transformer."), (r"layer_norm", "norm"), (r"self_attn\.out_proj", "attn.proj"),
    (r"mlp\.fc1", "mlp.0"), (r"mlp\.fc2", "mlp.2"), (r"^visual_projection\.weight", "head"),
]


def draw(name, value):
    n = common.normal(name, *value.shape)
    if name.endswith("bias"):
        return 0.15 * n
    if value.ndim == 1:
        return 1 + 0.2 * n
    return n / value[0].numel() ** 0.5


def make(name, config):
    """Returns: the module, and its weights, half, in the names of published files"""
    options = {k: v for k, v in config.items() if k not in ("architectures", "model_type")}
    module = CLIPVisionModelWithProjection(CLIPVisionConfig(**options)).eval()
    module.set_attn_implementation("eager")
    state = {k: draw(f"vision/{name}/{k}", v).half() for k, v in module.state_dict().items()}
    module.load_state_dict({k: v.float() for k, v in state.items()})
    assert all(k.startswith(("vision_model.", "visual_projection.")) for k in state)
    return module, state


def renamed(state, rules, fused, weight, bias):
    """Queries, keys and values become one; the projection is stored the other way round."""
    out, state = {}, dict(state)
    for i in range(SINGLE["num_hidden_layers"]):
        for kind, key in (("weight", weight), ("bias", bias)):
            parts = [state.pop(f"vision_model.encoder.layers.{i}.self_attn.{p}_proj.{kind}") for p in "qkv"]
            out[f"{fused}.{i}.{key}"] = torch.cat(parts)
    for key, value in state.items():
        for old, new in rules:
            key = re.sub(old, new, key)
        out[key] = value.T if key in ("proj", "head") else value
    return out


def write_layouts(state):
    openclip = renamed(state, OPENCLIP, "transformer.resblocks", "attn.in_proj_weight", "attn.in_proj_bias")
    wan = renamed(state, WAN, "transformer", "attn.to_qkv.weight", "attn.to_qkv.bias")
    wan["cls_embedding"], wan["pos_embedding"] = wan["cls_embedding"].view(1, 1, -1), wan["pos_embedding"][None]
    rest = {"log_scale": torch.tensor(2.65), "textual.token_embedding.weight": torch.zeros(4, 4).half()}
    files = {
        "plain": dict(state, **{"vision_model.embeddings.position_ids": torch.arange(10)[None]}),
        "openclip": {f"visual.{k}": v for k, v in openclip.items()},
        "wan": dict({f"visual.{k}": v for k, v in wan.items()}, **rest),
        "wan-visual": wan,
    }
    for name, tensors in files.items():
        tiny_models.write_safetensors(f"vision/{name}.safetensors", {k: v.contiguous() for k, v in tensors.items()})


def penultimate(module, pixels):
    return module(pixel_values=pixels, output_hidden_states=True).hidden_states[-2]


def processor(side):
    return CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})


def picture(width, height):
    values = common.normal(f"vision.{width}x{height}", height, width, 3)
    return (128 + 90 * values).clamp(0, 255).to(torch.uint8)


def squeezed(rgb):
    """Wan's CLIPModel.visual: values in -1 .. 1, interpolated, then brought to 0 .. 1."""
    x = (rgb.permute(2, 0, 1).float() / 255 - 0.5) / 0.5
    x = torch.nn.functional.interpolate(x[None], size=(SIDE, SIDE), mode="bicubic", align_corners=False)[0]
    return (x * 0.5 + 0.5 - MEAN) / STD


def export():
    tensors = {}
    for width, height in SIZES:
        rgb = picture(width, height)
        pixels = processor(SIDE)(images=Image.fromarray(np.asarray(rgb)), return_tensors="pt").pixel_values[0]
        key = f"{width}x{height}"
        tensors[f"{key}.rgb"] = rgb
        tensors[f"{key}.crop"], tensors[f"{key}.squeeze"] = pixels.permute(1, 2, 0), squeezed(rgb).permute(1, 2, 0)
    pixels = common.normal("vision.pixels", 1, 3, SIDE, SIDE)
    tensors["pixels"] = pixels[0].permute(1, 2, 0)
    for name, config in (("hf", SMALL), ("single", SINGLE)):
        module, state = make(name, config)
        tensors[f"{name}.y"] = penultimate(module, pixels)
        if name == "hf":
            tiny_models.write_safetensors("vision/hf/model.safetensors", state, {"format": "pt"})
            common.save_json("vision/hf/config.json", config)
        else:
            write_layouts(state)
    common.save_tensors("vision/expect.safetensors", tensors)
    print(f"vision: {len(tensors)} tensors")
