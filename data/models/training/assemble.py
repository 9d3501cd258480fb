# SPDX-License-Identifier: MPL-2.0
"""Writes the trained parts as a diffusers folder, StableDiffusionXLPipeline, in float16.

    assemble.py --work DIR FOLDER

The folder is written beside FOLDER and then takes its place; README.md, NOTICE and
contact-sheet.png of an existing FOLDER are kept.
"""
import argparse
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file

from common import HERE
from model import (SCHEDULER, TextEncoders, build_preview, build_unet, build_vae)

from diffusers import EulerDiscreteScheduler

KEPT = ("README.md", "NOTICE", "contact-sheet.png", "first-frames.png")

# What evaluate.py measures with, and what the window proposes.
SUGGESTED = {"guidance_scale": 4, "steps": 20}
INDEX = {
    "_class_name": "StableDiffusionXLPipeline",
    "force_zeros_for_empty_prompt": True,
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "tokenizer_2": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf8")


def write_weights(path, state):
    state = {k: v.to(torch.float16).contiguous() for k, v in state.items()
             if v.is_floating_point()}
    save_file(state, path, metadata={"format": "pt"})


def write_model(model, folder, file="diffusion_pytorch_model.safetensors"):
    folder.mkdir(parents=True)
    model.save_config(folder)
    write_weights(folder / file, model.state_dict())


def write_text_encoder(model, folder):
    """Keys as in every published SDXL checkpoint: the transformer lies under text_model."""
    folder.mkdir(parents=True)
    config = json.loads(model.config.to_json_string(use_diff=False))
    wanted = ("model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
              "num_attention_heads", "hidden_act", "layer_norm_eps", "projection_dim",
              "max_position_embeddings", "bos_token_id", "eos_token_id", "pad_token_id")
    config = {"architectures": [type(model).__name__]} | {k: config[k] for k in wanted}
    write_json(folder / "config.json", config)
    prefix = "text_model."
    state = {k if k.startswith((prefix, "text_projection")) else prefix + k: v
             for k, v in model.state_dict().items() if not k.endswith("position_ids")}
    write_weights(folder / "model.safetensors", state)


def write_tokenizer(folder, pad):
    folder.mkdir(parents=True)
    for name in ("vocab.json", "merges.txt"):
        shutil.copyfile(HERE / "tokenizer" / name, folder / name)
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>",
               "unk_token": "<|endoftext|>", "pad_token": pad}
    write_json(folder / "special_tokens_map.json", special)
    write_json(folder / "tokenizer_config.json", special | {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "add_prefix_space": False,
        "do_lower_case": True})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()
    average = torch.load(args.work / "average.pt")
    unet, text, vae = build_unet(), TextEncoders(), build_vae()
    unet.load_state_dict(average["unet"])
    text.load_state_dict(average["text"])
    vae.load_state_dict(torch.load(args.work / "vae.pt"))

    scratch = args.folder.with_name(args.folder.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)
    write_model(unet, scratch / "unet")
    write_model(vae, scratch / "vae")
    if (args.work / "preview.pt").exists():
        preview = build_preview()
        preview.decoder.load_state_dict(torch.load(args.work / "preview.pt"))
        folder = scratch / "vae_tiny"
        folder.mkdir()
        preview.save_config(folder)
        # Only the decoder is trained; nothing that previews needs the encoder.
        write_weights(folder / "diffusion_pytorch_model.safetensors",
                      {k: v for k, v in preview.state_dict().items() if k.startswith("decoder.")})
    write_text_encoder(text.first, scratch / "text_encoder")
    write_text_encoder(text.second, scratch / "text_encoder_2")
    write_tokenizer(scratch / "tokenizer", "<|endoftext|>")
    write_tokenizer(scratch / "tokenizer_2", "!")
    EulerDiscreteScheduler(**SCHEDULER).save_config(scratch / "scheduler")
    write_json(scratch / "model_index.json", INDEX)
    write_json(scratch / "gesso.json", SUGGESTED)

    for name in KEPT:
        if (args.folder / name).exists():
            shutil.copyfile(args.folder / name, scratch / name)
    old = args.folder.with_name(args.folder.name + ".old")
    if args.folder.exists():
        args.folder.rename(old)
    scratch.rename(args.folder)
    shutil.rmtree(old, ignore_errors=True)
    size = sum(f.stat().st_size for f in args.folder.rglob("*") if f.is_file())
    print(f"{args.folder}: step {average['step']}, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
