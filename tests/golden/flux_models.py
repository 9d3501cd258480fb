# SPDX-License-Identifier: MPL-2.0
"""Small FLUX.1 models with seeded random weights, as diffusers folders and as one file."""

import json
import os

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import T5Config, T5EncoderModel, T5TokenizerFast

import common
import tiny_models

VERSION = tiny_models.VERSION
TRANSFORMER = dict(
    _class_name="FluxTransformer2DModel", _diffusers_version=VERSION, patch_size=1, in_channels=16, out_channels=16,
    num_layers=2, num_single_layers=2, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=24,
    pooled_projection_dim=32, guidance_embeds=True, axes_dims_rope=[4, 4, 8],
)
VAE = dict(
    _class_name="AutoencoderKL", _diffusers_version=VERSION, sample_size=16, in_channels=3, out_channels=3,
    latent_channels=4, act_fn="silu", norm_num_groups=8, block_out_channels=[16, 32], layers_per_block=1,
    down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
    scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False, mid_block_add_attention=True,
)
T5 = dict(
    architectures=["T5EncoderModel"], model_type="t5", vocab_size=192, d_model=24, d_kv=8, d_ff=40, num_layers=2,
    num_heads=3, relative_attention_num_buckets=32, relative_attention_max_distance=128, dropout_rate=0.0,
    layer_norm_epsilon=1e-6, feed_forward_proj="gated-gelu", is_encoder_decoder=True, pad_token_id=0, eos_token_id=1,
    tie_word_embeddings=False, dense_act_fn="gelu_new", is_gated_act=True, torch_dtype="float16",
)
DYNAMIC = dict(
    _class_name="FlowMatchEulerDiscreteScheduler", _diffusers_version=VERSION, num_train_timesteps=1000, shift=3.0,
    use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15, base_image_seq_len=256, max_image_seq_len=4096,
)
STATIC = dict(DYNAMIC, shift=1.0, use_dynamic_shifting=False)
# Fill: noise, picture without its masked part, and the mask's pixels: 2 x 2 for each latent pixel, 4 for a token
PARTS = {
    "flux-tiny/transformer": (TRANSFORMER, FluxTransformer2DModel),
    "flux-tiny/vae": (VAE, AutoencoderKL),
    "flux-tiny/text_encoder_2": (T5, T5EncoderModel),
    "flux-tiny-schnell/transformer": (dict(TRANSFORMER, guidance_embeds=False), FluxTransformer2DModel),
    "flux-tiny-fill/transformer": (dict(TRANSFORMER, in_channels=48), FluxTransformer2DModel),
    "flux-tiny-control/transformer": (dict(TRANSFORMER, in_channels=32), FluxTransformer2DModel),
}
WORDS = (
    "a the of in red fox snow blurry text wide painting old harbour town under clear evening sky with many small boats "
    "and people walking home along water while lamps houses light up one after another far away behind there are"
)


def build(folder):
    config, cls = PARTS[folder]
    if cls is T5EncoderModel:
        module = cls(T5Config(**{k: v for k, v in config.items() if k != "torch_dtype"}))
        module.set_attn_implementation("eager")
    else:
        module = cls.from_config({k: v for k, v in config.items() if not k.startswith("_")})
    return module.eval()


def draw(folder, name, value):
    """Vectors are norms or biases; tables of embeddings have no fan-in."""
    n = common.normal(f"{folder}/{name}", *value.shape)
    if name.endswith("bias"):
        return 0.15 * n
    if value.ndim == 1:
        return 1 + 0.2 * n
    if "shared" in name or "embed_tokens" in name or "relative_attention_bias" in name:
        return 0.6 * n
    gain = 0.45 if "decoder.conv_out" in name else 0.5 if ".linear." in name and "norm" in name else 1.1
    return gain * n / value[0].numel() ** 0.5


def randomise(folder, module):
    state = {k: draw(folder, k, v).half().float() for k, v in module.state_dict().items()}
    if "encoder.embed_tokens.weight" in state:
        state["encoder.embed_tokens.weight"] = state["shared.weight"]
    module.load_state_dict(state)


def load(folder):
    """The module of @folder with the weights of its file, in float32."""
    module = build(folder)
    state = load_file(str(common.FIXTURES / folder / tiny_models.weights_file(folder)))
    state = {k: v.float() for k, v in state.items()}
    if "shared.weight" in state:
        state["encoder.embed_tokens.weight"] = state["shared.weight"]
    module.load_state_dict(state, strict=True)
    return module


def write_part(folder):
    module = build(folder)
    randomise(folder, module)
    state = {k: v.half().contiguous() for k, v in module.state_dict().items() if k != "encoder.embed_tokens.weight"}
    tiny_models.write_safetensors(f"{folder}/{tiny_models.weights_file(folder)}", state, {"format": "pt"})
    common.save_json(f"{folder}/config.json", PARTS[folder][0])


def pieces():
    """Letters and a few words, scored so that words win: T5's vocabulary has the same form."""
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + ["\u2581", ",", ".", "A"]
    words = ["\u2581" + w for w in WORDS.split()]
    names = ["<pad>", "</s>", "<unk>"]
    vocabulary = [(name, 0.0) for name in names] + [(w, -3.0 - 0.05 * i) for i, w in enumerate(words)]
    return vocabulary + [(c, -8.0 - 0.02 * i) for i, c in enumerate(letters)]


def write_tokenizer(folder):
    tokenizer = Tokenizer(models.Unigram(pieces(), unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    path = common.FIXTURES / folder
    path.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path / "tokenizer.json"))
    config = json.loads((path / "tokenizer.json").read_text())
    common.save_json(f"{folder}/tokenizer.json", config)
    common.save_json(
        f"{folder}/tokenizer_config.json",
        dict(tokenizer_class="T5Tokenizer", model_max_length=512, eos_token="</s>", unk_token="<unk>", pad_token="<pad>", extra_ids=0),
    )


def tokenizer(folder="flux-tiny/tokenizer_2"):
    """The reference's; transformers' T5TokenizerFast around our small vocabulary."""
    return T5TokenizerFast(
        tokenizer_object=Tokenizer.from_file(str(common.FIXTURES / folder / "tokenizer.json")),
        eos_token="</s>", unk_token="<unk>", pad_token="<pad>", extra_ids=0, model_max_length=512,
    )


def link(folder, part, target):
    path = common.FIXTURES / folder / part
    if path.is_symlink():
        path.unlink()
    os.symlink(target, path)


def write_index(folder, cls):
    common.save_json(
        f"{folder}/model_index.json",
        dict(
            _class_name=cls, _diffusers_version=VERSION, scheduler=["diffusers", "FlowMatchEulerDiscreteScheduler"],
            text_encoder=["transformers", "CLIPTextModel"], text_encoder_2=["transformers", "T5EncoderModel"],
            tokenizer=["transformers", "CLIPTokenizer"], tokenizer_2=["transformers", "T5TokenizerFast"],
            transformer=["diffusers", "FluxTransformer2DModel"], vae=["diffusers", "AutoencoderKL"],
        ),
    )


def export():
    for folder in PARTS:
        write_part(folder)
    write_tokenizer("flux-tiny/tokenizer_2")
    for folder in {name.partition("/")[0] for name in PARTS}:
        for part in ("text_encoder", "tokenizer"):  # the same CLIP-L as SD 1.5's, as it is with the real ones
            link(folder, part, f"../sd15-tiny/{part}")
        for part in ("text_encoder_2", "tokenizer_2", "vae"):
            if folder != "flux-tiny":
                link(folder, part, f"../flux-tiny/{part}")
    for folder, cls, scheduler in (
        ("flux-tiny", "FluxPipeline", DYNAMIC),
        ("flux-tiny-schnell", "FluxPipeline", STATIC),
        ("flux-tiny-fill", "FluxFillPipeline", DYNAMIC),
        ("flux-tiny-control", "FluxControlPipeline", DYNAMIC),
    ):
        common.save_json(f"{folder}/scheduler/scheduler_config.json", scheduler)
        write_index(folder, cls)
    print(f"FLUX models: {len(PARTS)} parts")
