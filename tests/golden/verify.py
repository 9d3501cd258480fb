# SPDX-License-Identifier: MPL-2.0
"""Check the committed fixtures: same bytes when exported again, and readable by the stock libraries.

The cases are generated once more by diffusers from the files alone, from the prompt as text and
without the code of pipeline_cases.py, and must give the stored latents.
"""

import filecmp
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file

import common
import layouts
import sampler_cases
import tiny_models


def check_bytes():
    with tempfile.TemporaryDirectory() as folder:
        here = pathlib.Path(__file__).resolve().parent
        subprocess.run(
            [sys.executable, "-W", "ignore", here / "export.py", "--output", folder], check=True,
            stdout=subprocess.DEVNULL,
        )
        files = sorted(p.relative_to(folder) for p in pathlib.Path(folder).rglob("*") if p.is_file())
        _, different, missing = filecmp.cmpfiles(folder, common.FIXTURES, files, shallow=False)
        known = {p.relative_to(common.FIXTURES) for p in common.FIXTURES.rglob("*") if p.is_file()}
        stale = [p for p in known - set(files) if p.parts[0] != "tokenizer"]
        assert not different and not missing and not stale, (different, missing, stale)
    print(f"{len(files)} files are the same after a second export")


def check_manifests():
    for manifest, store in (("samplers.json", "samplers.safetensors"), ("cases.json", "latents.safetensors")):
        cases = json.loads((common.FIXTURES / manifest).read_text())["cases"]
        tensors = load_file(str(common.FIXTURES / store))
        for case in cases:
            n = case["calls"]
            assert len(tensors[case["name"] + ".timesteps"]) == n, case["name"]
            if manifest == "samplers.json":
                assert tensors[case["name"] + ".x"].shape == (n + 1, sampler_cases.N)
                continue
            assert tensors[case["name"] + ".noise"].shape == tensors[case["name"] + ".latent"].shape
            assert f"{case['cond_key']}.context" in tensors and f"{case['uncond_key']}.context" in tensors
        print(f"{manifest}: {len(cases)} cases agree with their tensors")
    return cases, tensors


def check_stock_pipelines(cases, tensors):
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    classes = {"sd15-tiny": StableDiffusionPipeline, "sdxl-tiny": StableDiffusionXLPipeline}
    # clip skip on SD 1.5 is missing here: diffusers 0.42 asks transformers 5 for a name it no longer has.
    names = ["sd15/euler/leading", "sd15/batch-euler_a", "sd15/dpmpp_2m/linspace+karras", "sd15/empty-negative",
             "sdxl/batch", "sdxl/empty-negative-encoded", "sdxl/v-zsnr-unipc", "sdxl/sizes", "sdxl/clip-skip-3"]
    for case in (c for c in cases if c["name"] in names):
        pipe = classes[case["model"]].from_pretrained(common.FIXTURES / case["model"], torch_dtype=torch.float32)
        pipe.scheduler = sampler_cases.make_scheduler(
            case["sampler"], case["schedule"], case["prediction"], case["zero_snr"]
        )[0]
        pipe.set_progress_bar_config(disable=True)
        default_skip = 2 if case["model"] == "sdxl-tiny" else 1
        skip = case["clip_skip"] - default_skip
        more = {k: tuple(case[v]) for k, v in dict(
            original_size="original_size", target_size="target_size", crops_coords_top_left="crop").items() if v in case}
        more["negative_prompt"] = [case["negative"]] * case["batch"]
        if skip:  # diffusers skips layers for the positive prompt only, the fixtures for both
            del more["negative_prompt"]
            uncond = {k: tensors[f"{case['uncond_key']}.{k}"] for k in ("context", "pooled")}
            more.update(negative_prompt_embeds=uncond["context"], negative_pooled_prompt_embeds=uncond["pooled"])
        latent = pipe(
            [case["prompt"]] * case["batch"],
            height=case["height"], width=case["width"], num_inference_steps=case["steps"],
            guidance_scale=case["cfg"], guidance_rescale=case["rescale"], output_type="latent",
            generator=[torch.Generator().manual_seed(s) for s in case["seeds"]], clip_skip=skip or None, **more,
        ).images
        error = (latent - tensors[case["name"] + ".latent"]).abs().max() / latent.std()
        # Fused attention here, eager when exported: same rounding class as `drift` with 1e-5.
        print(f"stock pipeline {case['name']:36} error {error:.1e} (drift {case['drift']:.1e})")
        assert error < max(10 * case["drift"], 1e-4), case["name"]


def check_single_files():
    """Text encoders of the SDXL single file through diffusers' own OpenCLIP converter."""
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint

    ldm = load_file(str(common.FIXTURES / "sdxl-tiny-ldm.safetensors"))
    model = tiny_models.build("sdxl-tiny/text_encoder_2")
    back = convert_open_clip_checkpoint(model, ldm, prefix="conditioner.embedders.1.model.")
    want = load_file(str(common.FIXTURES / "sdxl-tiny/text_encoder_2/model.safetensors"))
    back = {k: v for k, v in back.items() if not k.endswith("position_ids")}
    assert back.keys() == want.keys(), sorted(back.keys() ^ want.keys())
    assert all(torch.equal(back[k], want[k]) for k in want)
    for name in ("sd15-tiny", "sdxl-tiny"):
        ldm = load_file(str(common.FIXTURES / f"{name}-ldm.safetensors"))
        part = {kind: load_file(str(common.FIXTURES / name / kind / "diffusion_pytorch_model.safetensors"))
                for kind in ("unet", "vae")}
        config = tiny_models.PARTS
        layouts.check(ldm, part["unet"], config[name + "/unet"][0], part["vae"], config[name + "/vae"][0])
    print("single files convert back to the diffusers folders")


def check_pickles():
    torch.load(common.FIXTURES / "taesd-tiny-decoder-legacy.pt", weights_only=True)
    state = torch.load(common.FIXTURES / "sd15-tiny-part.ckpt", weights_only=True)["state_dict"]
    want = load_file(str(common.FIXTURES / "sd15-tiny-part.ckpt.expect.safetensors"))
    assert state.keys() == want.keys() and all(torch.equal(state[k], want[k]) for k in want)
    from diffusers import AutoencoderTiny

    whole = AutoencoderTiny.from_pretrained(common.FIXTURES / "taesd-tiny").state_dict()
    shards = AutoencoderTiny.from_pretrained(common.FIXTURES / "taesd-tiny-sharded").state_dict()
    assert all(torch.equal(whole[k], shards[k]) for k in whole)
    print("pickles and shards load")


if __name__ == "__main__":
    common.setup()
    cases, tensors = check_manifests()
    check_stock_pipelines(cases, tensors)
    check_single_files()
    check_pickles()
    check_bytes()
