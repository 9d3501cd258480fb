# SPDX-License-Identifier: MPL-2.0
"""Whole generations by diffusers' FLUX pipelines with the small models, from prompt to final latent."""

import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    FluxControlPipeline,
    FluxFillPipeline,
    FluxImg2ImgPipeline,
    FluxInpaintPipeline,
    FluxKontextPipeline,
    FluxPipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

import common
import conditioning
import flux_adapters
import flux_models
import flux_one
import pipeline_cases


class SeveralReferences(FluxKontextPipeline):
    """Several pictures in diffusers' pipeline, which takes one, placed as ComfyUI places them."""

    places, more = "offset", ()  # more: (1, 3, height, width) in -1 .. 1, behind the first

    def prepare_latents(self, image, batch, channels, height, width, dtype, device, generator=None, latents=None):
        latents, first, latent_ids, first_ids = super().prepare_latents(
            image, batch, channels, height, width, dtype, device, generator, latents)
        encoded = [self._encode_vae_image(p, generator).repeat(batch, 1, 1, 1) for p in self.more]
        tokens = [first] + [self._pack_latents(e, batch, channels, *e.shape[2:]) for e in encoded]
        sizes = [tuple(int(n) // 2 for n in image.shape[2:])] + [tuple(e.shape[2:]) for e in encoded]
        sizes[0] = tuple(n * 2 // self.vae_scale_factor for n in sizes[0])
        ids, h, w = [], 0, 0
        for i, (rh, rw) in enumerate(sizes):
            one = self._prepare_latent_image_ids(batch, rh // 2, rw // 2, device, dtype)
            row = column = 0
            if self.places == "uxo":
                row, column, index = h + height // self.vae_scale_factor, w + width // self.vae_scale_factor, 0
                h, w = h + rh, w + rw
            elif self.places == "index":
                index = i + 1
            else:
                index = 1
                row, column = (0, w) if rh + h > rw + w else (h, 0)
                h, w = max(h, rh + row), max(w, rw + column)
            one += torch.tensor([index, row // 2, column // 2], device=device, dtype=dtype)
            ids.append(one)
        return latents, torch.cat(tokens, 1), latent_ids, torch.cat(ids)


PROMPT, NEGATIVE = "a red fox in the snow", "blurry, text"
TASKS = dict(
    txt2img=FluxPipeline, img2img=FluxImg2ImgPipeline, inpaint=FluxInpaintPipeline, fill=FluxFillPipeline,
    kontext=FluxKontextPipeline, references=SeveralReferences, control=FluxControlPipeline,
)
LATENT, FACTOR = (8, 12), 2  # height, width
CURVES = dict(karras="use_karras_sigmas", exponential="use_exponential_sigmas", beta="use_beta_sigmas")


def make_scheduler(case):
    config = flux_models.STATIC if case["model"] == "flux-tiny-schnell" else flux_models.DYNAMIC
    config = {k: v for k, v in config.items() if not k.startswith("_")}
    curve = case["schedule"].partition("+")[2]
    if curve:
        config[CURVES[curve]] = True
    return FlowMatchEulerDiscreteScheduler(**config)


def make_pipeline(case):
    pipe = TASKS[case["task"]](
        scheduler=make_scheduler(case), vae=flux_models.load("flux-tiny/vae"),
        text_encoder=conditioning.encoder("sd15-tiny/text_encoder"), tokenizer=conditioning.tokenizer("sd15-tiny/tokenizer"),
        text_encoder_2=flux_models.load("flux-tiny/text_encoder_2"), tokenizer_2=flux_models.tokenizer(),
        transformer=flux_models.load(case["model"] + "/transformer"),
    )
    pipe.set_progress_bar_config(disable=True)
    if case.get("references"):
        pipe.places = case["places"]
        pipe.more = [2 * pipeline_cases.read_picture(p) - 1 for p in case["references"]]
    if case.get("adapters"):
        flux_adapters.load(pipe, case["adapters"])
    return pipe


def call_arguments(case, generators):
    n = case["batch"]
    args = dict(
        prompt=[case["prompt"]] * n, generator=generators, num_inference_steps=case["steps"], height=case["height"],
        width=case["width"], guidance_scale=case["distilled"], output_type="latent", max_sequence_length=case["max_tokens"],
    )
    if case["cfg"] > 1:
        args.update(negative_prompt=[case["negative"]] * n, true_cfg_scale=case["cfg"])
    picture = case["image"] and pipeline_cases.read_picture(case["image"]).repeat(n, 1, 1, 1)
    if case["task"] in ("img2img", "inpaint", "fill"):
        args.update(image=picture, strength=case["strength"])
    if case["task"] in ("inpaint", "fill"):
        args.update(mask_image=pipeline_cases.read_picture(case["mask"]).repeat(n, 1, 1, 1))
    if case["task"] == "control":
        # tensors are taken as they are
        args.update(control_image=2 * pipeline_cases.read_picture(case["control"]).repeat(n, 1, 1, 1) - 1)
    if case["task"] in ("kontext", "references"):
        args.update(
            image=pipeline_cases.read_picture(case["reference"]).repeat(n, 1, 1, 1),
            max_area=case["height"] * case["width"], _auto_resize=False,
        )
    return args


def run_case(case, store):
    pipe = make_pipeline(case)
    generators = [torch.Generator("cpu").manual_seed(s) for s in case["seeds"]]
    noise = pipeline_cases.Noise(generators)
    saved = pipeline_cases.patched(pipe, noise)
    # FluxControlPipeline draws from the encoded picture's distribution by itself
    saved.append((DiagonalGaussianDistribution, "sample", DiagonalGaussianDistribution.sample))
    DiagonalGaussianDistribution.sample = lambda self, generator=None: self.mode()
    packed = pipe(**call_arguments(case, generators)).images
    for module, attribute, value in saved:
        setattr(module, attribute, value)
    latent = pipe._unpack_latents(packed, case["height"], case["width"], pipe.vae_scale_factor)
    tensors = {"latent": latent}
    if case["decode"]:
        config = pipe.vae.config
        image = pipe.vae.decode(latent / config.scaling_factor + config.shift_factor).sample
        tensors["image"] = (image / 2 + 0.5).clamp(0, 1)
    case["latent_std"] = round(float(latent.std()), 3)
    assert torch.isfinite(latent).all(), case["name"]
    store.update({f"{case['name']}.{k}": v for k, v in tensors.items()})
    return case


def make_case(name, model="flux-tiny", **changes):
    height, width = LATENT[0] * FACTOR, LATENT[1] * FACTOR
    case = dict(
        name="flux/" + name, model=model, base="flux-tiny", task="txt2img", prompt=PROMPT, negative=NEGATIVE, emphasis="none",
        seed=2000 + len(name), batch=1, width=width, height=height, steps=4, cfg=1.0, distilled=3.5, max_tokens=64,
        rescale=0.0, sampler="euler", schedule="linspace", prediction="flow", strength=None, image=None, mask=None,
        reference=None, control=None, decode=True,
    )
    case.update(changes)
    picture = f"init-{width}x{height}.png"
    if case["task"] in ("img2img", "inpaint", "fill"):
        case["image"] = picture
    if case["task"] in ("inpaint", "fill"):
        case["mask"] = f"mask-{width}x{height}.png"
    case["seeds"] = [case["seed"] + i for i in range(case["batch"])]
    return case


def cases():
    yield make_case("dev")
    yield make_case("batch", batch=2)
    yield make_case("true-cfg", cfg=2.5)
    yield make_case("no-guidance", distilled=0.0)
    yield make_case("long-prompt", prompt=conditioning.LONG, max_tokens=32)
    for curve in CURVES:
        yield make_case(curve, schedule="linspace+" + curve, steps=6, decode=False)
    yield make_case("schnell", "flux-tiny-schnell", max_tokens=48)
    for strength in (1.0, 0.6):
        yield make_case(f"img2img-{strength}", task="img2img", strength=strength, steps=6)
        yield make_case(f"inpaint-{strength}", task="inpaint", strength=strength, steps=6)
        yield make_case(f"fill-{strength}", "flux-tiny-fill", task="fill", strength=strength, steps=6, distilled=30.0)
    yield make_case("inpaint-batch-cfg", task="inpaint", strength=0.8, cfg=1.5, batch=2)
    yield make_case("kontext", task="kontext", reference="init-48x32.png", distilled=2.5)
    for places in ("offset", "index", "uxo"):
        yield make_case("references-" + places, task="references", reference="init-48x32.png", distilled=2.5, places=places,
                        references=["init-24x16.png", "init-48x32.png", "init-24x16.png"])
    yield make_case("control", "flux-tiny-control", task="control", control="init-24x16.png", distilled=30.0)
    path = "adapters/flux/{}.safetensors".format
    for make in (flux_adapters.kohya, flux_adapters.xlabs, flux_adapters.peft):
        yield make_case("adapter-" + make.__name__, adapters=[(path(make.__name__), 0.8)])
    # a control LoRA, alone, and with one that knows nothing of the wider layer
    for name, more in (("", []), ("-stacked", [(path("peft"), 0.5)])):
        yield make_case("adapter-control" + name, task="control", control="init-24x16.png", distilled=30.0,
                        adapters=[(path("control"), 0.8), *more])
    yield make_case("adapters-stacked", adapters=[(path(n), w) for n, w in (("kohya", 0.5), ("peft", -0.3), ("xlabs", 0.7))])


def export():
    flux_models.export()
    flux_adapters.export()
    store = {}
    done = [run_case(case, store) for case in cases()]
    done.append(flux_one.export(store))
    common.save_tensors("flux-latents.safetensors", store)
    common.save_json("flux-cases.json", dict(cases=done))
    for c in done:
        print(f"  {c['name']:32} std {c['latent_std']}")
    print(f"FLUX pipelines: {len(done)} cases")
