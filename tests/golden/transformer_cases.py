# SPDX-License-Identifier: MPL-2.0
"""FLUX.1's transformer, T5, umT5 and the 16-channel VAE: small files of every layout, inputs and outputs.

`transformers/` holds the models, float16: FLUX.1 in Black Forest Labs' fused layout and as a diffusers folder, T5 as a
transformers folder, umT5 in Wan's layout, the VAE in LDM names.  `transformers/expect.safetensors` has what diffusers and
transformers compute with them in float32, images (N, C, H, W), tokens (N, L, C).
"""

import inspect
import re

import torch
from diffusers import AutoencoderKL, FluxPipeline, FluxTransformer2DModel
from transformers import T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

import common
import layouts
import tiny_models

DIM, HEAD = 64, 32
DEV = dict(
    _class_name="FluxTransformer2DModel", _diffusers_version=tiny_models.VERSION, patch_size=1, in_channels=16,
    out_channels=None, num_layers=2, num_single_layers=3, attention_head_dim=HEAD, num_attention_heads=DIM // HEAD,
    joint_attention_dim=24, pooled_projection_dim=20, guidance_embeds=True, axes_dims_rope=[4, 14, 14],
)
FLUX = {
    "flux-dev": DEV,
    "flux-schnell": dict(DEV, guidance_embeds=False, num_layers=1),
    "flux-fill": dict(DEV, in_channels=96, out_channels=16, num_layers=1, num_single_layers=1),
}
VAE = dict(
    _class_name="AutoencoderKL", _diffusers_version=tiny_models.VERSION, sample_size=16, in_channels=3, out_channels=3,
    latent_channels=16, act_fn="silu", norm_num_groups=16, block_out_channels=[16, 32], layers_per_block=1,
    down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
    scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False,
)
T5 = dict(
    architectures=["T5EncoderModel"], model_type="t5", vocab_size=96, d_model=32, d_kv=8, d_ff=56, num_layers=3, num_heads=5,
    relative_attention_num_buckets=32, relative_attention_max_distance=128, dropout_rate=0.0, layer_norm_epsilon=1e-6,
    feed_forward_proj="gated-gelu", is_encoder_decoder=True, pad_token_id=0, eos_token_id=1, tie_word_embeddings=False,
)


def draw(name, value):
    n = common.normal(name, *value.shape)
    if name.endswith("bias"):
        return 0.15 * n
    if value.ndim == 1:
        return 1 + 0.2 * n
    if "shared" in name or "embed_tokens" in name or "relative_attention_bias" in name:
        return 0.7 * n
    # T5 does not scale its scores: its queries are drawn smaller instead, by the root of a head's width
    gain = 0.5 if ".linear." in name and "norm" in name else 0.39 if name.endswith("SelfAttention.q.weight") else 1.1
    return gain * n / value[0].numel() ** 0.5


def randomise(folder, module):
    """Seeded weights that float16 holds exactly.  Returns: them, half, without a second copy of the embeddings"""
    state = {k: draw(f"transformers/{folder}/{k}", v).half() for k, v in module.state_dict().items()}
    if "encoder.embed_tokens.weight" in state:
        state["encoder.embed_tokens.weight"] = state["shared.weight"]
    module.load_state_dict({k: v.float() for k, v in state.items()})
    return {k: v for k, v in state.items() if k != "encoder.embed_tokens.weight"}


TOP = {
    "x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer.linear",
    "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
}
DOUBLE = {
    "norm1.linear": "img_mod.lin", "norm1_context.linear": "txt_mod.lin", "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj", "ff.net.0.proj": "img_mlp.0", "ff.net.2": "img_mlp.2",
    "ff_context.net.0.proj": "txt_mlp.0", "ff_context.net.2": "txt_mlp.2",
}
SCALES = {
    "attn.norm_q": "img_attn.norm.query_norm", "attn.norm_k": "img_attn.norm.key_norm",
    "attn.norm_added_q": "txt_attn.norm.query_norm", "attn.norm_added_k": "txt_attn.norm.key_norm",
}
FUSED = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}


def bfl(state, config):
    """The original layout of a diffusers state."""
    out = {}
    for kind in ("weight", "bias"):
        for old, new in TOP.items():
            if f"{old}.{kind}" in state:
                out[f"{new}.{kind}"] = state[f"{old}.{kind}"]
        scale, shift = state[f"norm_out.linear.{kind}"].chunk(2)
        out[f"final_layer.adaLN_modulation.1.{kind}"] = torch.cat([shift, scale])
        for i in range(config["num_layers"]):
            old, new = f"transformer_blocks.{i}.", f"double_blocks.{i}."
            for k, v in DOUBLE.items():
                out[f"{new}{v}.{kind}"] = state[f"{old}{k}.{kind}"]
            for v, parts in FUSED.items():
                out[f"{new}{v}.{kind}"] = torch.cat([state[f"{old}{p}.{kind}"] for p in parts])
        for i in range(config["num_single_layers"]):
            old, new = f"single_transformer_blocks.{i}.", f"single_blocks.{i}."
            parts = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
            out[f"{new}linear1.{kind}"] = torch.cat([state[f"{old}{p}.{kind}"] for p in parts])
            out[f"{new}linear2.{kind}"] = state[f"{old}proj_out.{kind}"]
            out[f"{new}modulation.lin.{kind}"] = state[f"{old}norm.linear.{kind}"]
    for name, value in state.items():
        m = re.match(r"(single_)?transformer_blocks\.(\d+)\.(attn\.norm_\w+)\.weight", name)
        if m and m[1]:
            out[f"single_blocks.{m[2]}.norm.{'query' if m[3].endswith('q') else 'key'}_norm.scale"] = value
        elif m:
            out[f"double_blocks.{m[2]}.{SCALES[m[3]]}.scale"] = value
    return out


def split(original):
    """The way back by diffusers' own converter, which believes that every FLUX is 3072 wide."""
    from diffusers.loaders import single_file_utils as F

    source = inspect.getsource(F.convert_flux_transformer_checkpoint_to_diffusers)
    assert source.count("inner_dim = 3072") == 1
    scope = dict(vars(F))
    exec(source.replace("inner_dim = 3072", f"inner_dim = {DIM}"), scope)
    return scope["convert_flux_transformer_checkpoint_to_diffusers"](dict(original))


def check_bfl(original, state):
    back = split(original)
    assert back.keys() == state.keys(), sorted(back.keys() ^ state.keys())[:6]
    assert all(torch.equal(back[k], state[k]) for k in back)


def matrices(original, block):
    return [k for k, v in original.items() if v.ndim == 2 and v.shape[-1] % block == 0]


def write_q8(name, original):
    """Returns: the values that the file holds"""
    import gguf

    kind, values = gguf.GGMLQuantizationType.Q8_0, {}
    path = common.FIXTURES / "transformers" / f"{name}-q8.gguf"
    writer = gguf.GGUFWriter(str(path), "flux")
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    packed = matrices(original, 32)
    for key, value in original.items():
        array = value.float().numpy()
        if key in packed:
            blocks = gguf.quants.quantize(array, kind)
            writer.add_tensor(key, blocks, raw_dtype=kind)
            array = gguf.quants.dequantize(blocks, kind)
        else:
            writer.add_tensor(key, array)
        values[key] = torch.from_numpy(array.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return values


def write_fp8(name, original):
    values, tensors = {}, {"scaled_fp8": torch.zeros(0, dtype=torch.float8_e4m3fn)}
    packed = matrices(original, 1)
    for key, value in original.items():
        if key in packed:
            scale = value.float().abs().max() / 448
            tensors[key] = (value.float() / scale).to(torch.float8_e4m3fn)
            tensors[key.removesuffix("weight") + "scale_weight"] = scale
            values[key] = tensors[key].float() * scale
        else:
            tensors[key] = value
            values[key] = value.float()
    tiny_models.write_safetensors(f"transformers/{name}-fp8.safetensors", {k: v.contiguous() for k, v in tensors.items()})
    return values


def write_nf4(name, original):
    import bitsandbytes.functional as bnb

    values, tensors = {}, {}
    packed = matrices(original, 16)
    for key, value in original.items():
        if key not in packed:
            tensors[key], values[key] = value, value.float()
            continue
        codes, state = bnb.quantize_4bit(value.float(), blocksize=64, quant_type="nf4", compress_statistics=False)
        tensors[key] = codes
        tensors.update({f"{key}.{k}": v for k, v in state.as_dict(packed=True).items()})
        values[key] = bnb.dequantize_4bit(codes, state).float().reshape(value.shape)
    tiny_models.write_safetensors(f"transformers/{name}-nf4.safetensors", {k: v.contiguous() for k, v in tensors.items()})
    return values


def quantised(name, module, original):
    """The same pass with what quantised files hold; fused tensors are quantised as they are."""
    out = {}
    for kind, write in (("q8", write_q8), ("fp8", write_fp8), ("nf4", write_nf4)):
        module.load_state_dict(split(write(name, original)))
        out[f"{name}-{kind}.y"] = flux_pass(module, name, [(0, 4, 6)], 9, 2)[f"{name}.y"]
    return out


def flux_pass(module, name, grids, n_text, batch):
    """@grids: (index, rows, columns); the first is the target."""
    n_image = sum(h * w for _, h, w in grids)
    config = module.config
    ids = [[i, y, x] for i, h, w in grids for y in range(h) for x in range(w)]
    out = {
        "img": common.normal(name + ".img", batch, n_image, config.in_channels),
        "txt": common.normal(name + ".txt", batch, n_text, config.joint_attention_dim),
        "pooled": common.normal(name + ".pooled", batch, config.pooled_projection_dim),
        "t": torch.tensor([0.8125, 0.171875][:batch]),
        "grids": torch.tensor(grids, dtype=torch.int32),
    }
    guidance = None
    if config.guidance_embeds:
        guidance = out["guidance"] = torch.tensor([3.5, 1.75][:batch])
    y = module(
        hidden_states=out["img"], encoder_hidden_states=out["txt"], pooled_projections=out["pooled"], timestep=out["t"],
        guidance=guidance, img_ids=torch.tensor(ids, dtype=torch.float32), txt_ids=torch.zeros(n_text, 3),
    ).sample
    h, w = grids[0][1:]
    out["y"] = y[:, : h * w]
    return {f"{name}.{k}": v for k, v in out.items()}


def export_flux():
    tensors = {}
    for name, config in FLUX.items():
        module = FluxTransformer2DModel.from_config({k: v for k, v in config.items() if not k.startswith("_")}).eval()
        state = randomise(name, module)
        original = bfl(state, config)
        check_bfl(original, state)
        tiny_models.write_safetensors(f"transformers/{name}-bfl.safetensors", {k: v.contiguous() for k, v in original.items()})
        if name == "flux-dev":
            path = "transformers/flux-dev/diffusion_pytorch_model.safetensors"
            tiny_models.write_safetensors(path, state, {"format": "pt"})
            common.save_json("transformers/flux-dev/config.json", config)
            tensors.update(flux_pass(module, "flux-kontext", [(0, 3, 5), (1, 4, 3)], 7, 1))
        tensors.update(flux_pass(module, name, [(0, 4, 6)], 9, 2))
        if name == "flux-schnell":
            tensors.update(quantised(name, module, original))
    latent = common.normal("packed", 1, 4, 6, 10)
    tensors["packing.latent"] = latent
    tensors["packing.tokens"] = FluxPipeline._pack_latents(latent, 1, 4, 6, 10)
    return tensors


WAN = [
    (r"shared\.", "token_embedding."), (r"encoder\.block\.", "blocks."), (r"encoder\.final_layer_norm\.", "norm."),
    (r"layer\.0\.layer_norm", "norm1"), (r"layer\.1\.layer_norm", "norm2"),
    (r"layer\.0\.SelfAttention\.relative_attention_bias", "pos_embedding.embedding"), (r"layer\.0\.SelfAttention\.", "attn."),
    (r"layer\.1\.DenseReluDense\.wi_0", "ffn.gate.0"), (r"layer\.1\.DenseReluDense\.wi_1", "ffn.fc1"),
    (r"layer\.1\.DenseReluDense\.wo", "ffn.fc2"),
]


def wan(state):
    out = {}
    for name, value in state.items():
        for old, new in WAN:
            name = re.sub(old, new, name)
        out[name] = value
    return out


def export_text():
    tensors = {}
    n = T5["vocab_size"]
    for name, config_class, cls in (("t5", T5Config, T5EncoderModel), ("umt5", UMT5Config, UMT5EncoderModel)):
        module = cls(config_class(**dict(T5, model_type=name))).eval()
        module.set_attn_implementation("eager")
        state = randomise(name, module)
        # long enough for distances beyond all buckets
        ids = torch.randint(2, n, (2, 150), generator=common.generator(name + ".ids"))
        mask = torch.ones(2, 150, dtype=torch.int64)
        ids[1, 40:], mask[1, 40:] = 0, 0
        tensors[f"{name}.ids"] = ids.int()
        tensors[f"{name}.states"] = module(ids).last_hidden_state
        tensors[f"{name}.mask"] = mask.float()
        tensors[f"{name}.masked"] = module(ids, attention_mask=mask).last_hidden_state[:, :40]
        if name == "t5":
            tiny_models.write_safetensors("transformers/t5/model.safetensors", state, {"format": "pt"})
            common.save_json("transformers/t5/config.json", T5)
        else:
            tiny_models.write_safetensors("transformers/umt5-wan.safetensors", {k: v.contiguous() for k, v in wan(state).items()})
    return tensors


def export_vae():
    module = AutoencoderKL.from_config({k: v for k, v in VAE.items() if not k.startswith("_")}).eval()
    module.set_default_attn_processor()
    state = randomise("ae", module)
    original = layouts.vae(state, VAE)
    tiny_models.write_safetensors("transformers/ae.safetensors", {k: v.contiguous() for k, v in original.items()})
    image = common.normal("ae.image", 1, 3, 12, 20).clamp(-1, 1)
    z = 2 * common.normal("ae.z", 1, 16, 6, 10)
    moments = module.encode(image).latent_dist
    return {"ae.image": image, "ae.mean": moments.mean, "ae.logvar": moments.logvar, "ae.z": z, "ae.decoded": module.decode(z).sample}


def export():
    tensors = {**export_flux(), **export_text(), **export_vae()}
    for name, value in tensors.items():
        assert torch.isfinite(value.float()).all(), name
        print(f"  {name:30} {list(value.shape)} std {value.float().std(correction=0):.3f}")
    common.save_tensors("transformers/expect.safetensors", tensors)
    print(f"transformers: {len(tensors)} tensors")
