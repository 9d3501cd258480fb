#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""FLUX.1 files of the published size, sparse: every layout and what `inspect` and `plan` say of it.

Usage: flux_files.py GESSO_CLI.  Prints TAP; needs nothing but Python and a file system with holes.
"""
import json
import os
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile

CLI = sys.argv[1]
DATA = pathlib.Path(__file__).resolve().parents[2] / "data"  # found by itself only beside the build
DIM, MLP, HEAD, N_DOUBLE, N_SINGLE = 3072, 12288, 128, 19, 38
SIZES = {"F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1}
DEV, SCHNELL, T5_XXL, CLIP_L, AE = 11901408320, 11891178560, 4762310656, 123060480, 83819683
# The step's weights in bf16 once modulation is known
STEP_LIMIT = 17.4e9
MOST_MEMORY = 400 << 20  # of the process: files are mapped, never read whole
n_tests = failures = 0


def check(name, ok, detail=""):
    global n_tests, failures
    n_tests += 1
    failures += not ok
    print(f"{'ok' if ok else 'not ok'} {n_tests} - {name}", flush=True)
    if not ok:
        print("#", str(detail)[:1500])


def pair(out, name, n_out, *n_in):
    out[name + ".weight"] = [n_out, *n_in]
    out[name + ".bias"] = [n_out]


def bfl(prefix="", n_in=64, guidance=True):
    out = {}
    pair(out, prefix + "img_in", DIM, n_in)
    pair(out, prefix + "txt_in", DIM, 4096)
    for name, width in (("time_in", 256), ("vector_in", 768)) + ((("guidance_in", 256),) if guidance else ()):
        pair(out, f"{prefix}{name}.in_layer", DIM, width)
        pair(out, f"{prefix}{name}.out_layer", DIM, DIM)
    for i in range(N_DOUBLE):
        for s in ("img", "txt"):
            block = f"{prefix}double_blocks.{i}.{s}"
            pair(out, block + "_mod.lin", 6 * DIM, DIM)
            pair(out, block + "_attn.qkv", 3 * DIM, DIM)
            out[block + "_attn.norm.query_norm.scale"] = out[block + "_attn.norm.key_norm.scale"] = [HEAD]
            pair(out, block + "_attn.proj", DIM, DIM)
            pair(out, block + "_mlp.0", MLP, DIM)
            pair(out, block + "_mlp.2", DIM, MLP)
    for i in range(N_SINGLE):
        block = f"{prefix}single_blocks.{i}."
        pair(out, block + "modulation.lin", 3 * DIM, DIM)
        pair(out, block + "linear1", 3 * DIM + MLP, DIM)
        pair(out, block + "linear2", DIM, DIM + MLP)
        out[block + "norm.query_norm.scale"] = out[block + "norm.key_norm.scale"] = [HEAD]
    pair(out, prefix + "final_layer.linear", 64, DIM)
    pair(out, prefix + "final_layer.adaLN_modulation.1", 2 * DIM, DIM)
    return out


def diffusers():
    out = {}
    pair(out, "x_embedder", DIM, 64)
    pair(out, "context_embedder", DIM, 4096)
    for name, width in (("timestep", 256), ("guidance", 256), ("text", 768)):
        pair(out, f"time_text_embed.{name}_embedder.linear_1", DIM, width)
        pair(out, f"time_text_embed.{name}_embedder.linear_2", DIM, DIM)
    for i in range(N_DOUBLE):
        block = f"transformer_blocks.{i}."
        for name in ("norm1.linear", "norm1_context.linear"):
            pair(out, block + name, 6 * DIM, DIM)
        for name in ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"):
            pair(out, f"{block}attn.{name}", DIM, DIM)
        for name in ("norm_q", "norm_k", "norm_added_q", "norm_added_k"):
            out[f"{block}attn.{name}.weight"] = [HEAD]
        for name in ("ff", "ff_context"):
            pair(out, f"{block}{name}.net.0.proj", MLP, DIM)
            pair(out, f"{block}{name}.net.2", DIM, MLP)
    for i in range(N_SINGLE):
        block = f"single_transformer_blocks.{i}."
        pair(out, block + "norm.linear", 3 * DIM, DIM)
        for name in ("to_q", "to_k", "to_v"):
            pair(out, f"{block}attn.{name}", DIM, DIM)
        out[block + "attn.norm_q.weight"] = out[block + "attn.norm_k.weight"] = [HEAD]
        pair(out, block + "proj_mlp", MLP, DIM)
        pair(out, block + "proj_out", DIM, DIM + MLP)
    pair(out, "norm_out.linear", 2 * DIM, DIM)
    pair(out, "proj_out", 64, DIM)
    return out


def t5(prefix=""):
    out = {prefix + "shared.weight": [32128, 4096], prefix + "encoder.final_layer_norm.weight": [4096]}
    for i in range(24):
        block = f"{prefix}encoder.block.{i}.layer."
        for name in "qkvo":
            out[f"{block}0.SelfAttention.{name}.weight"] = [4096, 4096]
        out[block + "0.layer_norm.weight"] = out[block + "1.layer_norm.weight"] = [4096]
        out[block + "1.DenseReluDense.wi_0.weight"] = out[block + "1.DenseReluDense.wi_1.weight"] = [10240, 4096]
        out[block + "1.DenseReluDense.wo.weight"] = [4096, 10240]
    out[prefix + "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"] = [32, 64]
    return out


def clip_l(prefix=""):
    prefix += "text_model."
    out = {prefix + "embeddings.token_embedding.weight": [49408, 768], prefix + "embeddings.position_embedding.weight": [77, 768]}
    for i in range(12):
        layer = f"{prefix}encoder.layers.{i}."
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            pair(out, f"{layer}self_attn.{name}", 768, 768)
        pair(out, layer + "layer_norm1", 768)
        pair(out, layer + "layer_norm2", 768)
        pair(out, layer + "mlp.fc1", 3072, 768)
        pair(out, layer + "mlp.fc2", 768, 3072)
    pair(out, prefix + "final_layer_norm", 768)
    return out


def resnet(out, name, n_in, n_out):
    pair(out, name + ".norm1", n_in)
    pair(out, name + ".conv1", n_out, n_in, 3, 3)
    pair(out, name + ".norm2", n_out)
    pair(out, name + ".conv2", n_out, n_out, 3, 3)
    if n_in != n_out:
        pair(out, name + ".nin_shortcut", n_out, n_in, 1, 1)


def ae(prefix=""):
    """The VAE in its original names: 244 tensors."""
    out, widths = {}, (128, 256, 512, 512)
    for side, first in (("encoder", 3), ("decoder", 16)):
        name, n = f"{prefix}{side}.", widths[0] if side == "encoder" else widths[-1]
        pair(out, name + "conv_in", n, first, 3, 3)
        levels = list(enumerate(widths)) if side == "encoder" else list(enumerate(widths))[::-1]
        for level, width in levels:
            way = "down" if side == "encoder" else "up"
            for block in range(2 if side == "encoder" else 3):
                resnet(out, f"{name}{way}.{level}.block.{block}", n, width)
                n = width
            if level != (3 if side == "encoder" else 0):
                pair(out, f"{name}{way}.{level}.{way}sample.conv", width, width, 3, 3)
        for block in ("block_1", "block_2"):
            resnet(out, f"{name}mid.{block}", 512, 512)
        pair(out, name + "mid.attn_1.norm", 512)
        for part in ("q", "k", "v", "proj_out"):
            pair(out, f"{name}mid.attn_1.{part}", 512, 512, 1, 1)
        pair(out, name + "norm_out", n)
        pair(out, name + "conv_out", 32 if side == "encoder" else 3, n, 3, 3)
    return out


def write(path, tensors, dtype="BF16", missing=0):
    """A safetensors file of holes; @missing bytes are cut off its end."""
    header, at = {}, 0
    for name, shape in tensors.items():
        kind = "F32" if dtype == "F8_E4M3" and len(shape) == 1 else dtype
        n = SIZES[kind]
        for d in shape:
            n *= d
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at - missing)
    return str(path)


def run(*arguments):
    done = subprocess.run([CLI, *arguments, "--json"], capture_output=True, text=True,
                          env=dict(os.environ, LC_ALL="C", GESSO_DATA=str(DATA)))
    try:
        return done.returncode, json.loads(done.stdout or done.stderr), done.stderr
    except ValueError:
        return done.returncode, {}, done.stdout + done.stderr


def inspect(name, path, parameters):
    """@parameters: by part"""
    code, told, error = run("inspect", path)
    parts = {k: v["parameters"] for k, v in told.get("parts", {}).items()}
    clean = all(told.get(k) == [] for k in ("missing", "left_over", "unknown"))
    check(f"inspect {name}", code == 0 and parts == parameters and clean, (told, error))
    return told


def test_layouts(folder):
    dev = {"transformer": DEV}
    for dtype in ("BF16", "F8_E4M3"):
        told = inspect(f"fused {dtype}", write(folder / f"flux1-dev-{dtype}.safetensors", bfl(), dtype), dev)
        check(f"family {dtype}", told.get("family") == "FLUX.1", told)
    inspect("fused, with a prefix", write(folder / "prefixed.safetensors", bfl("model.diffusion_model.")), dev)
    inspect("schnell", write(folder / "flux1-schnell.safetensors", bfl(guidance=False)), {"transformer": SCHNELL})
    for n_in, name in ((384, "fill"), (128, "depth")):
        more = {"transformer": DEV + DIM * (n_in - 64)}
        inspect(name, write(folder / f"flux1-{name}-dev.safetensors", bfl(n_in=n_in)), more)
    inspect("split, one file", write(folder / "split.safetensors", diffusers()), dev)
    whole = {
        **bfl("model.diffusion_model."), **clip_l("text_encoders.clip_l.transformer."),
        **t5("text_encoders.t5xxl.transformer."), **ae("vae."),
    }
    parts = {"transformer": DEV, "T5 text encoder": T5_XXL, "text encoder": CLIP_L, "VAE": AE}
    told = inspect("all in one", write(folder / "all.safetensors", whole, "F8_E4M3"), parts)
    check("all in one is no part", "alone" not in told, told)


def test_parts(folder):
    """One network a file: each is named, nothing of it is left over."""
    for name, tensors, parts, what in (
        ("t5xxl_fp16", t5(), {"T5 text encoder": T5_XXL}, "T5 v1.1 text encoder, 24 layers of 4096"),
        ("clip_l", clip_l(), {"text encoder": CLIP_L}, "CLIP text encoder, 12 layers of 768"),
        ("ae", ae(), {"VAE": AE}, "VAE, 16 latent channels"),
        ("flux1-dev", bfl(), {"transformer": DEV}, "transformer of FLUX.1, without text encoders and VAE"),
    ):
        told = inspect(f"{name} alone", write(folder / f"{name}.safetensors", tensors), parts)
        check(f"{name} is named", told.get("alone") == what, told)


def write_folder(folder):
    """A diffusers folder whose transformer lies in three shards."""
    tensors, names = diffusers(), list(diffusers())
    shards = {}
    for i in range(3):
        shard = f"diffusion_pytorch_model-{i + 1:05d}-of-00003.safetensors"
        part = names[i * len(names) // 3 : (i + 1) * len(names) // 3]
        write(folder / "transformer" / shard, {k: tensors[k] for k in part})
        shards.update({k: shard for k in part})
    index = {"metadata": {}, "weight_map": shards}
    (folder / "transformer/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    write(folder / "text_encoder/model.safetensors", clip_l())
    write(folder / "text_encoder_2/model.safetensors", t5())
    configs = {
        "model_index.json": {"_class_name": "FluxPipeline"},
        "transformer/config.json": {
            "_class_name": "FluxTransformer2DModel", "attention_head_dim": 128, "num_attention_heads": 24,
            "axes_dims_rope": [16, 56, 56], "patch_size": 1,
        },
        "text_encoder/config.json": {"architectures": ["CLIPTextModel"], "num_attention_heads": 12},
        "text_encoder_2/config.json": {"architectures": ["T5EncoderModel"], "feed_forward_proj": "gated-gelu"},
    }
    for name, value in configs.items():
        (folder / name).write_text(json.dumps(value))


def test_folder(folder):
    write_folder(folder)
    inspect("folder with shards", str(folder), {"transformer": DEV, "T5 text encoder": T5_XXL, "text encoder": CLIP_L})
    shard = next((folder / "transformer").glob("*-00002-of-*"))
    os.truncate(shard, shard.stat().st_size - 1)
    code, _, error = run("inspect", str(folder))
    check("shard cut short", code != 0 and "00002-of-00003" in error, error)
    shard.unlink()
    code, _, error = run("inspect", str(folder))
    check("shard missing", code != 0 and "00002-of-00003" in error, error)


def test_damage(folder):
    code, _, error = run("inspect", write(folder / "cut.safetensors", bfl(), missing=1))
    check("file cut short", code != 0 and "cut.safetensors" in error, error)
    (folder / "empty.safetensors").write_bytes(b"")
    code, _, error = run("inspect", str(folder / "empty.safetensors"))
    check("empty file", code != 0 and "empty" in error, error)
    tensors = bfl()
    del tensors["double_blocks.7.img_mlp.2.weight"]
    code, told, error = run("inspect", write(folder / "hole.safetensors", tensors))
    names = ["missing: transformer.transformer_blocks.7.ff.net.2.weight"]
    check("missing tensor by name", told.get("missing") == names, (told, error))
    tensors = dict(bfl(), **{"double_blocks.7.strange.weight": [3, 3]})
    code, told, error = run("inspect", write(folder / "more.safetensors", tensors))
    check("unknown tensor by name", told.get("unknown") == ["double_blocks.7.strange.weight"], (told, error))


def test_plan(folder):
    """ComfyUI's places: the transformer alone, its companions beside it."""
    model = write(folder / "models/diffusion_models/flux1-dev.safetensors", bfl())
    write(folder / "models/text_encoders/clip_l.safetensors", clip_l())
    write(folder / "models/text_encoders/t5xxl_fp16.safetensors", t5(), "F16")
    write(folder / "models/vae/ae.safetensors", ae())
    code, told, error = run("plan", "--model", model, "--width", "1024", "--height", "1024", "--steps", "28", "a fox")
    denoise = told.get("phases", {}).get("denoise", {})
    step, once = denoise.get("weight_bytes", 0), denoise.get("once_weight_bytes", 0)
    check("plan", code == 0 and told.get("family") == "FLUX.1", error)
    print(f"# a step needs {step / 1e9:.2f} GB of weights, after {once / 1e9:.2f} that are read once")
    check("what a step needs", 0 < step <= STEP_LIMIT, denoise)
    # a trace names the matrices; biases and norms beside them are a few megabytes
    check("all of the transformer", 0 <= 2 * DEV - step - once < 8e6, denoise)


def main():
    with tempfile.TemporaryDirectory(prefix="gesso-flux-") as temporary:
        folder = pathlib.Path(temporary)
        test_layouts(folder / "layouts")
        test_parts(folder / "parts")
        test_folder(folder / "folder")
        test_damage(folder / "damage")
        test_plan(folder / "plan")
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
    print(f"# at most {most >> 20} MiB resident")
    check("files are mapped, not read", most < MOST_MEMORY, most)
    print(f"1..{n_tests}")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
