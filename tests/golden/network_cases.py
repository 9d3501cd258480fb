# SPDX-License-Identifier: MPL-2.0
"""Inputs and outputs of whole networks: UNet, image autoencoder, text encoders, tiny autoencoder."""

import torch

import common
import conditioning
import tiny_models


def tap(module, names, taps):
    """Record the first output of the named children while a forward pass runs."""
    hooks = []
    for name in names:
        def keep(_m, _args, out, name=name):
            taps[name] = out[0] if isinstance(out, tuple) else out

        hooks.append(module.get_submodule(name).register_forward_hook(keep))
    return hooks


def unet_case(folder, name, batch, height, width, t, n_tokens, with_taps=False):
    """One forward pass; time ids are (height, width, top, left, target height, target width)."""
    unet, config = tiny_models.load(folder), tiny_models.PARTS[folder][0]
    out = {
        "x": common.normal(name + ".x", batch, config["in_channels"], height, width),
        "t": torch.tensor([t]),
        "context": common.normal(name + ".context", batch, n_tokens, config["cross_attention_dim"]),
    }
    more = None
    if "addition_embed_type" in config:
        out["pooled"] = common.normal(name + ".pooled", batch, tiny_models.CLIP_G["projection_dim"])
        ids = [[1024.0, 768.0, 8.0, 0.0, 1024.0, 768.0], [512.0, 640.0, 0.0, 64.0, 768.0, 640.0]]
        out["time_ids"] = torch.tensor(ids[:batch])
        more = dict(text_embeds=out["pooled"], time_ids=out["time_ids"])
    taps = {}
    names = ["time_embedding", "conv_in", "mid_block"]
    names += [f"{side}_blocks.{i}" for side in ("down", "up") for i in range(len(config["block_out_channels"]))]
    hooks = tap(unet, names, taps) if with_taps else []
    out["y"] = unet(out["x"], out["t"][0], out["context"], added_cond_kwargs=more).sample
    for hook in hooks:
        hook.remove()
    out.update({f"tap.{k}": v for k, v in taps.items()})
    return {f"{name}.{k}": v for k, v in out.items()}


def vae_case(folder, name, latent_height, latent_width):
    """Encode gives mean and log variance (clamped to -30..20, before scaling_factor); decode takes z / scale."""
    vae = tiny_models.load(folder)
    factor = 2 ** (len(tiny_models.PARTS[folder][0]["block_out_channels"]) - 1)
    image = common.normal(name + ".image", 1, 3, latent_height * factor, latent_width * factor).clamp(-1, 1)
    moments = vae.encode(image).latent_dist
    z = 5 * common.normal(name + ".z", 1, 4, latent_height, latent_width)
    return {
        f"{name}.image": image, f"{name}.mean": moments.mean, f"{name}.logvar": moments.logvar,
        f"{name}.z": z, f"{name}.decoded": vae.decode(z).sample,
    }


def text_case(folder, name, ids):
    """hidden.0 is the embedding sum, hidden.k the output of layer k; last has the final layer norm.

    The hidden states are those of the last row of @ids only.
    """
    encoder, n = tiny_models.load(folder), tiny_models.CLIP_L["num_hidden_layers"]
    out = encoder(ids, output_hidden_states=True)
    tensors = {f"{name}.hidden.0": out.hidden_states[0][-1:]}
    for i in range(1, n + 1):
        tensors[f"{name}.hidden.{i}"] = conditioning.hidden_state(encoder, ids, n + 1 - i, final_norm=False)[-1:]
        assert i == n or torch.equal(tensors[f"{name}.hidden.{i}"], out.hidden_states[i][-1:])
    tensors[f"{name}.ids"] = ids.int()
    tensors[f"{name}.last"] = conditioning.hidden_state(encoder, ids, 1, final_norm=True)
    assert torch.equal(tensors[f"{name}.last"], out.last_hidden_state)
    tensors[f"{name}.pooled"] = out.text_embeds if hasattr(out, "text_embeds") else out.pooler_output
    return tensors


def tiny_case(name):
    tiny = tiny_models.load("taesd-tiny")
    image = common.normal(name + ".image", 1, 3, 16, 24).clamp(-1, 1)
    z = 2 * common.normal(name + ".z", 1, 4, 4, 6)
    return {
        f"{name}.image": image, f"{name}.encoded": tiny.encode(image).latents,
        f"{name}.z": z, f"{name}.decoded": tiny.decode(z).sample,
    }


def export():
    tensors = {}
    for folder in ("sd15-tiny", "sdxl-tiny"):
        unet = folder + "/unet"
        tensors.update(unet_case(unet, unet, 2, 8, 12, 481.25, 77, with_taps=True))
        tensors.update(unet_case(unet, unet + "-odd", 1, 9, 11, 999.0, 154))
        tensors.update(vae_case(folder + "/vae", folder + "/vae", 6, 10))
    tensors.update(unet_case("sd15-tiny-inpaint/unet", "sd15-tiny-inpaint/unet", 2, 8, 12, 120.5, 77))
    ids_l = conditioning.chunks("sd15-tiny/tokenizer", "a red fox, 1girl in the snow")[0]
    ids_long = conditioning.chunks("sd15-tiny/tokenizer", conditioning.LONG)[0][:1]
    tensors.update(text_case("sd15-tiny/text_encoder", "sd15-tiny/text_encoder", torch.cat([ids_l, ids_long])))
    ids_g = conditioning.chunks("sdxl-tiny/tokenizer_2", "a red fox, 1girl in the snow")[0]
    ids_long = conditioning.chunks("sdxl-tiny/tokenizer_2", conditioning.LONG)[0][:1]
    tensors.update(text_case("sdxl-tiny/text_encoder_2", "sdxl-tiny/text_encoder_2", torch.cat([ids_g, ids_long])))
    tensors.update(tiny_case("taesd-tiny"))
    for name, value in tensors.items():
        assert torch.isfinite(value.float()).all(), name
        print(f"  {name:44} {list(value.shape)} std {value.float().std(correction=0):.3f}")
    common.save_tensors("networks.safetensors", tensors)
    print(f"networks: {len(tensors)} tensors")
