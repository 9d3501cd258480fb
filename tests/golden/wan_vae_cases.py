# SPDX-License-Identifier: MPL-2.0
"""Wan's video VAEs, 2.1 and 2.2: small files of every layout, and what diffusers encodes and decodes with them.

`wan-vae/` holds the models, float16: 2.1 as a diffusers folder and as a pickle under Wan's own names, 2.2 as a diffusers
folder and under Wan's names, and a decoder without its encoder.  `wan-vae/expect.safetensors` has clips (frames, C, H, W) and latents (latents, C, h, w).
"""

import re

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan

import common
import tiny_models

WAN21 = dict(
    _class_name="AutoencoderKLWan", _diffusers_version=tiny_models.VERSION, base_dim=6, z_dim=16, dim_mult=[1, 2, 4, 4],
    num_res_blocks=2, attn_scales=[], temperal_downsample=[False, True, True], dropout=0.0,
)
N22 = 6  # latent channels, few enough to show that a folder's own statistics are read
WAN22 = dict(
    _class_name="AutoencoderKLWan", _diffusers_version=tiny_models.VERSION, base_dim=4, decoder_base_dim=6, z_dim=N22,
    dim_mult=[1, 2, 4, 4], num_res_blocks=1, attn_scales=[], temperal_downsample=[False, True, True], dropout=0.0,
    is_residual=True, in_channels=12, out_channels=12, patch_size=2, scale_factor_temporal=4, scale_factor_spatial=16,
    latents_mean=[round(0.1 * i - 0.2, 4) for i in range(N22)], latents_std=[round(0.5 + 0.25 * i, 4) for i in range(N22)],
)
# Broad enough for Winograd's way on the CPU: 32 channels, 32 x 32 pixels at the finest level.
BROAD = dict(WAN21, base_dim=32, z_dim=4, dim_mult=[1, 1, 1], num_res_blocks=1, temperal_downsample=[True, True],
             scale_factor_spatial=4, latents_mean=[0.0] * 4, latents_std=[1.0] * 4)
MODELS = {"wan21": WAN21, "wan22": WAN22, "broad": BROAD}
SIZES = {"wan21": (3, 3, 4), "wan22": (3, 2, 3), "broad": (2, 8, 9)}  # latents, rows, columns


def draw(name, value):
    n = common.normal(name, *value.shape)
    if name.endswith("gamma"):
        return 1 + 0.2 * n
    return 0.15 * n if name.endswith("bias") else n / value[0].numel() ** 0.5


def build(name):
    module = AutoencoderKLWan.from_config({k: v for k, v in MODELS[name].items() if not k.startswith("_")}).eval()
    state = {k: draw(f"wan-vae/{name}/{k}", v).half() for k, v in module.state_dict().items()}
    module.load_state_dict({k: v.float() for k, v in state.items()})
    return module, state


RESIDUAL = {"norm1": "residual.0", "conv1": "residual.2", "norm2": "residual.3", "conv2": "residual.6",
            "conv_shortcut": "shortcut"}
ENDS = {"quant_conv": "conv1", "post_quant_conv": "conv2", "conv_in": "conv1", "norm_out": "head.0", "conv_out": "head.2"}


def original_name(name, config):
    """Wan's own name of a weight that diffusers calls @name."""
    n = config["num_res_blocks"]
    m = re.match(r"((?:en|de)coder)\.mid_block\.(resnets|attentions)\.(\d)\.(.*)", name)
    if m and m[2] == "attentions":
        return f"{m[1]}.middle.1.{m[4]}"
    if m:
        part, rest = m[4].split(".", 1)
        return f"{m[1]}.middle.{2 * int(m[3])}.{RESIDUAL[part]}.{rest}"
    m = re.match(r"(decoder)\.up_blocks\.(\d+)\.(resnets\.(\d+)|upsamplers?(?:\.0)?)\.(.*)", name) or re.match(
        r"(encoder)\.down_blocks\.(\d+)\.(resnets\.(\d+)|downsampler)\.(.*)", name)
    ups = {"decoder": "upsamples", "encoder": "downsamples"}
    if m:
        last = n + 1 if m[1] == "decoder" else n
        block, (part, rest) = int(m[4] or last), m[5].split(".", 1)
        part = RESIDUAL.get(part, part)
        if config.get("is_residual"):
            return f"{m[1]}.{ups[m[1]]}.{m[2]}.{ups[m[1]]}.{block}.{part}.{rest}"
        return f"{m[1]}.{ups[m[1]]}.{int(m[2]) * (last + 1) + block}.{part}.{rest}"
    m = re.match(r"encoder\.down_blocks\.(\d+)\.(.*?)\.(.*)", name)
    if m:
        return f"encoder.downsamples.{m[1]}.{RESIDUAL.get(m[2], m[2])}.{m[3]}"
    m = re.match(r"((?:en|de)coder\.)?(\w+)\.(.*)", name)
    return f"{m[1] or ''}{ENDS[m[2]]}.{m[3]}"


def original(state, config):
    return {original_name(k, config): v for k, v in state.items()}


def check_original(state, config):
    """Against diffusers' own converter, which knows 2.1 only."""
    from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

    back = convert_wan_vae_to_diffusers(dict(original(state, config)))
    assert back.keys() == state.keys(), sorted(back.keys() ^ state.keys())[:6]
    assert all(torch.equal(back[k], state[k]) for k in back)


def frames_of(block, sampler, x):
    """A level's way over all frames at once, without the chunks and caches of the reference."""
    if sampler is None:
        return x
    if sampler.mode == "upsample3d":
        rest = x[:, :, 1:]
        if rest.shape[2]:
            b, c, t, h, w = rest.shape
            rest = sampler.time_conv(rest).view(b, 2, c, t, h, w).permute(0, 2, 3, 1, 4, 5).reshape(b, c, 2 * t, h, w)
        x = torch.cat([x[:, :, :1], rest], 2)
    b, c, t, h, w = x.shape
    x = sampler.resample(x.permute(0, 2, 1, 3, 4).reshape(b * t, c, h, w))
    x = x.view(b, t, *x.shape[1:]).permute(0, 2, 1, 3, 4)
    if sampler.mode == "downsample3d":
        first, rest = x[:, :, :1], x
        x = torch.cat([first, F.conv3d(rest, sampler.time_conv.weight, sampler.time_conv.bias, stride=(2, 1, 1))], 2)
    return x


def whole_decode(vae, z):
    d = vae.decoder
    x = d.mid_block(d.conv_in(vae.post_quant_conv(z)))
    for block in d.up_blocks:
        h = x
        for resnet in block.resnets:
            h = resnet(h)
        sampler = block.upsampler if vae.config.is_residual else (block.upsamplers or [None])[0]
        h = frames_of(block, sampler, h)
        if vae.config.is_residual and block.avg_shortcut is not None:
            h = h + block.avg_shortcut(x, first_chunk=True)
        x = h
    return d.conv_out(F.silu(d.norm_out(x)))


def decoder_output(vae, z):
    """The reference's chunks, before patches are undone and values clamped."""
    vae.clear_cache()
    x, out = vae.post_quant_conv(z), []
    for i in range(z.shape[2]):
        vae._conv_idx = [0]
        out.append(vae.decoder(x[:, :, i : i + 1], feat_cache=vae._feat_map, feat_idx=vae._conv_idx, first_chunk=i == 0))
    return torch.cat(out, 2)


def as_pictures(clip):
    return clip[0].permute(1, 0, 2, 3)


def case(name, vae, n_latents, height, width):
    """Latents are not normalised; decoded frames not clamped, and in patches where the model has them."""
    config = MODELS[name]
    factor = 2 ** (len(config["dim_mult"]) - 1) * config.get("patch_size", 1)
    n_frames = 1 + 4 * (n_latents - 1)
    clip = common.normal(f"wan-vae/{name}.clip", 1, 3, n_frames, height * factor, width * factor).clamp(-1, 1)
    z = common.normal(f"wan-vae/{name}.z", 1, config["z_dim"], n_latents, height, width)
    moments = vae.encode(clip).latent_dist
    raw = decoder_output(vae, z)
    whole = whole_decode(vae, z)
    assert (raw - whole).abs().max() < 1e-5 * raw.abs().max(), name
    out = dict(z=z, decoded=raw, picture=vae.decode(z).sample)
    if name != "broad":
        shape = (1, -1, 1, 1, 1)
        mu, sigma = (torch.tensor(vae.config[k]).view(shape) for k in ("latents_mean", "latents_std"))
        out.update(clip=clip, mean=moments.mean, latent=(moments.mean - mu) / sigma)
    return {f"{name}.{k}": as_pictures(v) for k, v in out.items()}


def export():
    tensors = {}
    for name, config in MODELS.items():
        module, state = build(name)
        folder = f"wan-vae/{name}"
        stored = {k: v for k, v in state.items() if name != "broad" or k.startswith(("decoder.", "post_quant_conv."))}
        tiny_models.write_safetensors(f"{folder}/diffusion_pytorch_model.safetensors", stored, {"format": "pt"})
        common.save_json(f"{folder}/config.json", config)
        if name == "wan21":
            check_original(state, config)
            torch.save(original(state, config), common.FIXTURES / "wan-vae/wan21.pth")
        if name == "wan22":
            renamed = {k: v.contiguous() for k, v in original(state, config).items()}
            assert len(renamed) == len(state)
            tiny_models.write_safetensors("wan-vae/wan22.safetensors", renamed)
        tensors.update(case(name, module, *SIZES[name]))
    for key, value in tensors.items():
        assert torch.isfinite(value).all(), key
        print(f"  {key:20} {list(value.shape)} std {value.std(correction=0):.3f}")
    common.save_tensors("wan-vae/expect.safetensors", tensors)
    print(f"wan-vae: {len(tensors)} tensors")
