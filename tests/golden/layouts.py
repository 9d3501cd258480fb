# SPDX-License-Identifier: MPL-2.0
"""The LDM / OpenCLIP names of weights that we hold under their diffusers / transformers names.

Mapping rules as published checkpoints use them; `check` proves them against diffusers' own converters.
"""

import re

import torch

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET_TOP = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def _rename_head(name, table):
    for old, new in table.items():
        if name.startswith(old + "."):
            return new + name[len(old):]
    return name


def unet_name(name, n_res, up_has_attention):
    """LDM name of one UNet weight; @n_res residual blocks a level on the way down."""
    m = re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", name)
    if m:
        way, level, kind, i, rest = m[1], int(m[2]), m[3], int(m[4]), m[5]
        index = 1 + (n_res + 1) * level + i if way == "down" else (n_res + 1) * level + i
        rest = _rename_head(rest, RESNET) if kind == "resnets" else rest
        blocks = "input_blocks" if way == "down" else "output_blocks"
        return f"{blocks}.{index}.{0 if kind == 'resnets' else 1}.{rest}"
    m = re.match(r"(down|up)_blocks\.(\d+)\.(?:down|up)samplers\.0\.conv\.(.*)", name)
    if m and m[1] == "down":
        return f"input_blocks.{(n_res + 1) * (int(m[2]) + 1)}.0.op.{m[3]}"
    if m:
        slot = 2 if up_has_attention[int(m[2])] else 1
        return f"output_blocks.{(n_res + 1) * int(m[2]) + n_res}.{slot}.conv.{m[3]}"
    m = re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)", name)
    if m:
        if m[1] == "attentions":
            return f"middle_block.1.{m[3]}"
        return f"middle_block.{2 * int(m[2])}.{_rename_head(m[3], RESNET)}"
    return _rename_head(name, UNET_TOP)


def unet(state, config):
    has_attention = ["Attn" in kind for kind in config["up_block_types"]]
    return {unet_name(k, config["layers_per_block"], has_attention): v for k, v in state.items()}


def vae_name(name, n_levels):
    name = name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    m = re.match(r"(.*)mid_block\.attentions\.0\.(.*)", name)
    if m:
        return f"{m[1]}mid.attn_1.{_rename_head(m[2], VAE_ATTENTION)}"
    name = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", name)
    name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample.", name)

    def finest_first(m):
        return f"up.{n_levels - 1 - int(m[1])}.{'block' if m[2] == 'resnets' else 'upsample'}."

    name = re.sub(r"up_blocks\.(\d+)\.(resnets)\.", finest_first, name)
    return re.sub(r"up_blocks\.(\d+)\.(upsamplers)\.0\.", finest_first, name)


def vae(state, config):
    out = {}
    for name, value in state.items():
        is_attention = ".attentions.0.to_" in name and name.endswith("weight")
        value = value[:, :, None, None] if is_attention else value
        out[vae_name(name, len(config["block_out_channels"]))] = value
    return out


def open_clip(state):
    """HF CLIP text weights (names with `text_model.`) in OpenCLIP's layout."""
    out = {}
    parts = {
        "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
        "self_attn.out_proj": "attn.out_proj",
    }
    for name, value in state.items():
        m = re.match(r"text_model\.encoder\.layers\.(\d+)\.(.*)", name)
        if m and re.match(r"self_attn\.[kv]_proj", m[2]):
            continue
        if m and m[2].startswith("self_attn.q_proj."):
            kind = m[2].rsplit(".", 1)[1]
            fused = torch.cat([state[name.replace("q_proj", p)] for p in ("q_proj", "k_proj", "v_proj")])
            out[f"transformer.resblocks.{m[1]}.attn.in_proj_{kind}"] = fused
        elif m:
            out[f"transformer.resblocks.{m[1]}.{_rename_head(m[2], parts)}"] = value
        elif name == "text_projection.weight":
            out["text_projection"] = value.T
        elif "position_embedding" in name:
            out["positional_embedding"] = value
        elif "token_embedding" in name:
            out["token_embedding.weight"] = value
        else:
            out[name.replace("text_model.final_layer_norm", "ln_final")] = value
    return out


def taesd(state):
    """AutoencoderTiny in the original layout: flat names, the decoder counted with its clamp layer."""
    out = {}
    for name, value in state.items():
        side, _, index, rest = name.split(".", 3)
        index = int(index) + (1 if side == "decoder" else 0)
        out[f"taesd_{side}.{index}.{rest}"] = value
    return out


def with_prefix(prefix, state):
    return {prefix + k: v for k, v in state.items()}


def check(ldm, unet_state, unet_config, vae_state, vae_config):
    """Assert that diffusers' converters give back exactly the weights we started from."""
    from diffusers.loaders import single_file_utils as F

    back = F.convert_ldm_unet_checkpoint(dict(ldm), dict(unet_config))
    assert back.keys() == unet_state.keys(), sorted(back.keys() ^ unet_state.keys())[:6]
    assert all(torch.equal(back[k], unet_state[k]) for k in back)
    back = F.convert_ldm_vae_checkpoint(dict(ldm), dict(vae_config))
    assert back.keys() == vae_state.keys(), sorted(back.keys() ^ vae_state.keys())[:6]
    assert all(torch.equal(back[k].reshape(vae_state[k].shape), vae_state[k]) for k in back)
