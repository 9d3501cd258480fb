# SPDX-License-Identifier: MPL-2.0
"""Writes the trained parts of the video model as a diffusers folder, WanPipeline, in float16.

    assemble_wan.py --work DIR FOLDER
    assemble_wan.py --work DIR --encoder-only FOLDER    the rest of it stays as it is, to the bit

The folder is written beside FOLDER and then takes its place; README.md, NOTICE and
contact-sheet.png of an existing FOLDER are kept. Without experts both are the common transformer.
"""
import argparse
import json
import pathlib
import shutil

import torch
from diffusers import UniPCMultistepScheduler
from safetensors.torch import load_file
from transformers import T5Tokenizer

from assemble import KEPT, write_json, write_model, write_weights
from wan_clips import FPS, FRAMES, SIZE
from wan_model import (BOUNDARY, SCHEDULER, TEXT_TOKENS, build_text_encoder, build_transformer,
                       build_vae)
from wan_text import FOLDER as TOKENIZER

# What evaluate_wan.py measures with, and what the window proposes.
SUGGESTED = {"guidance_scale": 4, "steps": 20, "width": SIZE, "height": SIZE, "frames": FRAMES,
             "fps": FPS}
INDEX = {
    "_class_name": "WanPipeline",
    "boundary_ratio": BOUNDARY,
    "scheduler": ["diffusers", "UniPCMultistepScheduler"],
    "text_encoder": ["transformers", "UMT5EncoderModel"],
    "tokenizer": ["transformers", "T5Tokenizer"],
    "transformer": ["diffusers", "WanTransformer3DModel"],
    "transformer_2": ["diffusers", "WanTransformer3DModel"],
    "vae": ["diffusers", "AutoencoderKLWan"],
}


def load_vae(work):
    vae = build_vae()
    state = vae.state_dict()
    for part in ("decoder", "encoder"):
        if (work / f"{part}.pt").exists():
            state |= torch.load(work / f"{part}.pt")["average"]
    vae.load_state_dict(state)
    return vae


def put_encoder(work, folder):
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    write_weights(path, load_file(path) | torch.load(work / "encoder.pt")["average"])
    path.chmod(0o644)
    index = json.loads((folder / "model_index.json").read_text(encoding="utf8"))
    write_json(folder / "model_index.json", index | {"expand_timesteps": True})


def load_transformer(work, expert):
    """The expert, or as long as there is none the transformer for all times."""
    own = work / f"{expert}.pt"
    state = torch.load(own if own.exists() else work / "transformer.pt")
    transformer, text = build_transformer(), build_text_encoder()
    transformer.load_state_dict(state["average_transformer"])
    text.load_state_dict(state["average_text"])
    print(f"{expert}: {'own' if own.exists() else 'common'}, step {state['step']}, "
          f"loss {state['loss']:.4f}")
    return transformer, text


def write_text_encoder(text, folder):
    folder.mkdir(parents=True)
    config = json.loads(text.config.to_json_string(use_diff=False))
    wanted = ("model_type", "vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads",
              "relative_attention_num_buckets", "relative_attention_max_distance",
              "feed_forward_proj", "is_gated_act", "dense_act_fn", "layer_norm_epsilon",
              "dropout_rate", "pad_token_id", "eos_token_id", "decoder_start_token_id",
              "tie_word_embeddings")
    config = {k: config[k] for k in wanted if k in config}
    write_json(folder / "config.json", {"architectures": ["UMT5EncoderModel"]} | config)
    state = {k: v for k, v in text.state_dict().items() if k != "encoder.embed_tokens.weight"}
    write_weights(folder / "model.safetensors", state)


def write_tokenizer(folder):
    """Both forms of the vocabulary, as Wan's own repositories have them."""
    folder.mkdir(parents=True)
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    T5Tokenizer.from_pretrained(TOKENIZER, extra_ids=0, **special).save_pretrained(folder)
    shutil.copyfile(TOKENIZER / "spiece.model", folder / "spiece.model")
    write_json(folder / "special_tokens_map.json", special)
    write_json(folder / "tokenizer_config.json", special | {
        "tokenizer_class": "T5Tokenizer", "extra_ids": 0, "model_max_length": TEXT_TOKENS})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--encoder-only", action="store_true")
    parser.add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()
    if args.encoder_only:
        put_encoder(args.work, args.folder)
        return
    scratch = args.folder.with_name(args.folder.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)
    high, _ = load_transformer(args.work, "high")
    low, text = load_transformer(args.work, "low")
    write_model(high, scratch / "transformer")
    write_model(low, scratch / "transformer_2")
    write_model(load_vae(args.work), scratch / "vae")
    write_text_encoder(text, scratch / "text_encoder")
    write_tokenizer(scratch / "tokenizer")
    UniPCMultistepScheduler(**SCHEDULER).save_config(scratch / "scheduler")
    # A first frame can be given once there is an encoder for it.
    with_frame = (args.work / "encoder.pt").exists()
    write_json(scratch / "model_index.json", INDEX | {"expand_timesteps": with_frame})
    write_json(scratch / "gesso.json", SUGGESTED)

    for name in KEPT:
        if (args.folder / name).exists():
            shutil.copyfile(args.folder / name, scratch / name)
    old = args.folder.with_name(args.folder.name + ".old")
    if args.folder.exists():
        args.folder.rename(old)
    for path in scratch.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    scratch.rename(args.folder)
    shutil.rmtree(old, ignore_errors=True)
    size = sum(f.stat().st_size for f in args.folder.rglob("*") if f.is_file())
    print(f"{args.folder}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
