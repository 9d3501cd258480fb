# SPDX-License-Identifier: MPL-2.0
"""An all-in-one FLUX.1 file: transformer, CLIP-L, T5 and VAE as ComfyUI's checkpoints hold them.

A single file says neither how many heads a small CLIP has nor which vocabulary it was made for, so heads are 64 wide, the
VAE has 32 groups and both encoders know the published vocabularies.  Of their two large tables only the rows that the prompt
reads are kept, beside how many there are and their numbers; golden.c makes the whole file of it, with zeros in the other rows.
"""

import sentencepiece
import torch
from diffusers import AutoencoderKL, FluxPipeline, FluxTransformer2DModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizerFast, T5Config, T5EncoderModel

import common
import flux_models
import layouts
import pipeline_cases
import tiny_models
import transformer_cases

NAME = "flux/all-in-one"
PROMPT = "a red fox in the snow"
CLIP_ROWS, T5_ROWS, T5_LENGTH = 49408, 32128, 32
TRANSFORMER = dict(
    patch_size=1, in_channels=16, out_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=32,
    num_attention_heads=2, joint_attention_dim=24, pooled_projection_dim=64, guidance_embeds=True, axes_dims_rope=[4, 14, 14],
)
VAE = dict(
    in_channels=3, out_channels=3, latent_channels=4, norm_num_groups=32, block_out_channels=[32, 32], layers_per_block=1,
    down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2, scaling_factor=0.3611,
    shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False,
)
CLIP = dict(
    vocab_size=CLIP_ROWS, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=1,
    max_position_embeddings=77, hidden_act="quick_gelu", bos_token_id=49406, eos_token_id=49407, pad_token_id=49407,
    projection_dim=64,
)
T5 = dict(
    vocab_size=T5_ROWS, d_model=24, d_kv=8, d_ff=40, num_layers=2, num_heads=3, relative_attention_num_buckets=32,
    relative_attention_max_distance=128, dropout_rate=0.0, feed_forward_proj="gated-gelu", is_encoder_decoder=False,
)
TABLES = {
    "text_encoders.clip_l.transformer.text_model.embeddings.token_embedding.weight": CLIP_ROWS,
    "text_encoders.t5xxl.transformer.shared.weight": T5_ROWS,
}


def clip_ids():
    """CLIP's vocabulary is its merges': letters, letters that end a word, what merges make, two marks."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    lines = (common.FIXTURES.parents[2] / "data/tokenizers/clip/merges.txt").read_text(encoding="utf-8").splitlines()
    merges = [tuple(line.split()) for line in lines[1:] if line]
    letters = list(bytes_to_unicode().values())
    words = letters + [x + "</w>" for x in letters] + ["".join(m) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizerFast(vocab={w: i for i, w in enumerate(words)}, merges=merges)
    ids = tokenizer(PROMPT, add_special_tokens=False)["input_ids"]
    assert len(words) == CLIP_ROWS and len(ids) == 6, (len(words), ids)
    ids = [CLIP["bos_token_id"], *ids]
    return torch.tensor([ids + [CLIP["eos_token_id"]] * (77 - len(ids))])


def t5_ids():
    model = sentencepiece.SentencePieceProcessor(str(common.FIXTURES.parents[2] / "data/tokenizers/t5/spiece.model"))
    ids = model.encode(PROMPT) + [1]
    return torch.tensor([ids + [0] * (T5_LENGTH - len(ids))])


def randomise(name, module, used):
    """Rows of the table that nobody reads are zeros."""
    state = {}
    for key, value in module.state_dict().items():
        v = flux_models.draw("flux-one/" + name, key, value)
        if "embedding" in key and value.ndim == 2:
            v = 0.1 * v
        if used is not None and len(value) in (CLIP_ROWS, T5_ROWS):
            kept = torch.zeros_like(v)
            kept[used] = v[used]
            v = kept
        state[key] = v.half().float()
    if "encoder.embed_tokens.weight" in state:
        state["encoder.embed_tokens.weight"] = state["shared.weight"]
    module.load_state_dict(state)
    return module.eval()


def export(store):
    """Returns: the case"""
    import flux_cases  # which calls this

    ids = {CLIP_ROWS: clip_ids(), T5_ROWS: t5_ids()}
    clip_module = CLIPTextModel(CLIPTextConfig(**CLIP))
    t5_module = T5EncoderModel(T5Config(**T5))
    t5_module.set_attn_implementation("eager")
    transformer = randomise("transformer", FluxTransformer2DModel(**TRANSFORMER), None)
    vae = randomise("vae", AutoencoderKL(**VAE), None)
    clip = randomise("clip", clip_module, ids[CLIP_ROWS].unique())
    t5 = randomise("t5", t5_module, ids[T5_ROWS].unique())
    case = flux_cases.make_case("all-in-one", "flux-one", max_tokens=T5_LENGTH, one_file=True)
    with torch.no_grad():
        pooled = clip(ids[CLIP_ROWS]).pooler_output
        states = t5(ids[T5_ROWS])[0]
        pipe = FluxPipeline(flux_cases.make_scheduler(case), vae, None, None, None, None, transformer)
        pipe.set_progress_bar_config(disable=True)
        generators = [torch.Generator("cpu").manual_seed(s) for s in case["seeds"]]
        saved = pipeline_cases.patched(pipe, pipeline_cases.Noise(generators))
        packed = pipe(
            prompt_embeds=states, pooled_prompt_embeds=pooled, generator=generators, num_inference_steps=case["steps"],
            height=case["height"], width=case["width"], guidance_scale=case["distilled"], output_type="latent",
        ).images
        for module, attribute, value in saved:
            setattr(module, attribute, value)
        latent = pipe._unpack_latents(packed, case["height"], case["width"], pipe.vae_scale_factor)
        image = vae.decode(latent / vae.config.scaling_factor + vae.config.shift_factor).sample
    store[NAME + ".latent"], store[NAME + ".image"] = latent, (image / 2 + 0.5).clamp(0, 1)
    case["latent_std"] = round(float(latent.std()), 3)
    text = {k if k.startswith("text_model.") else "text_model." + k: v for k, v in clip.state_dict().items()}
    text = {k: v for k, v in text.items() if "position_ids" not in k}
    encoder = {k: v for k, v in t5.state_dict().items() if k != "encoder.embed_tokens.weight"}
    whole = {
        **layouts.with_prefix("model.diffusion_model.", transformer_cases.bfl(transformer.state_dict(), TRANSFORMER)),
        **layouts.with_prefix("text_encoders.clip_l.transformer.", text),
        **layouts.with_prefix("text_encoders.t5xxl.transformer.", encoder),
        **layouts.with_prefix("vae.", layouts.vae(vae.state_dict(), VAE)),
    }
    for name, n_rows in TABLES.items():
        used = ids[n_rows].unique()
        whole[name] = whole[name][used]
        whole[name + ".rows"] = torch.cat([torch.tensor([n_rows]), used]).int()
    tiny_models.write_safetensors(
        "flux-one.safetensors", {k: v.contiguous() if v.dtype == torch.int32 else v.half().contiguous() for k, v in whole.items()},
    )
    return case
