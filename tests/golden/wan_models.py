# SPDX-License-Identifier: MPL-2.0
"""Wan's transformer: small files of every layout, inputs and outputs.

`wan/` holds the models, float16: diffusers folders and the original names, with and without CLIP's vision, per-frame times,
Q8_0 and scaled fp8.  `wan/expect.safetensors` has what diffusers computes with them in float32.
"""

import re

import torch
from diffusers import WanTransformer3DModel

import common
import tiny_models

TOKENS = 512  # of text: diffusers counts on it where there is a picture
T2V = dict(
    _class_name="WanTransformer3DModel", _diffusers_version=tiny_models.VERSION, patch_size=[1, 2, 2], num_attention_heads=3,
    attention_head_dim=20, in_channels=4, out_channels=4, text_dim=12, freq_dim=16, ffn_dim=72, num_layers=2,
    cross_attn_norm=True, qk_norm="rms_norm_across_heads", eps=1e-6, image_dim=None, added_kv_proj_dim=None,
    rope_max_seq_len=1024, pos_embed_seq_len=None,
)
# heads are no part of the shapes in files without a config: 128 columns each
PLAIN = dict(T2V, num_attention_heads=1, attention_head_dim=128, num_layers=1, text_dim=32, freq_dim=32, ffn_dim=96)
MODELS = {
    "t2v": T2V,
    "plain": PLAIN,
    "i2v": dict(PLAIN, in_channels=12, image_dim=20, added_kv_proj_dim=128),
    "flf": dict(PLAIN, in_channels=12, image_dim=20, added_kv_proj_dim=128, pos_embed_seq_len=14),
    "ti2v": dict(T2V, in_channels=20, out_channels=20, num_layers=1),
}
# frames, rows, columns in tokens: more than a share's 256, and shares that do not divide them
GRIDS = {"t2v": (3, 10, 12), "plain": (2, 5, 7), "i2v": (2, 6, 5), "flf": (2, 6, 5), "ti2v": (5, 8, 9)}
ORIGINAL = [
    (r"condition_embedder\.time_embedder\.linear_1", "time_embedding.0"),
    (r"condition_embedder\.time_embedder\.linear_2", "time_embedding.2"),
    (r"condition_embedder\.text_embedder\.linear_1", "text_embedding.0"),
    (r"condition_embedder\.text_embedder\.linear_2", "text_embedding.2"),
    (r"condition_embedder\.time_proj", "time_projection.1"),
    (r"condition_embedder\.image_embedder\.pos_embed", "img_emb.emb_pos"),
    (r"condition_embedder\.image_embedder\.norm1", "img_emb.proj.0"),
    (r"condition_embedder\.image_embedder\.ff\.net\.0\.proj", "img_emb.proj.1"),
    (r"condition_embedder\.image_embedder\.ff\.net\.2", "img_emb.proj.3"),
    (r"condition_embedder\.image_embedder\.norm2", "img_emb.proj.4"),
    (r"^scale_shift_table", "head.modulation"), (r"^proj_out", "head.head"), (r"scale_shift_table", "modulation"),
    (r"\.norm2\.", ".norm3."), (r"attn1\.", "self_attn."), (r"attn2\.", "cross_attn."),
    (r"\.to_([qkv])\.", r".\1."), (r"\.to_out\.0\.", ".o."), (r"\.add_([kv])_proj\.", r".\1_img."),
    (r"\.norm_added_k\.", ".norm_k_img."), (r"ffn\.net\.0\.proj", "ffn.0"), (r"ffn\.net\.2", "ffn.2"),
]


def original_name(name):
    for old, new in ORIGINAL:
        name = re.sub(old, new, name)
    return name


def draw(name, value):
    n = common.normal(name, *value.shape)
    if name.endswith("bias"):
        return 0.15 * n
    if value.ndim == 1:
        return 1 + 0.2 * n
    if "scale_shift_table" in name or "pos_embed" in name:
        return 0.3 * n
    return 1.1 * n / value[0].numel() ** 0.5


def make(name, config):
    """Seeded weights that float16 holds exactly.  Returns: the module, and them, half"""
    module = WanTransformer3DModel.from_config({k: v for k, v in config.items() if not k.startswith("_")}).eval()
    state = {k: draw(f"wan/{name}/{k}", v).half() for k, v in module.state_dict().items()}
    module.load_state_dict({k: v.float() for k, v in state.items()})
    return module, state


def save_folder(path, config, state):
    tiny_models.write_safetensors(f"{path}/diffusion_pytorch_model.safetensors", state, {"format": "pt"})
    common.save_json(f"{path}/config.json", config)


def inputs(name, config):
    t, h, w = GRIDS[name]
    text = common.normal(f"{name}.text", 1, TOKENS, config["text_dim"])
    text[:, 11:] = 0
    out = {
        "latent": common.normal(f"{name}.latent", 1, config["in_channels"], t, 2 * h, 2 * w),
        "text": text,
        "times": torch.tensor([637.5]),
    }
    if config["image_dim"]:
        pictures = 2 if config["pos_embed_seq_len"] else 1
        out["image"] = common.normal(f"{name}.image", pictures, 7, config["image_dim"])
    if name == "ti2v":
        out["times"] = torch.tensor([0.0] + [812.25] * (t - 1))
    return out


def forward(module, name, x):
    times, (t, h, w) = x["times"], GRIDS[name]
    if len(times) > 1:
        times = times.repeat_interleave(h * w)[None]
    y = module(
        hidden_states=x["latent"], timestep=times, encoder_hidden_states=x["text"],
        encoder_hidden_states_image=x.get("image"),
    ).sample
    if "image" in x:  # the pictures of a clip lie behind each other
        x["image"] = x["image"].reshape(1, -1, x["image"].shape[-1])
    return y


def write_q8(path, original):
    """As ComfyUI-GGUF does it: matrices in blocks, the patches' five dimensions as they are.  Returns: the values"""
    import gguf

    kind, values = gguf.GGMLQuantizationType.Q8_0, {}
    writer = gguf.GGUFWriter(str(common.FIXTURES / path), "wan")
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for key, value in original.items():
        array = value.float().numpy()
        if value.ndim == 2 and value.shape[-1] % 32 == 0:
            blocks = gguf.quants.quantize(array, kind)
            writer.add_tensor(key, blocks, raw_dtype=kind)
            array = gguf.quants.dequantize(blocks, kind)
        elif value.ndim == 5:  # stable-diffusion.cpp folds the first two
            writer.add_tensor(key, array.reshape(-1, *array.shape[2:]))
        else:
            writer.add_tensor(key, array)
        values[key] = torch.from_numpy(array.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return values


def write_fp8(path, original):
    """As Comfy-Org does it: under a prefix, with a scale for each matrix.  Returns: the values"""
    prefix, values = "model.diffusion_model.", {}
    tensors = {prefix + "scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)}
    for key, value in original.items():
        values[key] = value.float()
        if value.ndim == 2:
            scale = value.float().abs().max() / 448
            tensors[prefix + key] = (value.float() / scale).to(torch.float8_e4m3fn)
            tensors[prefix + key.removesuffix("weight") + "scale_weight"] = scale
            values[key] = tensors[prefix + key].float() * scale
        else:
            tensors[prefix + key] = value
    tiny_models.write_safetensors(path, {k: v.contiguous() for k, v in tensors.items()})
    return values


def export():
    tensors = {}
    for name, config in MODELS.items():
        module, state = make(name, config)
        original = {original_name(k): v for k, v in state.items()}
        assert len(original) == len(state)
        if config["attention_head_dim"] == 128:
            path = f"wan/{name}.safetensors"
            tiny_models.write_safetensors(path, {k: v.contiguous() for k, v in original.items()})
        else:
            save_folder(f"wan/{name}", config, state)
        x = inputs(name, config)
        y = forward(module, name, x)
        tensors.update({f"{name}.{k}": v for k, v in x.items()})
        tensors[f"{name}.y"] = y
        if name != "plain":
            continue
        for kind, write, end in (("q8", write_q8, "gguf"), ("fp8", write_fp8, "safetensors")):
            values = write(f"wan/plain-{kind}.{end}", original)
            module.load_state_dict({k: values[original_name(k)] for k in state})
            tensors[f"plain-{kind}.y"] = forward(module, name, x)
    for name, value in tensors.items():
        assert torch.isfinite(value.float()).all(), name
        print(f"  {name:30} {list(value.shape)} std {value.float().std(correction=0):.3f}")
    common.save_tensors("wan/expect.safetensors", tensors)
    print(f"wan: {len(tensors)} tensors")
