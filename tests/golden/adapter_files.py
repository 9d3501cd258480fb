# SPDX-License-Identifier: MPL-2.0
"""The same low-rank values under the names that different trainers write."""

import torch

import common
import layouts
import tiny_models


def path(name):
    return common.FIXTURES / "adapters" / f"{name}.safetensors"


def write(name, tensors, metadata=None):
    tiny_models.write_safetensors(f"adapters/{name}.safetensors", {k: v.contiguous().clone() for k, v in tensors.items()}, metadata)


def flat(name):
    return name.replace(".", "_")


def ldm(layer, config):
    """LDM's name of a U-Net's layer, by the table that writes the LDM checkpoints."""
    names = layouts.unet({layer + ".weight": torch.zeros(1)}, config)
    return next(iter(names)).removesuffix(".weight")


def kohya(values, prefix, alpha, rename=flat):
    out = {}
    for layer, (up, down) in values.items():
        key = prefix + flat(rename(layer))
        out.update({f"{key}.lora_up.weight": up, f"{key}.lora_down.weight": down, f"{key}.alpha": torch.tensor(alpha)})
    return out


def peft(values, prefix, tail=".weight"):
    return {f"{prefix}{k}.lora_{n}{tail}": t for k, v in values.items() for n, t in zip("BA", v)}


def processors(values):
    """diffusers before PEFT: attention only."""
    out = {}
    for layer, (up, down) in values.items():
        if ".attn" not in layer:
            continue
        block, target = layer.removesuffix(".0").rsplit(".", 1)
        key = f"unet.{block}.processor.{target}_lora"
        out.update({f"{key}.up.weight": up, f"{key}.down.weight": down})
    return out


def linear_shaped(tensors):
    """Trainers that know no 1x1 convolution write (r, in)."""
    return {k: v[:, :, 0, 0] if v.dim() == 4 and v.shape[2] == 1 and "proj_" in k else v for k, v in tensors.items()}


def sd15_namings(unet, text, alpha):
    config = tiny_models.SD15_UNET
    te = {k: v for k, v in text.items()}
    return {
        "sd15-kohya": {**kohya(unet, "lora_unet_", alpha), **kohya(te, "lora_te_", alpha)},
        "sd15-kohya-ldm": kohya(unet, "lora_unet_", alpha, lambda k: ldm(k, config)),
        "sd15-peft": {**peft(unet, "unet."), **peft(te, "text_encoder.")},
        "sd15-peft-default": {**peft(unet, "base_model.model.", ".default.weight"), **peft(te, "base_model.model.", ".default.weight")},
        "sd15-old": {
            **processors(unet),
            **{f"text_encoder.{k}.lora_linear_layer.{n}.weight": t for k, v in te.items() for n, t in zip(("up", "down"), v)},
        },
        "sd15-native": {**peft({ldm(k, config): v for k, v in unet.items()}, "diffusion_model."),
                        **peft(te, "text_encoders.clip_l.transformer.")},
        "sd15-lycoris": linear_shaped(kohya(unet, "lycoris_", alpha)),
        "sd15-bare": peft(unet, "", ""),
    }


def open_clip(values):
    """bigG as OpenCLIP has it: q, k and v are one; here only q is changed."""
    out = {}
    for layer, (up, down) in values.items():
        i, rest = layer.removeprefix("text_model.encoder.layers.").split(".", 1)
        if rest == "self_attn.q_proj":
            up = torch.cat([up, torch.zeros_like(up), torch.zeros_like(up)])
        rest = {"self_attn.q_proj": "attn.in_proj", "self_attn.out_proj": "attn.out_proj", "mlp.fc1": "mlp.c_fc"}[rest]
        out[f"transformer.resblocks.{i}.{rest}"] = (up, down)
    return out


def sdxl_namings(unet, one, two, alpha):
    config = tiny_models.SDXL_UNET

    def text(one_prefix, two_prefix):
        return {**kohya(one, one_prefix, alpha), **kohya(two, two_prefix, alpha)}

    in_ldm = kohya(unet, "lora_unet_", alpha, lambda k: ldm(k, config))
    return {
        "sdxl-kohya": {**in_ldm, **text("lora_te1_", "lora_te2_")},
        "sdxl-kohya-diffusers": {**kohya(unet, "lora_unet_", alpha), **text("lora_te1_", "lora_te2_")},
        "sdxl-openclip": {**in_ldm, **kohya(one, "lora_te1_", alpha), **kohya(open_clip(two), "lora_te2_", alpha)},
        "sdxl-dotted": {
            **{k.replace("@", "."): v for k, v in dotted(unet, "unet.", alpha).items()},
            **dotted(one, "text_encoder.", alpha), **dotted(two, "text_encoder_2.", alpha),
        },
    }


def dotted(values, prefix, alpha):
    """PEFT's names with an alpha, as some trainers write them."""
    out = peft(values, prefix)
    out.update({f"{prefix}{k}.alpha": torch.tensor(alpha) for k in values})
    return out


def embeddings():
    """Textual inversions whose vectors are the rows of "red apple": a prompt with the name must be the prompt with the words."""
    import conditioning

    ids = conditioning.chunks("sd15-tiny/tokenizer", "red apple")[0][0]
    words = [int(i) for i in ids[1:] if i != tiny_models.EOS]
    rows = tiny_models.load("sd15-tiny/text_encoder").state_dict()
    one = next(v for k, v in rows.items() if k.endswith("token_embedding.weight"))[words].half()
    rows = tiny_models.load("sdxl-tiny/text_encoder_2").state_dict()
    two = next(v for k, v in rows.items() if k.endswith("token_embedding.weight"))[words].half()
    folder = common.FIXTURES / "adapters" / "embeddings"
    folder.mkdir(parents=True, exist_ok=True)
    a1111 = {
        "string_to_token": {"*": 265}, "string_to_param": {"*": torch.nn.Parameter(one, requires_grad=False)},
        "name": "fruit", "step": 100, "sd_checkpoint": None, "sd_checkpoint_name": None,
    }
    torch.save(a1111, folder / "fruit-a1111.pt")
    torch.save({"<fruit>": one}, folder / "fruit-diffusers.bin")
    torch.save([one[:1].clone(), {"more": one[1:].clone()}], folder / "fruit-list.pt")
    write("embeddings/fruit-params", {"emb_params": one})
    write("embeddings/fruit-xl", {"clip_l": one, "clip_g": two})
    # a LoRA that does nothing and carries the word
    key = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    vectors = {"sd15": {"string_to_param.*": one}, "sdxl": {"clip_l": one, "clip_g": two}}
    for model, bundle in vectors.items():
        layer = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
        n = len(tiny_models.load(f"{model}-tiny/unet").state_dict()[layer])
        nothing = {f"{key}.lora_down.weight": torch.zeros(1, n).half(), f"{key}.lora_up.weight": torch.zeros(n, 1).half()}
        write(f"embeddings/bundle-{model}", {**nothing, **{f"bundle_emb.fruit.{k}": v for k, v in bundle.items()}})


# diffusers' layer: (original layer, first row there)
FLUX = {
    "transformer_blocks.0.attn.to_q": ("double_blocks.0.img_attn.qkv", 0),
    "transformer_blocks.0.attn.to_k": ("double_blocks.0.img_attn.qkv", 32),
    "transformer_blocks.0.attn.to_v": ("double_blocks.0.img_attn.qkv", 64),
    "transformer_blocks.1.ff.net.0.proj": ("double_blocks.1.img_mlp.0", 0),
    "transformer_blocks.0.norm1.linear": ("double_blocks.0.img_mod.lin", 0),
    "single_transformer_blocks.0.attn.to_q": ("single_blocks.0.linear1", 0),
    "single_transformer_blocks.0.attn.to_k": ("single_blocks.0.linear1", 32),
    "single_transformer_blocks.0.attn.to_v": ("single_blocks.0.linear1", 64),
    "single_transformer_blocks.0.proj_mlp": ("single_blocks.0.linear1", 96),
    "single_transformer_blocks.0.proj_out": ("single_blocks.0.linear2", 0),
    "norm_out.linear": ("final_layer.adaLN_modulation.1", 0),
}


def flux():
    """One LoRA of flux-tiny: fused in kohya's names, split in PEFT's, and as differences that torch multiplied out."""
    from safetensors.torch import load_file

    folder = common.FIXTURES / "flux-tiny/transformer"
    shapes = {k: v.shape for k, v in load_file(str(folder / "diffusion_pytorch_model.safetensors")).items()}
    fused, split, whole = {}, {}, {}
    for layer, (original, first) in FLUX.items():
        n_out, n_in = shapes[layer + ".weight"]
        key = "lora_unet_" + flat(original)
        down = (common.normal("flux/down/" + original, 2, n_in) / n_in**0.5).half()
        up = (0.5 * common.normal("flux/up/" + layer, n_out, 2)).half()
        split[f"transformer.{layer}.lora_A.weight"], split[f"transformer.{layer}.lora_B.weight"] = down, up
        whole[f"transformer.{layer}.diff"] = up.float() @ down.float()
        rows = torch.cat([up[n_out // 2 :], up[: n_out // 2]]) if layer == "norm_out.linear" else up
        before = fused.get(key + ".lora_up.weight", torch.zeros(0, 2).half())
        assert len(before) == first
        fused[key + ".lora_up.weight"], fused[key + ".lora_down.weight"] = torch.cat([before, rows]), down
    write("flux-kohya", fused)
    write("flux-peft", split)
    write("flux-diff", whole)
