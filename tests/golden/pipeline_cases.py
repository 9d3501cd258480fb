# SPDX-License-Identifier: MPL-2.0
"""Whole generations by diffusers' pipelines with the small models, from prompt to final latent."""

import sys

import torch
from diffusers import (
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
)
from diffusers.schedulers import AysSchedules
from PIL import Image

import common
import conditioning
import sampler_cases
import tiny_models

PROMPT, NEGATIVE = "a red fox in the snow", "blurry, text"
MODELS = {
    "sd15-tiny": dict(
        txt2img=StableDiffusionPipeline, img2img=StableDiffusionImg2ImgPipeline, inpaint=StableDiffusionInpaintPipeline
    ),
    "sd15-tiny-inpaint": dict(inpaint=StableDiffusionInpaintPipeline),
    "sdxl-tiny": dict(
        txt2img=StableDiffusionXLPipeline, img2img=StableDiffusionXLImg2ImgPipeline,
        inpaint=StableDiffusionXLInpaintPipeline,
    ),
    "sdxl-tiny-inpaint": dict(inpaint=StableDiffusionXLInpaintPipeline),
}
# where text encoder and VAE come from
BASE = {"sd15-tiny-inpaint": "sd15-tiny", "sdxl-tiny-inpaint": "sdxl-tiny"}
FACTOR = {"sd15-tiny": 4, "sdxl-tiny": 2}  # by base
LATENT = (8, 12)  # height, width
DISTURB = 1e-5  # stands for the rounding of another implementation of the networks, see `drift`


def pictures():
    """A smooth colour picture and a mask for each latent-to-image factor, written as PNG."""
    for factor in (2, 4):
        height, width = LATENT[0] * factor, LATENT[1] * factor
        small = torch.rand(1, 3, 4, 6, generator=common.generator("picture"))
        picture = torch.nn.functional.interpolate(small, (height, width), mode="bilinear")[0]
        pixels = (picture.permute(1, 2, 0) * 255).round().byte().numpy()
        Image.fromarray(pixels).save(common.FIXTURES / f"init-{width}x{height}.png")
    # not aligned to the latent grid
    for factor, box in ((4, (slice(6, 27), slice(14, 38))), (2, (slice(3, 12), slice(7, 20)))):
        mask = torch.zeros(LATENT[0] * factor, LATENT[1] * factor, dtype=torch.uint8)
        mask[box] = 255
        Image.fromarray(mask.numpy()).save(common.FIXTURES / f"mask-{LATENT[1] * factor}x{LATENT[0] * factor}.png")


def read_picture(name):
    """PNG to (1, C, H, W) in [0, 1]."""
    import numpy as np

    pixels = torch.from_numpy(np.array(Image.open(common.FIXTURES / name)))
    pixels = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
    return pixels[None].float() / 255


class Noise:
    """Records what the pipeline and the scheduler draw from the generators of the images."""

    def __init__(self, generators):
        self.generators, self.drawn = generators, []

    def draw(self, shape, generator=None, device=None, dtype=None, layout=None):
        assert shape[0] == len(self.generators) and generator is not None
        one = [torch.randn((1, *shape[1:]), generator=g) for g in self.generators]
        self.drawn.append(torch.cat(one))
        return self.drawn[-1].clone()


def patched(pipe, noise):
    """Route the random draws of @pipe through @noise and take the mean of encoded pictures."""
    modules = [sys.modules[type(pipe).__module__], sys.modules[type(pipe.scheduler).__module__]]
    saved = []
    replace = {
        "randn_tensor": noise.draw,
        "retrieve_latents": lambda out, generator=None, sample_mode="sample": out.latent_dist.mode(),
    }
    for module in modules:
        for name, value in replace.items():
            if hasattr(module, name):
                saved.append((module, name, getattr(module, name)))
                setattr(module, name, value)
    return saved


def make_pipeline(case, scheduler):
    model, base = case["model"], case["base"]
    parts = dict(
        vae=conditioning.encoder(base + "/vae"), unet=conditioning.encoder(model + "/unet"),
        text_encoder=conditioning.encoder(base + "/text_encoder"),
        tokenizer=conditioning.tokenizer(base + "/tokenizer"), scheduler=scheduler,
    )
    if base.startswith("sdxl"):
        parts.update(
            text_encoder_2=conditioning.encoder(base + "/text_encoder_2"),
            tokenizer_2=conditioning.tokenizer(base + "/tokenizer_2"),
        )
        extra = dict(add_watermarker=False)
    else:
        extra = dict(safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipe = MODELS[model][case["task"]](**parts, **extra)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def prompt_tensors(case, store):
    """Context and pooled vectors of a case; equal prompts share one entry in @store."""
    base = case["base"]
    n = max(conditioning.count_chunks(base, case[k] or "") for k in ("prompt", "negative"))
    out = {}
    for side, prompt in (("cond", case["prompt"]), ("uncond", case["negative"])):
        zeros = side == "uncond" and case["negative_mode"] == "zeros"
        key = f"prompt.{base}.{'zeros' if zeros else repr(prompt)}.{n}.{case['clip_skip']}.{case['emphasis']}"
        index = store["keys"].setdefault(key, f"prompt.{len(store['keys'])}")
        case[side + "_key"] = index
        context, pooled, tokens = conditioning.encode(base, prompt, n, case["clip_skip"], case["emphasis"])
        if zeros:
            context, pooled = torch.zeros_like(context), torch.zeros_like(pooled)
        more = {} if pooled is None else {"pooled": pooled}
        more.update({} if zeros else tokens)
        store["tensors"].update({f"{index}.{k}": v for k, v in dict(context=context, **more).items()})
        out[side] = (context, pooled)
    return out


def call_arguments(case, prompts, generators):
    n = case["batch"]
    args = dict(
        prompt_embeds=prompts["cond"][0].repeat(n, 1, 1), generator=generators, num_inference_steps=case["steps"],
        guidance_scale=case["cfg"], output_type="latent", eta=case["eta"] or 0.0,
    )
    args["negative_prompt_embeds"] = prompts["uncond"][0].repeat(n, 1, 1)
    if case["base"] == "sdxl-tiny":
        args["pooled_prompt_embeds"] = prompts["cond"][1].repeat(n, 1)
        args["negative_pooled_prompt_embeds"] = prompts["uncond"][1].repeat(n, 1)
        args.update(
            original_size=tuple(case["original_size"]), target_size=tuple(case["target_size"]),
            crops_coords_top_left=tuple(case["crop"]),
        )
    if case["task"] == "txt2img":
        args.update(height=case["height"], width=case["width"], guidance_rescale=case["rescale"])
    else:
        args.update(image=read_picture(case["image"]).repeat(n, 1, 1, 1), strength=case["strength"])
    if case["task"] == "inpaint":
        args.update(mask_image=read_picture(case["mask"]).repeat(n, 1, 1, 1), height=case["height"], width=case["width"])
    if case["schedule"].endswith("ays-timesteps"):
        args["timesteps"] = AysSchedules[case["ays_table"] + "Timesteps"]
    if case["schedule"].endswith("ays-sigmas"):
        args["sigmas"] = AysSchedules[case["ays_table"] + "Sigmas"]
    return args


def generate(case, prompts, disturb=0.0):
    """Run the pipeline of @case. @disturb is relative Gaussian noise put on every UNet output."""
    # DPM++ SDE: a Brownian tree for each image
    extra = dict(noise_sampler_seed=case["seeds"]) if case["sampler"] == "dpmpp_sde" else {}
    scheduler, config = sampler_cases.make_scheduler(
        case["sampler"], case["schedule"], case["prediction"], case["zero_snr"], **extra
    )
    case["scheduler"], case["config"] = type(scheduler).__name__, config
    pipe = make_pipeline(case, scheduler)
    generators = [torch.Generator("cpu").manual_seed(s) for s in case["seeds"]]
    noise = Noise(generators)
    seen = dict(t=[], x=[])

    def before_unet(_module, args, kwargs):
        seen["t"].append(torch.as_tensor(args[1]).float())
        seen["x"].append(args[0])

    rng = common.generator(case["name"] + ".disturb")

    def after_unet(_module, _args, out):
        return tuple(y * (1 + disturb * torch.randn(y.shape, generator=rng)) for y in out)

    hooks = [pipe.unet.register_forward_pre_hook(before_unet, with_kwargs=True)]
    if disturb:
        hooks.append(pipe.unet.register_forward_hook(after_unet))
    saved = patched(pipe, noise)
    result = pipe(**call_arguments(case, prompts, generators)).images
    for module, attribute, value in saved:
        setattr(module, attribute, value)
    for hook in hooks:
        hook.remove()
    return pipe, noise, seen, result


def run_case(case, store):
    """Run one generation and put its tensors in @store under the name of the case."""
    name, prompts = case["name"], prompt_tensors(case, store)
    pipe, noise, seen, result = generate(case, prompts)
    scheduler = pipe.scheduler
    tensors = {"noise": noise.drawn[0], "timesteps": torch.stack(seen["t"]), "latent": result}
    tensors["scheduler_timesteps"] = scheduler.timesteps.float()
    if hasattr(scheduler, "sigmas"):
        tensors["sigmas"] = scheduler.sigmas.float()
    if len(noise.drawn) > 1:
        tensors["step_noise"] = torch.stack(noise.drawn[1:])
    tensors["first_input"] = seen["x"][0][: case["batch"]]
    if pipe.unet.config.in_channels == 9:
        tensors["mask"], tensors["masked"] = tensors["first_input"][:1, 4:5], tensors["first_input"][:1, 5:]
    vae = pipe.vae
    if case["task"] != "txt2img":
        picture = read_picture(case["image"])
        tensors["init"] = vae.encode(2 * picture - 1).latent_dist.mode() * vae.config.scaling_factor
    if case["decode"]:
        image = vae.decode(result / vae.config.scaling_factor).sample
        tensors["image"] = (image / 2 + 0.5).clamp(0, 1)
    case["calls"] = len(seen["t"])
    case["latent_std"] = round(float(result.std()), 3)
    drift = (generate(case, prompts, DISTURB)[3] - result).abs().max() / result.std()
    case["drift"] = float(f"{drift:.1e}")
    assert torch.isfinite(result).all(), name
    store["tensors"].update({f"{name}.{k}": v for k, v in tensors.items()})
    return case


def make_case(name, model, sampler, schedule, steps=5, **changes):
    """A manifest entry with the defaults filled in."""
    base = BASE.get(model, model)
    is_xl = base == "sdxl-tiny"
    height, width = LATENT[0] * FACTOR[base], LATENT[1] * FACTOR[base]
    case = dict(
        name=name, model=model, base=base, task="txt2img",
        prompt=PROMPT, negative=NEGATIVE, negative_mode="encode",
        emphasis="a1111", clip_skip=2 if is_xl else 1, seed=1000 + len(name), batch=1, width=width, height=height,
        latent_width=LATENT[1], latent_height=LATENT[0],
        steps=steps, cfg=4.0, rescale=0.0, sampler=sampler, schedule=schedule, prediction="epsilon",
        zero_snr=False, strength=None, eta={"ddim": 0.0, "tcd": 0.3}.get(sampler), image=None, mask=None, decode=False,
    )
    if is_xl:
        case.update(original_size=[height, width], crop=[0, 0], target_size=[height, width])
    if "ays" in schedule:
        case.update(ays_table="StableDiffusionXL" if is_xl else "StableDiffusion", steps=10)
    case.update(changes)
    if case["task"] != "txt2img":
        case["image"] = f"init-{width}x{height}.png"
    if case["task"] == "inpaint":
        case["mask"] = f"mask-{width}x{height}.png"
    case["seeds"] = [case["seed"] + i for i in range(case["batch"])]
    return case


def sweep():
    """Every sampler with every schedule on SD 1.5, and each sampler once on SDXL."""
    for sampler in sampler_cases.SAMPLERS:
        for schedule in sampler_cases.schedules_of(sampler):
            if not schedule.startswith("leading+"):
                yield make_case(f"sd15/{sampler}/{schedule}", "sd15-tiny", sampler, schedule)
        offered = sampler_cases.schedules_of(sampler)
        schedule = "linspace+karras" if "linspace+karras" in offered else offered[0]
        yield make_case(f"sdxl/{sampler}/{schedule}", "sdxl-tiny", sampler, schedule)
    yield make_case("sd15/ddim/leading/eta1", "sd15-tiny", "ddim", "leading", eta=1.0)
    yield make_case("sd15/tcd/origin/eta0", "sd15-tiny", "tcd", "origin", eta=0.0)
    yield make_case("sdxl/euler/linspace+ays-timesteps", "sdxl-tiny", "euler", "linspace+ays-timesteps")


def features():
    """One thing at a time: batches, guidance, prompts, predictions, pictures as input."""
    def sd(name, sampler="euler", schedule="leading", **more):
        return make_case("sd15/" + name, "sd15-tiny", sampler, schedule, **more)

    def xl(name, sampler="euler", schedule="leading", **more):
        return make_case("sdxl/" + name, "sdxl-tiny", sampler, schedule, **more)

    weighted = [["a ", 1.0], ["red fox", 1.3], [" in the ", 1.0], ["snow", 0.7]]
    yield sd("batch", batch=2, decode=True)
    yield sd("batch-euler_a", "euler_a", batch=2, decode=True)
    yield sd("batch-dpmpp_2m_sde", "dpmpp_2m_sde", "linspace+karras", batch=2)
    yield sd("batch-dpmpp_sde", "dpmpp_sde", "linspace+karras", batch=2, decode=True)
    yield sd("dpmpp_sde-1-step", "dpmpp_sde", "linspace", steps=1)
    yield sd("dpmpp_sde-20-steps", "dpmpp_sde", "linspace+karras", steps=20, decode=True)
    yield sd("cfg1", cfg=1.0)
    yield sd("cfg9-rescale", cfg=9.0, rescale=0.7, batch=2)
    yield sd("empty-negative", negative="")
    yield sd("long-prompt", prompt=conditioning.LONG)
    yield sd("clip-skip-2", clip_skip=2)
    yield sd("weights-a1111", prompt=weighted)
    yield sd("weights-no-norm", prompt=weighted, emphasis="no-norm")
    yield sd("weights-comfy", prompt=weighted, emphasis="comfy")
    yield xl("batch", batch=2, decode=True)
    yield xl("cfg9-rescale", cfg=9.0, rescale=0.7)
    yield xl("empty-negative-encoded", negative="")
    yield xl("empty-negative-zeros", negative="", negative_mode="zeros")
    # Little guidance: at 4 these two random networks multiply rounding a hundredfold (see `drift`).
    yield xl("long-prompt", prompt=conditioning.LONG, cfg=1.5)
    yield xl("clip-skip-3", clip_skip=3)
    yield xl("sizes", original_size=[700, 900], crop=[16, 40], target_size=[512, 768])
    yield xl("weights-a1111", prompt=weighted)
    yield xl("v", prediction="v_prediction", decode=True, cfg=1.5)
    yield xl("v-dpmpp_2m-karras", "dpmpp_2m", "linspace+karras", prediction="v_prediction", cfg=1.5)
    for sampler in ("euler", "euler_a", "ddim", "dpmpp_2m", "dpmpp_2m_sde", "unipc"):
        yield xl(f"v-zsnr-{sampler}", sampler, "trailing", prediction="v_prediction", zero_snr=True, rescale=0.7)
    for sampler, schedule, strength in (
        ("euler", "leading", 0.6), ("euler", "leading", 1.0), ("euler_a", "trailing", 0.5), ("ddim", "leading", 0.6),
        ("dpmpp_2m", "linspace+karras", 0.6), ("dpmpp_2m_sde", "linspace+karras", 0.6), ("heun", "linspace", 0.6),
        ("unipc", "linspace", 0.6), ("dpmpp_sde", "linspace", 0.6),
    ):
        yield sd(
            f"img2img/{sampler}-{strength}", sampler, schedule, task="img2img", strength=strength, steps=8,
            decode=sampler == "ddim", cfg=2.0 if sampler == "ddim" else 4.0,
        )
    for strength in (0.35, 0.8):
        yield xl(f"img2img/euler-{strength}", task="img2img", strength=strength, steps=8, batch=2)
    yield make_case(
        "sd15/inpaint/euler", "sd15-tiny-inpaint", "euler", "leading", task="inpaint", strength=1.0, decode=True, batch=2
    )
    yield make_case("sd15/inpaint/dpmpp_2m", "sd15-tiny-inpaint", "dpmpp_2m", "linspace+karras", task="inpaint", strength=1.0)


def inpainting():
    """With checkpoints that read the mask (9 channels) and with ordinary ones (4)."""
    def nine(name, model, sampler="euler", schedule="leading", **more):
        return make_case(name, model + "-tiny-inpaint", sampler, schedule, task="inpaint", **more)

    def four(name, model, sampler="euler", schedule="leading", **more):
        return make_case(name, model + "-tiny", sampler, schedule, task="inpaint", **more)

    yield nine("sd15/inpaint/euler-0.6", "sd15", strength=0.6, steps=8, decode=True)
    yield nine("sdxl/inpaint/euler-1.0", "sdxl", strength=1.0, batch=2, decode=True, cfg=2.0)
    yield nine("sdxl/inpaint/euler-0.6", "sdxl", strength=0.6, steps=8, decode=True, cfg=2.0)
    for strength in (1.0, 0.6):
        yield four(f"sd15/inpaint4/euler-{strength}", "sd15", strength=strength, steps=8, decode=True, cfg=2.0)
        yield four(f"sdxl/inpaint4/euler-{strength}", "sdxl", strength=strength, steps=8, decode=True, cfg=2.0, batch=2)
    for sampler, schedule in (
        ("euler_a", "trailing"), ("ddim", "leading"), ("heun", "linspace"), ("dpmpp_2m", "linspace+karras"),
        ("dpmpp_2m_sde", "linspace+karras"), ("dpmpp_sde", "linspace"), ("unipc", "linspace"), ("lcm", "origin"),
        ("tcd", "origin"),
    ):
        for strength in (1.0, 0.6):
            yield four(f"sd15/inpaint4/{sampler}-{strength}", "sd15", sampler, schedule, strength=strength, steps=8, cfg=2.0)


def export():
    pictures()
    store = dict(keys={}, tensors={})
    cases = [run_case(case, store) for case in [*sweep(), *features(), *inpainting()]]
    assert len({c["name"] for c in cases}) == len(cases)
    common.save_tensors("latents.safetensors", store["tensors"])
    common.save_json("cases.json", dict(cases=cases))
    for c in cases:
        print(f"  {c['name']:44} std {c['latent_std']} drift {c['drift']}")
    print(f"pipelines: {len(cases)} cases")
