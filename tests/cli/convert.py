#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""gesso-cli convert: what it writes, what it refuses, what is left when it stops, and pictures of what it wrote.

Usage: convert.py GESSO_CLI SOURCE_ROOT.  Prints TAP; needs nothing but Python.  Helpers are cli.py's.
"""
import json
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys

import cli
from cli import CLI, DONE, FAILED, FIXTURES, HOME, MODEL, SMALL, USAGE, environment, folder, names, run

LDM = str(FIXTURES / "sdxl-tiny-ldm.safetensors")
# format: ending, how far the latent of two steps may be from that of the source, relative to its largest value.
# Measured: 0.025, 0.059, 0.029, 0.39 (these random networks enlarge an error of their weights tenfold); twice that, and
# less for q4_k, as beyond 1 nothing of the picture is left.
CONVERSIONS = {"bf16": ("safetensors", 0.05), "fp8": ("safetensors", 0.12), "q8_0": ("gguf", 0.06),
               "q4_k": ("gguf", 0.6)}


def test_convert():
    out = folder("converted")
    for name, (ending, _) in CONVERSIONS.items():
        path = out / f"{name}.{ending}"
        lines = run("convert", "--json", "--format", name, LDM, str(path)).lines()
        tensors = [line for line in lines if line["event"] == "tensor"]
        done = lines[-1]
        assert done["event"] == "done" and done["bytes"] == path.stat().st_size < 1.05 * os.path.getsize(LDM), done
        assert done["tensors"] == len(tensors) > 500 and done["converted"] > 30
        assert 0 < done["worst_relative_rms"] < (0.1 if name == "q4_k" else 0.03), done
        changed = [t for t in tensors if t["from"].lower() != t["to"]]
        assert len(changed) == done["converted"] and all(t["max_error"] < 1 for t in tensors)
        seen = run("inspect", "--json", str(path)).lines()[0]
        unet = seen["parts"]["U-Net"]
        assert sum(unet["formats"].values()) == unet["parameters"] and {"fp8": "f8_e4m3"}.get(name, name) in unet["formats"]
        assert seen["family"] == "SDXL" and not seen["missing"] and not seen["left_over"], seen
        assert seen["unknown"] == run("inspect", "--json", LDM).lines()[0]["unknown"]
        again = out / f"again-{name}.safetensors"  # what was quantised is read as any other
        run("convert", "--format", "bf16", str(path), str(again), expect=FAILED if name == "bf16" else DONE)
    assert b"relative rms" in run("convert", "--format", "fp8", "--force", LDM, str(out / "fp8.safetensors")).out
    assert not [n for n in names(out) if ".part" in n]


def test_convert_transformers():
    """FLUX.1 keeps its names, a T5 encoder gets llama.cpp's; both are read again as what they were."""
    out = folder("transformers")
    flux, t5 = out / "flux.gguf", out / "t5.gguf"
    run("convert", "--format", "q4_k", str(FIXTURES / "transformers/flux-dev-bfl.safetensors"), str(flux))
    seen = run("inspect", "--json", str(flux)).lines()[0]
    assert seen["family"] == "FLUX.1" and not seen["missing"] and not seen["unknown"], seen
    assert seen["parts"]["transformer"]["precision"] == "q4_k", seen
    run("convert", "--format", "q8_0", str(FIXTURES / "transformers/t5/model.safetensors"), str(t5))
    assert b"t5encoder" in t5.read_bytes() and b"enc.blk.0.attn_q.weight" in t5.read_bytes()
    seen = run("inspect", "--json", str(t5)).lines()[0]
    assert seen["parts"]["T5 text encoder"]["precision"] == "q8_0" and not seen["unknown"], seen


def test_convert_refuses():
    out = folder("refused")
    there = out / "there.gguf"
    there.write_bytes(b"mine")
    run("convert", LDM, str(out / "x.gguf"), expect=USAGE)
    run("convert", "--format", "q4_k", LDM, expect=USAGE)
    run("convert", "--format", "int3", LDM, str(out / "x.gguf"), expect=USAGE)
    run("convert", "--format", "q4_k", LDM, str(out / "x.safetensors"), expect=USAGE)
    run("convert", "--format", "q4_k", LDM, str(there), expect=FAILED)
    assert there.read_bytes() == b"mine"
    run("convert", "--format", "bf16", MODEL, str(out / "x.safetensors"), expect=USAGE)
    run("convert", "--format", "q8_0", MODEL, str(out / "x"), expect=USAGE)
    run("convert", "--format", "bf16", MODEL, str(out), expect=FAILED)
    run("convert", "--format", "bf16", str(FIXTURES / "tokenizer"), str(out / "x"), expect=FAILED)
    run("convert", "--format", "bf16", LDM, LDM, str(out / "x"), expect=USAGE)
    run("convert", "--format", "bf16", MODEL, str(out / "no/such/folder"), expect=FAILED)
    run("convert", "--format", "bf16", str(HOME / "nothing"), str(out / "x.safetensors"), expect=FAILED)
    run("convert", "--format", "q8_0", str(FIXTURES / "sd15-tiny/vae/diffusion_pytorch_model.safetensors"),
        str(out / "x.gguf"), expect=FAILED)
    run("convert", "--format", "bf16", LDM, str(out / "no/such/folder/x.safetensors"), expect=FAILED)
    run("convert", "--format", "q4_k", "--force", LDM, str(there))
    assert there.read_bytes()[:4] == b"GGUF" and names(out) == ["there.gguf"], names(out)


def test_convert_folder():
    """Weights in another format, shards in one file, the rest as it was; drawn with."""
    out = folder("folders")
    source = FIXTURES / "flux-tiny"
    run("convert", "--format", "bf16", str(source), str(out / "flux"))
    kept = [p for p in source.rglob("*") if p.is_file() and p.suffix != ".safetensors"]
    for path in kept:
        assert (out / "flux" / path.relative_to(source)).read_bytes() == path.read_bytes(), path
    seen = run("inspect", "--json", str(out / "flux")).lines()[0]
    assert {part["precision"] for part in seen["parts"].values()} == {"bf16"}, seen
    assert set(seen["parts"]) == {"transformer", "text encoder", "T5 text encoder", "VAE"}, seen
    assert not seen["missing"] and not seen["left_over"], seen
    sharded = FIXTURES / "taesd-tiny-sharded"
    run("convert", "--format", "bf16", str(sharded), str(out / "taesd"))
    assert [n for n in names(out / "taesd") if "safetensors" in n] == ["diffusion_pytorch_model.safetensors"]
    # what fp8 has no use for stays; small matrices stay, too
    run("convert", "--format", "fp8", str(source), str(out / "fp8"))
    assert names(out) == ["flux", "fp8", "taesd"], names(out)


def test_convert_several():
    out = folder("several")
    run("convert", "--format", "bf16", LDM, str(FIXTURES / "transformers/flux-dev-bfl.safetensors"), str(out))
    assert set(names(out)) == {pathlib.Path(LDM).name, "flux-dev-bfl.safetensors"}, names(out)


def test_convert_full_disk():
    out = folder("full")
    limit = 300000
    done = subprocess.run([CLI, "convert", "--format", "bf16", LDM, str(out / "x.safetensors")], capture_output=True,
                          env=environment(HOME), timeout=60,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.returncode == FAILED and b"disk is full" in done.stderr and done.stderr.count(b"\n") == 1, done.stderr
    assert names(out) == [], names(out)


def sparse_model(path, n_bytes):
    """A U-Net by its names, a hole by its content."""
    header = {"input_blocks.0.0.weight": {"dtype": "F16", "shape": [320, 4, 3, 3], "data_offsets": [0, 23040]},
              "big.weight": {"dtype": "F16", "shape": [n_bytes // 512, 256], "data_offsets": [23040, 23040 + n_bytes]}}
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.truncate(8 + len(text) + 23040 + n_bytes)


def test_convert_stops():
    out = folder("stopped")
    sparse_model(HOME / "sparse.safetensors", 4 << 30)
    process = subprocess.Popen([CLI, "convert", "--json", "--format", "q4_k", str(HOME / "sparse.safetensors"),
                                str(out / "x.gguf")], env=environment(HOME), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    assert json.loads(process.stdout.readline())["event"] == "progress"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == FAILED and b"Cancelled" in err, (process.returncode, err)
    assert names(out) == [], names(out)
    os.unlink(HOME / "sparse.safetensors")


def latent(model, name):
    path = HOME / f"latent-{name}.safetensors"
    run("generate", "--model", str(model), *SMALL[2:], "--seed", "3", "--latent-out", str(path), "--output",
        str(folder("latents")) + "/", "a red apple")
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    n = (len(data) - 8 - length) // 4
    return struct.unpack(f"<{n}f", data[8 + length:])


def test_convert_and_draw():
    """A U-Net in every format draws nearly what its source draws, and not the same."""
    exact = latent(MODEL, "source")
    seen = {exact}
    for name, (ending, allowed) in CONVERSIONS.items():
        model = HOME / f"model-{name}"
        shutil.copytree(MODEL, model)
        unet = model / "unet/diffusion_pytorch_model.safetensors"
        run("convert", "--format", name, str(unet), str(HOME / f"unet.{ending}"), "--force")
        shutil.move(HOME / f"unet.{ending}", unet)
        made = latent(model, name)
        error = max(abs(a - b) for a, b in zip(made, exact)) / max(map(abs, exact))
        assert 0 < error < allowed, (name, error)
        assert made not in seen
        seen.add(made)


if __name__ == "__main__":
    sys.exit(cli.main(globals()))
