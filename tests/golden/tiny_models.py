# SPDX-License-Identifier: MPL-2.0
"""Small models with seeded random weights, written the way published checkpoints are.

Weights are drawn in float32, scaled so that activations stay near 1, and rounded to float16; the
reference computes in float32 with the rounded values, which is what a reader of the files gets.
"""

import json
import pickle
import shutil
import struct

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

import common
import layouts

BOS, EOS, VOCAB = 3070, 3071, 3072
VERSION = "0.42.1"

SD15_UNET = dict(
    _class_name="UNet2DConditionModel", _diffusers_version=VERSION,
    sample_size=8, in_channels=4, out_channels=4, center_input_sample=False,
    flip_sin_to_cos=True, freq_shift=0, act_fn="silu", norm_num_groups=8, norm_eps=1e-5,
    down_block_types=["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types=["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    block_out_channels=[16, 16, 32], layers_per_block=2, downsample_padding=1,
    mid_block_scale_factor=1, cross_attention_dim=32, attention_head_dim=2,
)
INPAINT_UNET = dict(
    SD15_UNET, in_channels=9, layers_per_block=1, block_out_channels=[16, 16],
    down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"],
)
SDXL_UNET = dict(
    SD15_UNET, block_out_channels=[16, 32], layers_per_block=1,
    down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
    transformer_layers_per_block=[1, 2], attention_head_dim=[2, 4], cross_attention_dim=80,
    use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
    projection_class_embeddings_input_dim=6 * 8 + 40,
)
SDXL_INPAINT_UNET = dict(SDXL_UNET, in_channels=9, transformer_layers_per_block=[1, 1])
SD15_VAE = dict(
    _class_name="AutoencoderKL", _diffusers_version=VERSION, sample_size=32,
    in_channels=3, out_channels=3, latent_channels=4, act_fn="silu", norm_num_groups=8,
    block_out_channels=[16, 16, 16], layers_per_block=2, scaling_factor=0.18215,
    down_block_types=["DownEncoderBlock2D"] * 3, up_block_types=["UpDecoderBlock2D"] * 3,
)
SDXL_VAE = dict(
    SD15_VAE, sample_size=16, block_out_channels=[16, 32], layers_per_block=1, scaling_factor=0.13025,
    down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
)
TAESD = dict(
    _class_name="AutoencoderTiny", _diffusers_version=VERSION, in_channels=3, out_channels=3, latent_channels=4,
    encoder_block_out_channels=[16, 16, 16], decoder_block_out_channels=[16, 16, 16],
    num_encoder_blocks=[1, 2, 2], num_decoder_blocks=[2, 2, 1], act_fn="relu", upsample_fn="nearest",
    upsampling_scaling_factor=2, scaling_factor=1.0, shift_factor=0.0, force_upcast=False,
    latent_magnitude=3, latent_shift=0.5, block_out_channels=[16, 16, 16],
)
CLIP_L = dict(
    architectures=["CLIPTextModel"], model_type="clip_text_model", vocab_size=VOCAB, hidden_size=32,
    intermediate_size=72, num_hidden_layers=5, num_attention_heads=4, max_position_embeddings=77,
    hidden_act="quick_gelu", layer_norm_eps=1e-5, projection_dim=32, bos_token_id=BOS, eos_token_id=EOS,
    pad_token_id=1, torch_dtype="float16",
)
CLIP_G = dict(
    CLIP_L, architectures=["CLIPTextModelWithProjection"], hidden_size=48, intermediate_size=104,
    num_attention_heads=3, hidden_act="gelu", projection_dim=40,
)
BETAS = dict(
    beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000,
    clip_sample=False, set_alpha_to_one=False, steps_offset=1, prediction_type="epsilon",
    _diffusers_version=VERSION,
)
SCHEDULERS = {
    "sd15-tiny": dict(BETAS, _class_name="PNDMScheduler", skip_prk_steps=True),
    "sdxl-tiny": dict(
        BETAS, _class_name="EulerDiscreteScheduler", timestep_spacing="leading", interpolation_type="linear",
        use_karras_sigmas=False,
    ),
    "sdxl-tiny-vpred": dict(
        BETAS, _class_name="EulerDiscreteScheduler", timestep_spacing="trailing", interpolation_type="linear",
        use_karras_sigmas=False, prediction_type="v_prediction", rescale_betas_zero_snr=True,
    ),
}
# folder: (config, class)
PARTS = {
    "sd15-tiny/unet": (SD15_UNET, UNet2DConditionModel),
    "sd15-tiny/vae": (SD15_VAE, AutoencoderKL),
    "sd15-tiny/text_encoder": (CLIP_L, CLIPTextModel),
    "sd15-tiny-inpaint/unet": (INPAINT_UNET, UNet2DConditionModel),
    "sdxl-tiny/unet": (SDXL_UNET, UNet2DConditionModel),
    "sdxl-tiny-inpaint/unet": (SDXL_INPAINT_UNET, UNet2DConditionModel),
    "sdxl-tiny/vae": (SDXL_VAE, AutoencoderKL),
    "sdxl-tiny/text_encoder": (CLIP_L, CLIPTextModel),
    "sdxl-tiny/text_encoder_2": (CLIP_G, CLIPTextModelWithProjection),
    "taesd-tiny": (TAESD, AutoencoderTiny),
}
# Both models carry the same CLIP-L, as SD 1.5 and SDXL do.
SEED_AS = {"sdxl-tiny/text_encoder": "sd15-tiny/text_encoder"}
# Layers that need more or less than unit gain: sharp attention, a latent of realistic size, pictures
# that mostly stay inside [-1, 1], text vectors that differ between tokens.
GAINS = [
    ("to_q.weight", 1.8), ("to_k.weight", 1.8), ("q_proj.weight", 1.6), ("k_proj.weight", 1.6),
    ("time_embedding.linear_1.weight", 1.5), ("time_embedding.linear_2.weight", 1.5),
    ("decoder.conv_out.weight", 0.45), ("decoder.layers.14.weight", 0.3), ("embedding.weight", None),
]


def build(folder):
    """An untrained module for @folder, float32, eager attention so that nothing fused takes part."""
    config, cls = PARTS[folder]
    if cls in (CLIPTextModel, CLIPTextModelWithProjection):
        module = cls(CLIPTextConfig(**{k: v for k, v in config.items() if k != "torch_dtype"}))
        module.set_attn_implementation("eager")
    else:
        module = cls.from_config({k: v for k, v in config.items() if not k.startswith("_")})
        if cls is not AutoencoderTiny:
            module.set_default_attn_processor()
    return module.eval()


def draw(folder, name, value, is_norm):
    """One seeded weight: norms near 1, biases clearly not 0, matrices scaled by their fan-in."""
    n = common.normal(f"{folder}/{name}", *value.shape)
    if name.endswith("bias"):
        return 0.15 * n
    if is_norm:
        return 1 + 0.2 * n
    if "embedding.weight" in name:
        return 0.6 * n
    gain = next((g for end, g in GAINS if name.endswith(end)), 1.1)
    return gain * n / value[0].numel() ** 0.5


def randomise(folder, module):
    norms = {k for k, m in module.named_modules() if type(m).__name__ in ("GroupNorm", "LayerNorm")}
    state = {}
    for name, value in module.state_dict().items():
        state[name] = draw(SEED_AS.get(folder, folder), name, value, name.rsplit(".", 1)[0] in norms)
    if isinstance(module, AutoencoderKL):
        scale = PARTS[folder][0]["scaling_factor"]
        state["quant_conv.weight"][:4] *= 0.8 / scale
        state["post_quant_conv.weight"] *= scale
    if isinstance(module, UNet2DConditionModel):
        open_last_skip(module, state)
    module.load_state_dict({k: v.half().float() for k, v in state.items()})


def open_last_skip(unet, state):
    """Let conv_in's output pass to the last block, so that the head can see the noise (fit_head)."""
    last = f"up_blocks.{len(unet.up_blocks) - 1}.resnets.{len(unet.up_blocks[-1].resnets) - 1}."
    n = unet.config.block_out_channels[0]
    state[last + "conv_shortcut.weight"][:, -n:] *= 4
    state[last + "conv2.weight"] *= 0.5
    for name in (k for k in state if k.startswith(f"up_blocks.{len(unet.up_blocks) - 1}.attentions.")):
        if name.endswith("proj_out.weight") and name.split(".")[3] == last.split(".")[3]:
            state[name] *= 0.5


def fit_head(folder, unet):
    """Fit conv_out by least squares so that the random UNet roughly predicts the noise in its input.

    Without this the latent would never shrink and the decoder would only see numbers far outside
    its range. A random share is kept so that the prompt still matters.
    """
    config = PARTS[folder][0]
    n, alphas = 48, torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)
    t = torch.linspace(5, 999, n).long()
    a = alphas[t].reshape(n, 1, 1, 1)
    clean = torch.nn.functional.interpolate(common.normal(folder + "/clean", n, 4, 3, 4), (8, 10), mode="bicubic")
    noise = common.normal(folder + "/noise", n, 4, 8, 10)
    x = a.sqrt() * clean + (1 - a).sqrt() * noise
    if config["in_channels"] == 9:
        x = torch.cat([x, (common.normal(folder + "/mask", n, 1, 8, 10) > 0).float(), clean], 1)
    more = {}
    if "addition_embed_type" in config:
        more = dict(
            text_embeds=common.normal(folder + "/pooled", n, CLIP_G["projection_dim"]),
            time_ids=torch.tensor([[16.0, 24.0, 0.0, 0.0, 16.0, 24.0]]).repeat(n, 1),
        )
    features = []
    hook = unet.conv_out.register_forward_pre_hook(lambda _m, args: features.append(args[0]))
    context = common.normal(folder + "/context", n, 77, config["cross_attention_dim"])
    unet(x, t, context, added_cond_kwargs=more or None)
    hook.remove()
    columns = torch.nn.functional.unfold(features[0], 3, padding=1).transpose(1, 2).flatten(0, 1).double()
    columns = torch.cat([columns, torch.ones(len(columns), 1, dtype=torch.float64)], 1)
    target = noise.flatten(2).transpose(1, 2).flatten(0, 1).double()
    gram = columns.T @ columns + 30.0 * torch.eye(columns.shape[1], dtype=torch.float64)
    fitted = torch.linalg.solve(gram, columns.T @ target).T.float()
    weight = fitted[:, :-1].reshape(unet.conv_out.weight.shape) + 0.25 * unet.conv_out.weight
    unet.conv_out.weight.copy_(weight.half().float())
    unet.conv_out.bias.copy_(fitted[:, -1].half().float())
    error = unet(x, t, context, added_cond_kwargs=more or None).sample - noise
    print(f"{folder}: noise error {error.std():.3f}, {error[n // 2:].std():.3f} at late steps")


def published_names(module):
    """Half precision state under the names of published files (transformers 5 drops `text_model.`)."""
    state = {k: v.half().contiguous() for k, v in module.state_dict().items()}
    if isinstance(module, CLIPTextModel) and not any(k.startswith("text_model.") for k in state):
        state = layouts.with_prefix("text_model.", state)
    return state


def weights_file(folder):
    return "model.safetensors" if "text_encoder" in folder else "diffusion_pytorch_model.safetensors"


def write_safetensors(path, state, metadata=None):
    path = common.FIXTURES / path
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(sorted(state.items())), str(path), metadata=metadata)
    path.chmod(0o644)


def write_part(folder):
    module = build(folder)
    randomise(folder, module)
    if isinstance(module, UNet2DConditionModel):
        fit_head(folder, module)
    state = published_names(module)
    write_safetensors(f"{folder}/{weights_file(folder)}", state, {"format": "pt"})
    common.save_json(f"{folder}/config.json", PARTS[folder][0])
    return state


def load(folder):
    """The module of @folder with the weights of its file, in float32."""
    module = build(folder)
    state = load_file(str(common.FIXTURES / folder / weights_file(folder)))
    if isinstance(module, CLIPTextModel) and next(iter(module.state_dict())).startswith("embeddings."):
        state = {k.removeprefix("text_model."): v for k, v in state.items()}
    module.load_state_dict({k: v.float() for k, v in state.items()}, strict=True)
    return module


def write_tokenizer(folder, pad):
    common.save_json(
        f"{folder}/tokenizer_config.json",
        dict(
            tokenizer_class="CLIPTokenizer", model_max_length=77, do_lower_case=True, add_prefix_space=False,
            bos_token="<|startoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>", pad_token=pad,
        ),
    )
    common.save_json(
        f"{folder}/special_tokens_map.json",
        dict(
            bos_token="<|startoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>", pad_token=pad,
        ),
    )
    for name in ("vocab.json", "merges.txt"):
        shutil.copyfile(common.VOCABULARY / name, common.FIXTURES / folder / name)


def write_index(folder, cls, parts):
    libraries = {k: (["transformers", v] if "CLIP" in v else ["diffusers", v]) for k, v in parts.items()}
    extra = dict(safety_checker=[None, None], feature_extractor=[None, None], requires_safety_checker=False)
    if "XL" in cls:
        extra = dict(force_zeros_for_empty_prompt=True)
    common.save_json(
        f"{folder}/model_index.json", dict(_class_name=cls, _diffusers_version=VERSION, **libraries, **extra)
    )


def ldm_extras(n_steps=1000):
    """Entries of real checkpoints that a reader has to ignore."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, n_steps, dtype=torch.float64) ** 2
    return {"betas": betas.float(), "alphas_cumprod": torch.cumprod(1 - betas, 0).float()}


def write_single_files(parts):
    """The two models as one LDM-layout file each."""
    ids = torch.arange(77)[None]
    sd15 = {
        **layouts.with_prefix("model.diffusion_model.", layouts.unet(parts["sd15-tiny/unet"], SD15_UNET)),
        **layouts.with_prefix("first_stage_model.", layouts.vae(parts["sd15-tiny/vae"], SD15_VAE)),
        **layouts.with_prefix("cond_stage_model.transformer.", parts["sd15-tiny/text_encoder"]),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": ids,
        **ldm_extras(),
    }
    sdxl = {
        **layouts.with_prefix("model.diffusion_model.", layouts.unet(parts["sdxl-tiny/unet"], SDXL_UNET)),
        **layouts.with_prefix("first_stage_model.", layouts.vae(parts["sdxl-tiny/vae"], SDXL_VAE)),
        **layouts.with_prefix("conditioner.embedders.0.transformer.", parts["sdxl-tiny/text_encoder"]),
        **layouts.with_prefix("conditioner.embedders.1.model.", layouts.open_clip(parts["sdxl-tiny/text_encoder_2"])),
        "conditioner.embedders.0.transformer.text_model.embeddings.position_ids": ids,
        "conditioner.embedders.1.model.logit_scale": torch.tensor(4.6052),
    }
    layouts.check(sd15, parts["sd15-tiny/unet"], SD15_UNET, parts["sd15-tiny/vae"], SD15_VAE)
    layouts.check(sdxl, parts["sdxl-tiny/unet"], SDXL_UNET, parts["sdxl-tiny/vae"], SDXL_VAE)
    for name, state in (("sd15", sd15), ("sdxl", sdxl)):
        write_safetensors(f"{name}-tiny-ldm.safetensors", {k: v.contiguous() for k, v in state.items()})
    return sd15, sdxl


def write_ckpt(sd15):
    """A Lightning-like zip checkpoint: a part of the model, with what loaders trip over."""
    keep = ("first_stage_model.encoder.mid.", "cond_stage_model.transformer.text_model.encoder.layers.0.")
    state = {k: v for k, v in sd15.items() if k.startswith(keep)}
    state["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    # Two views of one storage at different offsets, and a transposed (non-contiguous) view.
    base = common.normal("ckpt/shared", 48)
    state["shared.first"], state["shared.second"] = base[:16].reshape(4, 4), base[16:].reshape(4, 8)
    state["shared.transposed"] = base[16:].reshape(4, 8).T
    state["kinds.bf16"] = common.normal("ckpt/bf16", 5).bfloat16()
    state["kinds.f64"] = common.normal("ckpt/f64", 3).double()
    state["kinds.u8"] = torch.tensor([0, 127, 255], dtype=torch.uint8)
    state["kinds.bool"] = torch.tensor([True, False, True])
    state["kinds.parameter"] = torch.nn.Parameter(common.normal("ckpt/parameter", 2, 3).half(), requires_grad=False)
    whole = {
        "epoch": 3, "global_step": 470000, "pytorch-lightning_version": "1.4.2", "state_dict": state,
        "callbacks": {"best_model_score": None, "best_model_path": ""}, "optimizer_states": [], "lr": 1e-4,
    }
    torch.save(whole, common.FIXTURES / "sd15-tiny-part.ckpt")
    write_safetensors("sd15-tiny-part.ckpt.expect.safetensors", {k: v.detach().contiguous().clone() for k, v in state.items()})
    back = torch.load(common.FIXTURES / "sd15-tiny-part.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(back[k], state[k]) for k in state)


TYPED = {torch.float16: "HalfStorage", torch.float32: "FloatStorage"}


class LegacyPickler(pickle.Pickler):
    """Pickles as torch < 1.6 did, but names storages by their order instead of their address."""

    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.storages = {}

    def persistent_id(self, value):
        if not isinstance(value, torch.storage.TypedStorage):
            return None
        index = self.storages.setdefault(value._cdata, (str(len(self.storages)), value))[0]
        kind = getattr(torch, TYPED[value.dtype])
        return ("storage", kind, index, "cpu", value.size(), None)


def write_legacy(path, value):
    with open(common.FIXTURES / path, "wb") as file:
        pickle.dump(0x1950A86A20F9469CFC6C, file, protocol=2)
        pickle.dump(1001, file, protocol=2)
        sizes = dict(short=2, int=4, long=4)
        pickle.dump(dict(protocol_version=1001, little_endian=True, type_sizes=sizes), file, protocol=2)
        pickler = LegacyPickler(file)
        pickler.dump(value)
        by_key = dict(pickler.storages.values())
        pickle.dump(sorted(by_key), file, protocol=2)
        for key in sorted(by_key):
            storage = by_key[key].untyped()
            file.write(struct.pack("<q", by_key[key].size()))
            file.write(bytes(storage))


def write_sharded(state):
    """The tiny decoder as two shards with an index, the way diffusers splits large parts."""
    folder, names = "taesd-tiny-sharded", sorted(state)
    half, shards = len(names) // 2, {}
    for i, part in enumerate((names[:half], names[half:]), 1):
        shard = f"diffusion_pytorch_model-{i:05d}-of-00002.safetensors"
        write_safetensors(f"{folder}/{shard}", {k: state[k] for k in part}, {"format": "pt"})
        shards.update({k: shard for k in part})
    size = sum(v.numel() * v.element_size() for v in state.values())
    common.save_json(
        f"{folder}/diffusion_pytorch_model.safetensors.index.json",
        dict(metadata=dict(total_size=size), weight_map=shards),
    )
    common.save_json(f"{folder}/config.json", TAESD)


def export():
    parts = {folder: write_part(folder) for folder in PARTS}
    sd15 = dict(
        vae="AutoencoderKL", text_encoder="CLIPTextModel", tokenizer="CLIPTokenizer",
        unet="UNet2DConditionModel", scheduler="PNDMScheduler",
    )
    sdxl = dict(
        sd15, text_encoder_2="CLIPTextModelWithProjection", tokenizer_2="CLIPTokenizer",
        scheduler="EulerDiscreteScheduler",
    )
    write_index("sd15-tiny", "StableDiffusionPipeline", sd15)
    write_index("sdxl-tiny", "StableDiffusionXLPipeline", sdxl)
    for folder, config in SCHEDULERS.items():
        common.save_json(f"{folder}/scheduler/scheduler_config.json", config)
    write_tokenizer("sd15-tiny/tokenizer", "<|endoftext|>")
    write_tokenizer("sdxl-tiny/tokenizer", "<|endoftext|>")
    write_tokenizer("sdxl-tiny/tokenizer_2", "!")
    sd15_ldm, _ = write_single_files(parts)
    write_ckpt(sd15_ldm)
    tiny = layouts.taesd(parts["taesd-tiny"])
    write_safetensors("taesd-tiny-original.safetensors", tiny)
    write_legacy("taesd-tiny-decoder-legacy.pt", {
        k.removeprefix("taesd_decoder."): v for k, v in tiny.items() if k.startswith("taesd_decoder.")
    })
    back = torch.load(common.FIXTURES / "taesd-tiny-decoder-legacy.pt", weights_only=True)
    assert all(torch.equal(v, tiny["taesd_decoder." + k]) for k, v in back.items())
    write_sharded(parts["taesd-tiny"])
    for folder in PARTS:
        load(folder)
    print(f"models: {len(PARTS)} parts")
