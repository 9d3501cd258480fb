# SPDX-License-Identifier: MPL-2.0
"""Whole clips by diffusers' Wan pipelines with small models, from prompt to final latent.

`wan-tiny` has two experts, `wan-tiny-i2v` reads a mask and known frames, `wan-tiny-ti2v` has a time for each frame;
`wan-tiny-i2v21` and `wan-tiny-flf` look at pictures through CLIP, too.  VAE, umT5 and tokenizer are those of the first.
"""

import torch
from diffusers import (
    AutoencoderKLWan,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)
from PIL import Image, ImageOps
from transformers import UMT5Config, UMT5EncoderModel

import common
import flux_models
import pipeline_cases
import tiny_models
import vision_cases
import wan_models

PROMPT, NEGATIVE = "a red fox  in the &lt;snow", "blurry, text"
Z = 4
TRANSFORMER = dict(
    wan_models.T2V, num_attention_heads=2, attention_head_dim=16, in_channels=Z, out_channels=Z, text_dim=24, ffn_dim=48,
)
VAE = dict(
    _class_name="AutoencoderKLWan", _diffusers_version=tiny_models.VERSION, base_dim=4, z_dim=Z, dim_mult=[1, 1, 2, 2],
    num_res_blocks=1, attn_scales=[], temperal_downsample=[False, True, True], dropout=0.0,
    latents_mean=[-0.25, 0.5, 0.125, -0.5], latents_std=[1.5, 0.75, 1.25, 2.0],
)
T5 = {k: v for k, v in dict(flux_models.T5, architectures=["UMT5EncoderModel"], model_type="umt5").items() if k != "torch_dtype"}
SCHEDULER = dict(
    _class_name="UniPCMultistepScheduler", _diffusers_version=tiny_models.VERSION, num_train_timesteps=1000, solver_order=2,
    solver_type="bh2", prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, beta_start=0.0001,
    beta_end=0.02, beta_schedule="linear", timestep_spacing="linspace", final_sigmas_type="zero",
)
LOOKING = dict(TRANSFORMER, in_channels=2 * Z + 4, image_dim=vision_cases.SMALL["hidden_size"], added_kv_proj_dim=32)
MODELS = {
    "wan-tiny": (TRANSFORMER, "WanPipeline", dict(boundary_ratio=0.875)),
    "wan-tiny-i2v": (dict(TRANSFORMER, in_channels=2 * Z + 4), "WanImageToVideoPipeline", dict(boundary_ratio=0.9)),
    "wan-tiny-ti2v": (TRANSFORMER, "WanPipeline", dict(expand_timesteps=True)),
    "wan-tiny-i2v21": (LOOKING, "WanImageToVideoPipeline", {}),
    "wan-tiny-flf": (dict(LOOKING, pos_embed_seq_len=2 * 10), "WanImageToVideoPipeline", {}),
}
SHARED = ("vae", "text_encoder", "tokenizer")


def experts(name):
    return ("transformer", "transformer_2") if "boundary_ratio" in MODELS[name][2] else ("transformer",)


def draw_vae(name, value):
    n = common.normal(name, *value.shape)
    if name.endswith("bias"):
        return 0.1 * n
    if name.endswith("gamma"):
        return 1 + 0.2 * n
    return n / value[0].numel() ** 0.5


def write_vae():
    module = AutoencoderKLWan.from_config({k: v for k, v in VAE.items() if not k.startswith("_")}).eval()
    state = {k: draw_vae(f"wan-tiny/vae/{k}", v).half() for k, v in module.state_dict().items()}
    module.load_state_dict({k: v.float() for k, v in state.items()})
    wan_models.save_folder("wan-tiny/vae", VAE, state)
    return module


def write_encoder():
    module = UMT5EncoderModel(UMT5Config(**T5)).eval()
    module.set_attn_implementation("eager")
    state = {k: flux_models.draw("wan-tiny/text_encoder", k, v).half() for k, v in module.state_dict().items()}
    state["encoder.embed_tokens.weight"] = state["shared.weight"]
    module.load_state_dict({k: v.float() for k, v in state.items()})
    state = {k: v for k, v in state.items() if k != "encoder.embed_tokens.weight"}
    tiny_models.write_safetensors("wan-tiny/text_encoder/model.safetensors", state, {"format": "pt"})
    common.save_json("wan-tiny/text_encoder/config.json", T5)
    return module


def write_models():
    modules = {"vae": write_vae(), "text_encoder": write_encoder()}
    flux_models.write_tokenizer("wan-tiny/tokenizer")
    for name, (config, cls, options) in MODELS.items():
        for part in experts(name):
            module, state = wan_models.make(f"{name}/{part}", config)
            wan_models.save_folder(f"{name}/{part}", config, state)
            modules[f"{name}/{part}"] = module
        index = dict(_class_name=cls, _diffusers_version=tiny_models.VERSION, **options)
        for part, kind in (
            ("scheduler", ["diffusers", "UniPCMultistepScheduler"]), ("text_encoder", ["transformers", "UMT5EncoderModel"]),
            ("tokenizer", ["transformers", "T5TokenizerFast"]), ("vae", ["diffusers", "AutoencoderKLWan"]),
            *((part, ["diffusers", "WanTransformer3DModel"]) for part in experts(name)),
        ):
            index[part] = kind
        common.save_json(f"{name}/model_index.json", index)
        common.save_json(f"{name}/scheduler/scheduler_config.json", SCHEDULER)
        for part in SHARED:
            if name != "wan-tiny":
                flux_models.link(name, part, f"../wan-tiny/{part}")
        if config["image_dim"]:
            index["image_encoder"] = ["transformers", "CLIPVisionModel"]
            index["image_processor"] = ["transformers", "CLIPImageProcessor"]
            flux_models.link(name, "image_encoder", "../vision/hf")
            common.save_json(f"{name}/model_index.json", index)
    modules["image_encoder"], _ = vision_cases.make("hf", vision_cases.SMALL)
    return modules


RANK, ALPHA = 3, 1.5
LOW_RANK = [
    "blocks.0.attn1.to_q", "blocks.0.attn2.to_out.0", "blocks.1.ffn.net.0.proj", "blocks.1.ffn.net.2", "blocks.1.attn2.to_k",
    "condition_embedder.text_embedder.linear_1",
]
DIFFS = [
    "blocks.0.norm2.weight", "blocks.1.attn1.norm_q.weight", "blocks.0.attn1.to_q.bias", "proj_out.weight",
    "condition_embedder.time_proj.bias", "blocks.1.scale_shift_table", "scale_shift_table",
]
LOOKING_LOW_RANK = [
    "blocks.0.attn2.add_k_proj", "blocks.1.attn2.add_v_proj", "condition_embedder.image_embedder.ff.net.0.proj",
    "blocks.1.ffn.net.2",
]
LOOKING_DIFFS = [
    "blocks.0.attn2.norm_added_k.weight", "blocks.1.attn2.add_v_proj.bias", "condition_embedder.image_embedder.norm1.weight",
    "condition_embedder.image_embedder.norm2.bias", "blocks.0.scale_shift_table", "patch_embedding.weight",
]
# file: (naming, which experts it is for, low-rank layers, whole differences); which experts the program reads from the name
LORAS = {
    "native_high_noise": ("native", ("transformer",), LOW_RANK, DIFFS),
    "kohya": ("kohya", ("transformer", "transformer_2"), LOW_RANK, []),
    "peft_LowNoise": ("peft", ("transformer_2",), LOW_RANK, []),
    "i2v_distill": ("native", ("transformer",), LOOKING_LOW_RANK, LOOKING_DIFFS),
    "i2v_fun": ("fun", ("transformer",), LOOKING_LOW_RANK, []),
}


def lora_key(naming, layer):
    original = wan_models.original_name(layer + ".").removesuffix(".")
    return {
        "native": f"diffusion_model.{original}", "kohya": "lora_unet_" + original.replace(".", "_"),
        "fun": "lora_unet__" + original.replace(".", "_"),
        "peft": f"transformer.{layer}",
    }[naming]


def write_lora(name, module):
    """Returns: what it adds to the weights, by name, with weight 1; those that the program rounds to float16 apart"""
    naming, _, low_rank, diffs = LORAS[name]
    state, tensors, beside, merged = module.state_dict(), {}, {}, {}
    down, up = ("lora_down", "lora_up") if naming in ("kohya", "fun") else ("lora_A", "lora_B")
    for layer in low_rank:
        n_out, n_in = state[layer + ".weight"].shape
        a = (common.normal(f"{name}.{layer}.a", RANK, n_in) / n_in**0.5).half()
        b = (0.5 * common.normal(f"{name}.{layer}.b", n_out, RANK)).half()
        key, scale = lora_key(naming, layer), 1.0
        tensors[f"{key}.{down}.weight"], tensors[f"{key}.{up}.weight"] = a, b
        if naming != "peft":
            tensors[f"{key}.alpha"], scale = torch.tensor(ALPHA).half(), ALPHA / RANK
        beside[layer + ".weight"] = scale * b.float() @ a.float()
    for full in diffs:
        layer, _, kind = full.rpartition(".")
        value = (0.1 * common.normal(f"{name}.{full}", *state[full].shape)).half()
        key, tail = lora_key(naming, layer), {"bias": ".diff_b", "weight": ".diff"}.get(kind)
        if tail is None:  # modulation stands beside layers: "blocks.0.diff_m", "head.diff_m"
            key, tail = lora_key(naming, full).removesuffix(".modulation"), ".diff_m"
        tensors[key + tail] = value
        merged[full] = value.float()
    tiny_models.write_safetensors(f"wan-loras/{name}.safetensors", {k: v.contiguous() for k, v in tensors.items()})
    return beside, merged


def apply_loras(case, modules):
    """Returns: the experts' own weights, to be put back"""
    saved = {}
    for part in experts(case["model"]) if case["adapters"] else ():
        module = modules[f"{case['model']}/{part}"]
        saved[module] = {k: v.clone() for k, v in module.state_dict().items()}
        state = module.state_dict()
        for path, weight in case["adapters"]:
            name = path.rpartition("/")[2].removesuffix(".safetensors")
            beside, merged = write_lora(name, module)
            if part not in LORAS[name][1]:
                continue
            for k, v in beside.items():
                state[k] += weight * v
            for k, v in merged.items():
                state[k] = state[k] + weight * v
                if v.ndim > 1:  # biases and norms stay f32
                    state[k] = state[k].half().float()
        module.load_state_dict(state)
    return saved


def make_scheduler(case):
    if case["sampler"] == "euler":
        return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=case["shift"])
    if case["sampler"] == "dpmpp_2m":
        return DPMSolverMultistepScheduler(
            num_train_timesteps=1000, algorithm_type="dpmsolver++", solver_order=2, prediction_type="flow_prediction",
            use_flow_sigmas=True, flow_shift=case["shift"],
        )
    return UniPCMultistepScheduler(**{k: v for k, v in dict(SCHEDULER, flow_shift=case["shift"]).items() if k[0] != "_"})


def make_pipeline(case, modules):
    name = case["model"]
    cls = WanImageToVideoPipeline if case["first"] else WanPipeline
    options = dict(MODELS[name][2])
    if cls is WanImageToVideoPipeline:
        looks = MODELS[name][0]["image_dim"]
        options.update(
            image_encoder=modules["image_encoder"] if looks else None,
            image_processor=vision_cases.processor(vision_cases.SIDE) if looks else None,
        )
    pipe = cls(
        tokenizer=flux_models.tokenizer("wan-tiny/tokenizer"), text_encoder=modules["text_encoder"], vae=modules["vae"],
        scheduler=make_scheduler(case), transformer=modules[f"{name}/transformer"],
        transformer_2=modules.get(f"{name}/transformer_2"), **options,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def run_case(case, modules, store):
    pipe, own = make_pipeline(case, modules), apply_loras(case, modules)
    generators = [torch.Generator("cpu").manual_seed(s) for s in case["seeds"]]
    n = case["batch"]
    args = dict(
        prompt=[case["prompt"]] * n, negative_prompt=[case["negative"]] * n, generator=generators if n > 1 else generators[0],
        num_inference_steps=case["steps"], height=case["height"], width=case["width"], num_frames=case["frames"],
        guidance_scale=case["cfg"], output_type="latent", max_sequence_length=case["max_tokens"],
    )
    if "boundary_ratio" in MODELS[case["model"]][2]:
        args.update(guidance_scale_2=case["cfg_2"])
    if case["first"] and MODELS[case["model"]][0]["image_dim"]:  # whose processor takes pictures
        args.update(image=Image.open(common.FIXTURES / case["first"]))
        if case["last"]:
            args.update(last_image=ImageOps.mirror(Image.open(common.FIXTURES / case["last"])))
    elif case["first"]:
        args.update(image=pipeline_cases.read_picture(case["first"]))
    if case["last"] and "last_image" not in args:
        args.update(last_image=pipeline_cases.read_picture(case["last"]).flip(-1))
    noise = pipeline_cases.Noise(generators)
    saved = pipeline_cases.patched(pipe, noise)
    if n == 1:
        args["generator"] = generators
    latent = pipe(**args).frames
    for module, attribute, value in saved:
        setattr(module, attribute, value)
    for module, state in own.items():
        module.load_state_dict(state)
    mean, std = (torch.tensor(VAE[k]).view(1, Z, 1, 1, 1) for k in ("latents_mean", "latents_std"))
    video = pipe.vae.decode(latent * std + mean).sample  # (n, 3, frames, h, w)
    case["latent_std"] = round(float(latent.std()), 3)
    assert torch.isfinite(latent).all(), case["name"]
    store[f"{case['name']}.latent"] = latent
    store[f"{case['name']}.image"] = (video.transpose(1, 2).flatten(0, 1) / 2 + 0.5).clamp(0, 1)
    return case


def make_case(name, model="wan-tiny", **changes):
    case = dict(
        name="wan/" + name, model=model, base=model, prompt=PROMPT, negative=NEGATIVE, emphasis="none",
        seed=3000 + len(name), batch=1, width=48, height=32, frames=9, steps=5, cfg=3.0, cfg_2=2.0, shift=3.0,
        boundary=MODELS[model][2].get("boundary_ratio", 0), max_tokens=64, rescale=0.0, sampler="unipc", schedule="linspace",
        prediction="flow", first=None, last=None, adapters=[],
    )
    case.update(changes)
    case["seeds"] = [case["seed"] + i for i in range(case["batch"])]
    return case


def cases():
    one, i2v, ti2v = "wan-tiny-ti2v", "wan-tiny-i2v", "wan-tiny-ti2v"
    yield make_case("t2v", one)
    yield make_case("no-guidance", one, cfg=1.0, cfg_2=1.0)
    yield make_case("one-frame", one, frames=1)
    yield make_case("batch", one, batch=2, frames=5)
    yield make_case("euler", one, sampler="euler", shift=5.0)
    yield make_case("dpmpp", one, sampler="dpmpp_2m", shift=5.0)
    yield make_case("dpmpp-long", one, sampler="dpmpp_2m", steps=17, frames=5)
    yield make_case("unipc-long", one, steps=17, shift=8.0, frames=5)
    yield make_case("two-experts", shift=12.0, steps=8)
    yield make_case("loras", shift=12.0, adapters=[[f"wan-loras/{k}.safetensors", w] for k, w in zip(LORAS, (1.0, 0.75, 0.5), strict=False)])
    yield make_case("i2v", i2v, first="init-48x32.png", shift=5.0, steps=6)
    yield make_case("first-last", i2v, first="init-48x32.png", last="init-48x32.png", frames=13, shift=5.0)
    looking = dict(first="init-48x32.png", shift=5.0, frames=5, max_tokens=wan_models.TOKENS)  # diffusers counts on 512
    yield make_case("i2v-2.1", "wan-tiny-i2v21", **looking)
    distilled = [[f"wan-loras/{k}.safetensors", w] for k, w in (("i2v_distill", 1.0), ("i2v_fun", 0.5))]
    yield make_case("loras-2.1", "wan-tiny-i2v21", adapters=distilled, **looking)
    yield make_case("first-last-2.1", "wan-tiny-flf", **dict(looking, last="init-48x32.png", shift=16.0))
    yield make_case("ti2v", ti2v, first="init-48x32.png", shift=5.0)


def export():
    modules = write_models()
    store = {}
    done = [run_case(case, modules, store) for case in cases()]
    common.save_tensors("wan-latents.safetensors", store)
    common.save_json("wan-cases.json", dict(cases=done))
    for c in done:
        print(f"  {c['name']:32} std {c['latent_std']}")
    print(f"Wan pipelines: {len(done)} cases")
