# SPDX-License-Identifier: MPL-2.0
"""ControlNets: small ones with seeded weights, and whole generations with them by diffusers' pipelines."""

import torch
from diffusers import (
    ControlNetModel,
    StableDiffusionControlNetImg2ImgPipeline,
    StableDiffusionControlNetInpaintPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionXLControlNetImg2ImgPipeline,
    StableDiffusionXLControlNetInpaintPipeline,
    StableDiffusionXLControlNetPipeline,
)
from PIL import Image

import common
import layouts
import pipeline_cases
import tiny_models

OF_UNET = (
    "in_channels", "flip_sin_to_cos", "freq_shift", "down_block_types", "block_out_channels", "layers_per_block",
    "downsample_padding", "mid_block_scale_factor", "act_fn", "norm_num_groups", "norm_eps", "cross_attention_dim",
    "attention_head_dim", "transformer_layers_per_block", "use_linear_projection", "addition_embed_type",
    "addition_time_embed_dim", "projection_class_embeddings_input_dim",
)


def config_for(unet, hints):
    return dict(
        {k: unet[k] for k in OF_UNET if k in unet}, _class_name="ControlNetModel", _diffusers_version=tiny_models.VERSION,
        conditioning_channels=3, conditioning_embedding_out_channels=hints, controlnet_conditioning_channel_order="rgb",
    )


# As many halvings as the VAE of the model has; the last one is for the names of single files alone.
NETS = {
    "control-sd15-tiny": config_for(tiny_models.SD15_UNET, [8, 8, 16]),
    "control-sd15-tiny-2": config_for(tiny_models.SD15_UNET, [4, 8, 8]),
    "control-sdxl-tiny": config_for(tiny_models.SDXL_UNET, [8, 16]),
    "control-sd15-tiny-inpaint": config_for(dict(tiny_models.INPAINT_UNET, in_channels=4), [4, 4, 8]),
    "control-sd15-eighth": config_for(dict(tiny_models.SD15_UNET, layers_per_block=1), [4, 4, 8, 8]),
}
PIPELINES = {
    "sd15-tiny": dict(
        txt2img=StableDiffusionControlNetPipeline, img2img=StableDiffusionControlNetImg2ImgPipeline,
        inpaint=StableDiffusionControlNetInpaintPipeline,
    ),
    "sdxl-tiny": dict(
        txt2img=StableDiffusionXLControlNetPipeline, img2img=StableDiffusionXLControlNetImg2ImgPipeline,
        inpaint=StableDiffusionXLControlNetInpaintPipeline,
    ),
    "sd15-tiny-inpaint": dict(inpaint=StableDiffusionControlNetInpaintPipeline),
}
# What zero convolutions have become: enough to move the picture, not enough to drown the U-Net.
ZERO_GAIN = 0.4


def randomise(folder, net):
    norms = {k for k, m in net.named_modules() if type(m).__name__ in ("GroupNorm", "LayerNorm")}
    state = {}
    for name, value in net.state_dict().items():
        drawn = tiny_models.draw(folder, name, value, name.rsplit(".", 1)[0] in norms)
        is_zero = name.startswith(("controlnet_down_blocks.", "controlnet_mid_block."))
        state[name] = ZERO_GAIN * drawn if is_zero else drawn
    net.load_state_dict({k: v.half().float() for k, v in state.items()})


def build(folder):
    net = ControlNetModel.from_config({k: v for k, v in NETS[folder].items() if not k.startswith("_")})
    net.set_default_attn_processor()
    randomise(folder, net)
    return net.eval()


def ldm_name(name, config):
    """LDM's name of one weight: a U-Net's, but for what only a ControlNet has."""
    hint = "controlnet_cond_embedding."
    if name.startswith(hint + "conv_in."):
        return name.replace(hint + "conv_in", "input_hint_block.0")
    if name.startswith(hint + "conv_out."):
        return name.replace(hint + "conv_out", "input_hint_block.14")
    if name.startswith(hint + "blocks."):
        number, rest = name.removeprefix(hint + "blocks.").split(".", 1)
        return f"input_hint_block.{2 * (int(number) + 1)}.{rest}"
    if name.startswith("controlnet_down_blocks."):
        number, rest = name.removeprefix("controlnet_down_blocks.").split(".", 1)
        return f"zero_convs.{number}.0.{rest}"
    if name.startswith("controlnet_mid_block."):
        return name.replace("controlnet_mid_block", "middle_block_out.0")
    return layouts.unet_name(name, config["layers_per_block"], [])


def write_nets():
    for folder, config in NETS.items():
        state = {k: v.half() for k, v in build(folder).state_dict().items()}
        tiny_models.write_safetensors(f"{folder}/diffusion_pytorch_model.safetensors", state, {"format": "pt"})
        common.save_json(f"{folder}/config.json", config)
    name = "control-sd15-eighth"
    config = NETS[name]
    ldm = {"control_model." + ldm_name(k, config): v.half() for k, v in build(name).state_dict().items()}
    tiny_models.write_safetensors(name + "-ldm.safetensors", ldm)
    check_names(build(name), ldm, config)


def check_names(net, ldm, config):
    """diffusers' own converter has to turn the names back."""
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

    back = convert_controlnet_checkpoint(dict(ldm), dict(config, block_out_channels=tuple(config["block_out_channels"])))
    state = net.state_dict()
    assert set(back) == set(state), set(back) ^ set(state)
    assert all(torch.equal(back[k].float(), state[k]) for k in state)


def write_pictures():
    """What the networks see: coarse seeded colours with hard edges."""
    for factor in (2, 4):
        height, width = (n * factor for n in pipeline_cases.LATENT)
        for i in range(2):
            small = torch.rand(1, 3, 5, 7, generator=common.generator(f"control-picture-{i}"))
            picture = torch.nn.functional.interpolate(small, (height, width), mode="nearest")[0]
            pixels = (picture.permute(1, 2, 0) * 255).round().byte().numpy()
            Image.fromarray(pixels).save(common.FIXTURES / picture_name(i, width, height))


def picture_name(i, width, height):
    return f"control-{i + 1}-{width}x{height}.png"


def make_pipeline(case, scheduler):
    """pipeline_cases.make_pipeline, with the ControlNets of @case."""
    nets = [build(c[0]) for c in case["controls"]]
    plain = pipeline_cases.MODELS
    table = {case["model"]: {case["task"]: None}}

    def construct(**parts):
        if case["base"].startswith("sd15"):
            parts["feature_extractor"] = None
        return PIPELINES[case["model"]][case["task"]](controlnet=nets if len(nets) > 1 else nets[0], **parts)

    table[case["model"]][case["task"]] = construct
    pipeline_cases.MODELS = table
    try:
        return plain_make_pipeline(case, scheduler)
    finally:
        pipeline_cases.MODELS = plain


def call_arguments(case, prompts, generators):
    args = plain_call_arguments(case, prompts, generators)
    n, one = case["batch"], len(case["controls"]) == 1
    seen = [pipeline_cases.read_picture(c[1]).repeat(n, 1, 1, 1) for c in case["controls"]]
    args.pop("guidance_rescale", None)
    args["image" if case["task"] == "txt2img" else "control_image"] = seen[0] if one else seen
    for key, i in (("controlnet_conditioning_scale", 2), ("control_guidance_start", 3), ("control_guidance_end", 4)):
        values = [c[i] for c in case["controls"]]
        args[key] = values[0] if one else values
    return args


plain_make_pipeline, plain_call_arguments = pipeline_cases.make_pipeline, pipeline_cases.call_arguments


def cases():
    """Each control: folder, picture, weight, start, end."""
    def case(name, model, controls, sampler="euler", schedule="leading", **more):
        made = pipeline_cases.make_case("control/" + name, model, sampler, schedule, **more)
        made["controls"] = [
            (net, picture_name(i, made["width"], made["height"]), *rest) for net, i, *rest in controls
        ]
        return made

    one, two, xl = "control-sd15-tiny", "control-sd15-tiny-2", "control-sdxl-tiny"
    part = (one, 0, 0.7, 0.2, 0.8)
    yield case("sd15/part", "sd15-tiny", [part], decode=True, cfg=2.0)
    yield case("sd15/whole", "sd15-tiny", [(one, 0, 1.0, 0.0, 1.0)], batch=2, cfg=2.0)
    yield case("sd15/no-guidance", "sd15-tiny", [(one, 0, 1.0, 0.0, 1.0)], "dpmpp_2m", "linspace+karras", cfg=1.0)
    yield case("sd15/negative", "sd15-tiny", [(one, 1, -0.5, 0.0, 0.5)], "ddim", "leading", cfg=2.0, steps=6)
    yield case("sd15/two", "sd15-tiny", [part, (two, 1, 0.5, 0.0, 0.6)], decode=True, cfg=2.0)
    yield case("sd15/twice", "sd15-tiny", [(one, 0, 0.4, 0.0, 1.0), (one, 1, 0.6, 0.0, 1.0)], cfg=2.0)
    yield case("sd15/img2img", "sd15-tiny", [part], task="img2img", strength=0.6, steps=8, decode=True, cfg=2.0)
    yield case("sd15/inpaint4", "sd15-tiny", [part], task="inpaint", strength=0.8, steps=8, decode=True, cfg=2.0)
    nine = ("control-sd15-tiny-inpaint", 0, 0.7, 0.2, 0.8)
    yield case("sd15/inpaint9", "sd15-tiny-inpaint", [nine], task="inpaint", strength=1.0, decode=True, batch=2)
    yield case("sdxl/part", "sdxl-tiny", [(xl, 0, 0.7, 0.2, 0.8)], decode=True, cfg=2.0)
    yield case("sdxl/whole", "sdxl-tiny", [(xl, 1, 1.0, 0.0, 1.0)], batch=2, cfg=1.5)
    yield case("sdxl/img2img", "sdxl-tiny", [(xl, 0, 0.7, 0.2, 0.8)], task="img2img", strength=0.8, steps=8, cfg=2.0)
    yield case("sdxl/inpaint4", "sdxl-tiny", [(xl, 0, 0.7, 0.2, 0.8)], task="inpaint", strength=0.8, steps=8, cfg=2.0, decode=True)


def difference(case, store):
    """How far the controls move the result: a case where they do nothing would prove nothing."""
    prompts = pipeline_cases.prompt_tensors(dict(case), dict(keys={}, tensors={}))
    without = dict(case, controls=[(*c[:2], 0.0, *c[3:]) for c in case["controls"]])
    moved = pipeline_cases.generate(without, prompts)[3] - store["tensors"][case["name"] + ".latent"]
    return float(f"{moved.abs().max() / store['tensors'][case['name'] + '.latent'].abs().max():.2f}")


KEPT = (".latent", ".image")


def export():
    write_nets()
    write_pictures()
    pipeline_cases.make_pipeline, pipeline_cases.call_arguments = make_pipeline, call_arguments
    store, done = dict(keys={}, tensors={}), []
    try:
        for case in cases():
            pipeline_cases.run_case(case, store)
            case["moved"] = difference(case, store)
            assert case["moved"] > 0.05, case["name"]
            done.append(case)
    finally:
        pipeline_cases.make_pipeline, pipeline_cases.call_arguments = plain_make_pipeline, plain_call_arguments
    kept = {k: v for k, v in store["tensors"].items() if k.startswith("control/") and k.endswith(KEPT)}
    common.save_tensors("control-latents.safetensors", kept)
    common.save_json("control-cases.json", dict(cases=done))
    for c in done:
        print(f"  {c['name']:30} std {c['latent_std']} drift {c['drift']} moved {c['moved']}")
    print(f"controls: {len(done)} cases")
