#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""gesso-cli as scripts and people use it: exit status, messages, files, JSON.

Usage: cli.py GESSO_CLI SOURCE_ROOT.  Prints TAP; needs nothing but Python.
"""
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

CLI, ROOT = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
FIXTURES = ROOT / "tests/golden/fixtures"
MODEL = str(FIXTURES / "sd15-tiny")
DONE, FAILED, USAGE = 0, 1, 2
SMALL = ["--model", MODEL, "--width", "64", "--height", "48", "--steps", "2", "--precision", "f32", "--threads", "1"]
CANCEL_SECONDS = 0.5

# flag: values that are taken, values that are refused
FLAGS = {
    "model": ([MODEL], []),
    "model-2": ([""], []),
    "vae": ([str(FIXTURES / "sd15-tiny/vae")], []),
    "text-encoder": ([str(FIXTURES / "sd15-tiny/text_encoder")], []),
    "text-encoder-2": ([""], []),
    "image-encoder": ([""], []),
    "tiny-vae": ([str(FIXTURES / "taesd-tiny")], []),
    "prompt": (["a cat", ""], ["\xff".encode("latin1")]),
    "negative-prompt": (["blurry", ""], [b"\xc3"]),
    "adapters": (["[]", "", '[{"path": "%s", "weight": 0.5}]' % (FIXTURES / "adapters/loha.safetensors")],
                 ["x", "{}", "[1]"]),
    "seed": (["0", "18446744073709551615"], ["-1", "18446744073709551616", "x", "1.5", ""]),
    "width": (["64"], ["-8", "16392", "64px", ""]),
    "height": (["64"], ["-8", "16392", "nan"]),
    "steps": (["3"], ["-1", "1001", "3.5", "many"]),
    "sampler": (["auto", "euler", "euler_a", "heun", "dpm_2", "dpm_2_a", "lms", "ddim", "ddpm", "dpmpp_2s_a", "dpmpp_2m", "dpmpp_2m_sde",
                 "dpmpp_2m_sde_heun", "dpmpp_sde", "dpmpp_3m_sde", "res_multistep", "unipc", "unipc_bh2", "lcm", "tcd"],
                ["Eulerr", ""]),
    "schedule": (["auto", "normal", "karras", "exponential", "polyexponential", "sgm_uniform", "simple", "beta", "kl_optimal",
                  "linear_quadratic", "ays", "ddim_uniform",
                  "leading", "trailing", "linspace"], ["none", ""]),
    "guidance": (["7.5", "1", "0"], ["-1", "101", "nan", "inf", "-inf", "7,5", "1e999", ""]),
    "guidance-rescale": (["0.7"], ["1.1", "nan", "-0.1"]),
    "distilled-guidance": (["3.5", "0"], ["-1", "101", "nan"]),
    "flow-shift": (["1.15", "-1"], ["-1.5", "11", "inf"]),
    "max-tokens": (["256", "0"], ["-1", "4097", "2.5"]),
    "frames": (["17", "0"], ["-1", "4098", "4.5"]),
    "fps": (["16", "23.976", "0"], ["-1", "241", "nan"]),
    "shift": (["5", "0"], ["-1", "101", "inf"]),
    "guidance-2": (["3.5", "0"], ["-1", "101", "nan"]),
    "boundary": (["0.875", "-1"], ["-1.5", "1.1", "nan"]),
    "clip-skip": (["2"], ["13", "-1", "two"]),
    "denoise": (["0.5"], ["1.5", "-0.5", "NaN", "infinity"]),
    "init-image": ([str(FIXTURES / "init-48x32.png")], []),
    "mask-image": ([str(FIXTURES / "mask-48x32.png")], []),
    "mask-blur": (["0", "9"], ["-1", "65", "soft"]),
    "inpaint-fill": (["original", "latent_noise", "latent_nothing", "fill"], ["latent noise", ""]),
    "inpaint-area": (["whole", "masked"], ["only masked"]),
    "inpaint-padding": (["16"], ["-1", "1025"]),
    "reference-image": ([str(FIXTURES / "init-48x32.png")], []),
    "reference-image-2": ([str(FIXTURES / "init-48x32.png")], []),
    "reference-image-3": ([str(FIXTURES / "init-24x16.png")], []),
    "reference-image-4": ([str(FIXTURES / "init-48x32.png")], []),
    "reference-places": (["offset", "index", "uxo"], ["left"]),
    "control-image": ([str(FIXTURES / "init-48x32.png")], []),
    "controls": (["[]", "", '[{"model": "%s", "image": "%s"}]' % (FIXTURES / "control-sd15-tiny",
                                                                  FIXTURES / "init-48x32.png")], ["x", "{}", "[1]"]),
    "first-frame": ([str(FIXTURES / "init-48x32.png")], []),
    "last-frame": ([str(FIXTURES / "init-48x32.png")], []),
    "extend": ([""], []),
    "overlap": (["2", "0"], ["-1", "65", "1.5"]),
    "window": (["49", "0"], ["-1", "1026", "long"]),
    "batch-count": (["2"], ["0", "10001"]),
    "batch-size": (["2"], ["0", "65"]),
    "noise": (["cpu", "nv"], ["gpu"]),
    "weighting": (["auto", "a1111", "a1111_no_norm", "comfyui", "none"], ["compel"]),
    "empty-negative": (["auto", "zeros", "encode"], ["maybe"]),
    "convention": (["auto", "comfyui", "diffusers"], ["a1111"]),
    "prediction": (["auto", "epsilon", "v"], ["x0"]),
    "zero-terminal-snr": (["auto", "on", "off"], ["1"]),
    "eta": (["0.5", "-1"], ["-2", "nan", "11"]),
    "precision": (["auto", "f32", "bf16"], ["f16"]),
    "vae-tile": (["64"], ["-8", "8200"]),
    "model-hash": (["0123abcd"], []),
    "level": (["ref"], ["mmx"]),
    "threads": (["1", "0"], ["-1", "257", "one", ""]),
}
LETTERS = {"m": "model", "p": "prompt", "n": "negative-prompt", "s": "seed", "W": "width", "H": "height", "S": "steps",
           "g": "guidance", "d": "denoise", "i": "init-image", "c": "batch-count", "b": "batch-size"}


class Result:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def lines(self):
        return [json.loads(line) for line in self.out.decode().splitlines()]


def environment(home, **more):
    env = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "GESSO_DATA": str(ROOT / "data"), "LC_ALL": "C.UTF-8"}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "GESSO_LEVEL"):
        if name in os.environ:
            env[name] = os.environ[name]
    return env | more


HOME = pathlib.Path(tempfile.mkdtemp(prefix="gesso-cli-"))


def run(*args, expect=DONE, **env):
    done = subprocess.run([CLI, *args], env=environment(HOME, **env), capture_output=True, timeout=100)
    result = Result(done)
    assert result.status == expect, f"{args}: exit status {result.status}, stdout {result.out[-300:]}, stderr {result.err}"
    if expect != DONE:
        assert_one_line(result)
    return result


def assert_one_line(result):
    text = result.err.decode(errors="replace")
    assert text.startswith("gesso-cli: ") and text.count("\n") == 1 and text.endswith("\n"), f"stderr is {text!r}"
    assert text.rstrip("\n")[-1] in ".?!", f"no sentence: {text!r}"


def folder(name):
    path = HOME / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def names(path):
    return sorted(p.name for p in path.iterdir())


# ---- PNG ----

def png_chunks(path):
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0]
        yield kind, body
        at += 12 + size


def unfilter(kind, row, above):
    out = bytearray(row)
    for i in range(len(out)):
        a, b, c = (out[i - 3] if i >= 3 else 0), above[i], (above[i - 3] if i >= 3 else 0)
        if kind == 4:
            p, candidates = a + b - c, (a, b, c)
            predicted = min(candidates, key=lambda v: abs(p - v))
        else:
            predicted = (0, a, b, (a + b) // 2)[kind]
        out[i] = (out[i] + predicted) & 255
    return out


def pixels(path):
    """Width, height and the RGB bytes of an 8-bit RGB PNG."""
    packed = b""
    for kind, body in png_chunks(path):
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert (depth, colour, interlace) == (8, 2, 0)
        elif kind == b"IDAT":
            packed += body
    raw, above, out = zlib.decompress(packed), bytes(3 * width), bytearray()
    for y in range(height):
        start = y * (3 * width + 1)
        above = unfilter(raw[start], raw[start + 1:start + 1 + 3 * width], above)
        out += above
    return width, height, bytes(out)


def recipe_of(path):
    return json.loads(run("recipe", str(path)).out)


def generate(out, *args, **more):
    run("generate", *SMALL, "--output", str(out), *args, **more)
    return pixels(out)


def largest_difference(a, b):
    assert a[:2] == b[:2]
    return max(abs(x - y) for x, y in zip(a[2], b[2]))


# ---- tests ----

def test_help_and_version():
    for args in ((), ("help",), ("--help",), ("-h",)):
        assert b"generate" in run(*args).out
    assert run("--version").out.startswith(b"Gesso ")
    for command in ("generate", "plan", "inspect", "convert", "recipe", "models", "devices"):
        assert b"Usage: gesso-cli " + command.encode() in run(command, "--help").out


def test_usage_errors():
    for args in (("paint",), ("generate", "--nonsense"), ("generate", "-Z"), ("generate", "--steps"),
                 ("generate", "-S"), ("inspect",), ("recipe",), ("recipe", "a", "b")):
        result = run(*args, expect=USAGE)
        assert result.out == b"", result.out
    assert b"--nonsense" in run("generate", "--nonsense", expect=USAGE).err
    assert b"paint" in run("paint", expect=USAGE).err


def test_every_flag_of_the_help_is_tested():
    text = run("generate", "--help").out.decode()
    listed = {word[2:] for line in text.splitlines() for word in line.split()[:2] if word.startswith("--")}
    # tests/device/backend.py tries the last two
    own = {"lora", "control", "control-preprocessor", "control-resize", "output", "latent-out", "json", "help", "preview", "resume", "backend", "vram-limit"}
    assert listed - own == set(FLAGS) - own, listed ^ set(FLAGS)


def test_flags_take_valid_values():
    # eight at a time: a plan measures the processor for 60 ms
    args = ["plan", *SMALL[:-4], "--init-image", FLAGS["init-image"][0][0], "--json"]
    for which in (0, -1):
        flags = [(f"--{flag}", good[which]) for flag, (good, _) in FLAGS.items()]
        for i in range(0, len(flags), 8):
            run(*args, *(word for flag in flags[i:i + 8] for word in flag))
    for flag in ("sampler", "schedule", "weighting"):
        for value in FLAGS[flag][0]:
            run("generate", *SMALL, "--output", str(HOME / "v.png"), f"--{flag}", value, "a (cat:1.2)",
                expect=DONE)
    for letter, flag in LETTERS.items():
        run("plan", *SMALL[:-4], "-i", FLAGS["init-image"][0][0], f"-{letter}", FLAGS[flag][0][0])


def test_flags_refuse_invalid_values():
    for flag, (_, bad) in FLAGS.items():
        for value in bad:
            command = [CLI, "generate", *SMALL, "--output", str(HOME / "bad.png"), f"--{flag}", value, "x"]
            done = Result(subprocess.run(command, env=environment(HOME), capture_output=True, timeout=60))
            expected = (FAILED,) if flag == "level" else (USAGE,)
            assert done.status in expected, f"--{flag} {value!r}: {done.status} {done.err}"
            assert_one_line(done)
    assert not (HOME / "bad.png").exists()


def test_generate_writes_a_picture_with_its_recipe():
    out = HOME / "a.png"
    prompt = "a cat, (red hat:1.2)"
    first = generate(out, "--seed", "7", "--sampler", "dpmpp_2m", "--guidance", "4.5", prompt)
    assert first[:2] == (64, 48) and len(set(first[2])) > 10
    recipe = recipe_of(out)
    assert recipe["prompt"] == prompt and recipe["seed"] == 7 and recipe["sampler"] == "dpmpp_2m", recipe
    assert recipe["guidance_scale"] == 4.5 and recipe["width"] == 64 and recipe["batch_size"] == 1
    keys = {kind + body.split(b"\0")[0] for kind, body in png_chunks(out) if kind in (b"tEXt", b"iTXt")}
    assert {k[4:] for k in keys} == {b"parameters", b"gesso"}, keys


def flags_of(recipe):
    for key, value in recipe.items():
        if key not in ("version",) and value not in ("", None):
            flag = key.replace("guidance_scale", "guidance").replace("_", "-")
            yield from (f"--{flag}", str(value))


def test_recipe_gives_the_same_pixels_again():
    for i, args in enumerate((("--sampler", "euler_a", "--clip-skip", "2"), ("--schedule", "karras", "--noise", "nv"),
                              ("--init-image", str(FIXTURES / "init-48x32.png"), "--denoise", "0.6"))):
        out, again = HOME / f"r{i}.png", HOME / f"again{i}.png"
        first = generate(out, "--seed", "99", *args, "a [cat:dog:0.5] \u00e9\u20ac")
        recipe = recipe_of(out)
        run("generate", *flags_of(recipe), "--threads", "1", "--output", str(again))
        assert pixels(again) == first, args
        assert recipe_of(again) == recipe


def test_latent_out_is_a_safetensors_file():
    latent = HOME / "latent.safetensors"
    generate(HOME / "l.png", "--latent-out", str(latent), "a cat")
    data = latent.read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    assert header == {"latent": {"dtype": "F32", "shape": [1, 4, 12, 16], "data_offsets": [0, 3072]}}, header
    assert n % 8 == 0 and len(data) == 8 + n + 3072
    values = struct.unpack("<768f", data[8 + n:])
    assert all(abs(v) < 100 for v in values) and len(set(values)) > 700


def test_preview_is_a_picture():
    """Of one pixel a latent, or by TAESD: one that is named, or that lies beside the model."""
    out, alone = HOME / "preview.png", folder("alone") / "model"
    alone.symlink_to(FIXTURES / "sd15-tiny")
    for size, args in (((16, 12), ["--model", str(alone)]),
                       ((64, 48), ["--model", str(alone), "--tiny-vae", str(FIXTURES / "taesd-tiny")]),
                       ((64, 48), [])):
        generate(HOME / "p.png", "--preview", str(out), *args, "a cat")
        assert pixels(out)[:2] == size, (size, args)


def test_says_which_flags_help():
    nowhere = "/nowhere/libgesso-cuda.so"
    card = run("generate", *SMALL, "--backend", "cuda", "x", expect=FAILED, GESSO_CUDA_MODULE=nowhere).err
    assert b"The CPU can compute instead: give --backend cpu." in card, card
    model = run("generate", "--model", "no-such-model", "x", expect=FAILED).err
    assert b"`gesso-cli models`" in model and b"Preferences" not in model, model


def test_json_progress_increases():
    out = folder("json")
    lines = run("generate", *SMALL, "--steps", "4", "--batch-count", "2", "--json", "--output", f"{out}/", "a cat").lines()
    assert {line["event"] for line in lines} == {"progress", "result"}
    for picture in (0, 1):
        steps = [line for line in lines if line["event"] == "progress" and line["picture"] == picture]
        assert [s["phase"] for s in steps if s["done"] == s["total"]] == ["text", "denoise", "decode"], steps
        assert [s["done"] for s in steps if s["phase"] == "denoise"] == [1, 2, 3, 4]
        assert all(0 < s["done"] <= s["total"] and s["eta_s"] >= 0 for s in steps)
    results = [line for line in lines if line["event"] == "result"]
    assert [r["seed"] - results[0]["seed"] for r in results] == [0, 1]
    assert sorted(pathlib.Path(r["file"]).name for r in results) == names(out)


def on_a_terminal(*args):
    """What the command draws where its standard error is a terminal: one text for each time the line is drawn."""
    ours, its = pty.openpty()
    process = subprocess.Popen([CLI, *args], env=environment(HOME), stdout=subprocess.DEVNULL, stderr=its)
    os.close(its)
    drawn = b""
    try:
        while data := os.read(ours, 65536):
            drawn += data
    except OSError:  # the last one who had it open is gone
        pass
    os.close(ours)
    assert process.wait(timeout=60) == DONE, drawn
    return [line for line in drawn.decode().split("\r\x1b[K") if line]


def test_time_left_ends_with_its_phase():
    lines = on_a_terminal("generate", *SMALL, "--steps", "4", "--output", str(HOME / "bar.png"), "a cat")
    denoise = [line for line in lines if line.startswith("denoise")]
    assert [re.search(r"(\d)/4", line)[1] for line in denoise] == ["1", "2", "3", "4"], lines
    assert all(re.search(r", [1-9]\d* s left$", line) for line in denoise[:-1]), denoise
    ends = [line for line in lines if re.search(r" (\d+)/\1\b", line)]
    assert len(ends) == 3 and not any("left" in line for line in ends), lines


def test_batch_is_its_pictures_alone():
    out = folder("batch")
    run("generate", *SMALL, "--seed", "5", "--batch-size", "2", "--batch-count", "2", "--sampler", "euler_a",
        "--output", f"{out}/", "a cat")
    assert len(names(out)) == 4
    for i, name in enumerate(names(out)):
        assert recipe_of(out / name)["seed"] == 5 + i
        alone = generate(HOME / "alone.png", "--seed", str(5 + i), "--sampler", "euler_a", "a cat")
        # sums of a few rows and of many differ in their last bits, so a rounding may
        assert largest_difference(pixels(out / name), alone) <= 1


def test_output_names():
    out = folder("out")
    for _ in range(2):
        run("generate", *SMALL, "--output", str(out), "A  Cat!")
    assert names(out) == ["a-cat-00001.png", "a-cat-00002.png"], names(out)
    run("generate", *SMALL, "--output", f"{out}/deep/er/", "x")
    assert names(out / "deep/er") == ["x-00001.png"]
    generate(out / "same.png", "one")
    generate(out / "same.png", "two")
    assert recipe_of(out / "same.png")["prompt"] == "two"
    run("generate", *SMALL, "--output", str(out / "one.png"), "--batch-size", "2", "x", expect=FAILED)
    run("generate", *SMALL, "--output", "", "x", expect=FAILED)
    run("generate", *SMALL, "--output", f"{HOME}/no/such/folder/a.png", "x", expect=FAILED)
    run("generate", *SMALL, "--output", f"{out}/same.png/a.png", "x", expect=FAILED)
    assert not (out / "one.png").exists()


def test_home_without_pictures():
    home = folder("newcomer")
    run("generate", *SMALL, "a cat", HOME=str(home))
    assert names(home / "Pictures/Gesso") == ["a-cat-00001.png"]
    config = folder("newcomer/.config")
    (config / "user-dirs.dirs").write_text('XDG_PICTURES_DIR="$HOME/Bilder"\n')
    run("generate", *SMALL, "a cat", HOME=str(home))
    assert names(home / "Bilder/Gesso") == ["a-cat-00001.png"]


def test_prompts_of_every_kind():
    out = folder("prompts")
    prompts = ["a \U0001f431\u200d\U0001f680 cat", "say \"no\" 'yes' \\ back", "two\nlines\ttab", "\u732b", "((((", "",
               "a:b:c", "[x", "-", "very long " * 200]
    for prompt in prompts:
        line = run("generate", *SMALL, "--json", "--output", f"{out}/", f"--prompt={prompt}").lines()[-1]
        assert recipe_of(line["file"])["prompt"] == prompt, prompt
    assert len(names(out)) == len(prompts)


def test_locales():
    for locale in ("C", "de_DE.UTF-8", "tr_TR.UTF-8", "none"):
        out = HOME / "locale.png"
        generate(out, "--guidance", "4.5", "a cat", LC_ALL=locale)
        assert recipe_of(out)["guidance_scale"] == 4.5
        assert run("plan", "--json", *SMALL, LC_ALL=locale).lines()[0]["seconds"] >= 0


def test_file_names_that_are_no_text():
    """Linux file names are bytes; JSON is UTF-8 all the same."""
    out = os.fsencode(folder("bytes")) + b"/\xff\"\n.png"
    lines = run("generate", *SMALL, "--json", "--output", out, "x").lines()
    assert lines[-1]["file"].endswith('/\ufffd"\n.png') and os.path.exists(out)
    lines = run("inspect", "--json", b"no\xffsuch\nfile", expect=FAILED).lines()
    assert "no\ufffdsuch\nfile" in lines[0]["message"], lines


def test_init_image():
    init = str(FIXTURES / "init-48x32.png")
    out = HOME / "i.png"
    args = ["generate", *SMALL[:2], *SMALL[6:], "--steps", "2", "--output", str(out)]
    run(*args, "--init-image", init, "--denoise", "0.5", "a cat")
    assert pixels(out)[:2] == (48, 32) # the picture's own size
    run(*args, "--init-image", init, "--denoise", "0.5", "--width", "24", "a cat")
    assert pixels(out)[:2] == (24, 16)
    run(*args, "--init-image", str(HOME / "none.png"), "a cat", expect=FAILED)
    run(*args, "--init-image", MODEL + "/model_index.json", "a cat", expect=FAILED)


def grey_png(path, width, height, value):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes([value]) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return str(path)


def changed_box(a, b):
    """Box (x0, y0, x1, y1) of the pixels in which two pictures differ."""
    (width, height, p), (width_b, height_b, q) = a, b
    assert (width, height) == (width_b, height_b)
    at = [i // 3 for i in range(3 * width * height) if p[i] != q[i]]
    xs, ys = [i % width for i in at], [i // width for i in at]
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1


def test_masks():
    init, mask = str(FIXTURES / "init-48x32.png"), str(FIXTURES / "mask-48x32.png")  # white: 14 .. 37, 6 .. 26
    out = HOME / "m.png"
    args = ["generate", *SMALL[:2], *SMALL[6:], "--steps", "2", "--init-image", init, "--output", str(out)]
    run(*args, "--mask-image", mask, "--mask-blur", "0", "a cat")
    assert changed_box(pixels(out), pixels(init)) == (14, 6, 38, 27), changed_box(pixels(out), pixels(init))
    assert recipe_of(out)["mask_image"] == mask
    assert any(b"Mask blur: 0" in body for _, body in png_chunks(out))
    for more in (["--inpaint-fill", "fill"], ["--inpaint-fill", "latent_noise", "--convention", "comfyui"]):
        run(*args, "--mask-image", mask, "--mask-blur", "0", *more, "a cat")
        assert changed_box(pixels(out), pixels(init)) == (14, 6, 38, 27)
    run(*args, "--mask-image", mask, "--mask-blur", "0", "--inpaint-area", "masked", "--inpaint-padding", "2",
        "--width", "64", "--height", "64", "a cat")
    assert changed_box(pixels(out), pixels(init)) == (14, 6, 38, 27)
    large = run(*args, "--mask-image", grey_png(HOME / "white.png", 96, 64, 255), "a cat")
    assert b"the mask was resized" in large.err, large.err
    black = run(*args, "--mask-image", grey_png(HOME / "black.png", 48, 32, 0), "a cat", expect=FAILED)
    assert b"all black" in black.err
    alone = run("generate", *SMALL, "--mask-image", mask, "--output", str(out), "a cat", expect=FAILED)
    assert b"no init_image" in alone.err


def test_recipe_of_a_workflow():
    """Of what ComfyUI's window saves, and of the comment that VideoHelperSuite gives its films."""
    graphs = FIXTURES.parent.parent / "unit" / "graphs"
    wanted = recipe_of(graphs / "wan22-t2v.prompt.json")
    assert wanted["frames"] == 49 and wanted["guidance_scale_2"] == 3 and "low_noise" in wanted["model_2"], wanted
    assert recipe_of(graphs / "wan22-t2v.workflow.json") == wanted
    said = run("recipe", str(graphs / "wan21-flf.prompt.json")).err
    assert b"ComfyUI" in said and b"dawn.png" in said, said


def test_few_steps_are_offered():
    """By the LoRA's name, and by what the model's file says of itself; only where the steps are far from it."""
    lora = HOME / "loras" / "dmd2_sdxl_4step_lora.safetensors"
    lora.parent.mkdir(exist_ok=True)
    shutil.copy(FIXTURES / "adapters/sd15-kohya.safetensors", lora)
    few = ["plan", *SMALL[:-2], "--lora", str(lora)]
    said = run(*few, "--steps", "28", "x").err
    assert b"DMD2" in said and b"--steps 4 --guidance 1 --sampler lcm --schedule sgm_uniform" in said, said
    assert b"DMD2" not in run(*few, "--steps", "4", "--guidance", "1", "x").err
    assert b"few steps" not in run("plan", *SMALL, "--steps", "28", "x").err


def test_failures_name_the_cause():
    assert b"nonesuch" in run("generate", *SMALL, "--model", "nonesuch", "x", expect=FAILED).err
    assert b"multiple" in run("generate", *SMALL, "--width", "63", "x", expect=FAILED).err
    garbage = HOME / "garbage.safetensors"
    garbage.write_bytes(b"nothing that anyone could draw with" * 99)
    assert b"garbage" in run("generate", *SMALL, "--model", str(garbage), "x", expect=FAILED).err
    assert b"quotes" in run("generate", *SMALL, "a", "cat\nhat", expect=FAILED).err
    lines = run("generate", "--json", *SMALL, "--model", "nonesuch", "x", expect=FAILED).lines()
    assert lines[-1]["event"] == "error" and "nonesuch" in lines[-1]["message"]
    run("recipe", str(garbage), expect=FAILED)
    run("recipe", str(FIXTURES / "init-48x32.png"), expect=FAILED)


def plan(model):
    got = run("plan", "--json", *SMALL, "--model", str(model), "a cat").lines()
    assert len(got) == 1
    return got[0]


def without_times(p):
    p = {k: v for k, v in p.items() if k not in ("seconds", "gflops", "model")}
    for phase in p["phases"].values():
        phase.pop("seconds")
    return p


def test_plan():
    whole = plan(MODEL)
    assert whole["family"] == "SD 1.5" and whole["phases"]["denoise"]["passes"] == 2
    assert whole["phases"]["denoise"]["activation_bytes"] >= whole["phases"]["denoise"]["bound_bytes"] > 0
    assert whole["peak_bytes"] == whole["scratch_bytes"] + max(p["activation_bytes"] for p in whole["phases"].values())
    larger = run("plan", "--json", *SMALL, "--width", "128", "x").lines()[0]
    assert larger["phases"]["decode"]["activation_bytes"] > whole["phases"]["decode"]["activation_bytes"]
    assert b"memory" in run("plan", *SMALL, "x").out
    tiled = run("plan", "--json", *SMALL, "--width", "128", "--vae-tile", "64", "x").lines()[0]
    assert tiled["vae_tile"] == 64 and tiled["phases"]["decode"]["passes"] > 1


def test_plan_reads_headers_only():
    """The same plan from a model whose weights are holes; a file that ends behind its header is called cut short."""
    for cut in (False, True):
        model = HOME / f"headers-{cut}"
        shutil.copytree(MODEL, model)
        for file in model.rglob("*.safetensors"):
            data = file.read_bytes()
            file.write_bytes(data[:8 + struct.unpack("<Q", data[:8])[0]])
            if not cut:
                os.truncate(file, len(data))
    assert without_times(plan(HOME / "headers-False")) == without_times(plan(MODEL))
    assert b"cut short" in run("plan", *SMALL, "--model", str(HOME / "headers-True"), expect=FAILED).err


FLUX = ["--model", str(FIXTURES / "flux-tiny"), "--width", "24", "--height", "16", "--steps", "2", "--precision", "f32",
        "--threads", "1", "--max-tokens", "16"]


def test_flux():
    out = HOME / "flux.png"
    run("generate", *FLUX, "--output", str(out), "--seed", "5", "a (red) fox")
    recipe = recipe_of(out)
    assert recipe["distilled_guidance"] == 3.5 and recipe["guidance_scale"] == 1 and recipe["weighting"] == "none", recipe
    texts = dict(body.split(b"\0", 1) for kind, body in png_chunks(out) if kind == b"tEXt")
    assert b"Distilled CFG Scale: 3.5" in texts[b"parameters"], texts
    again = HOME / "again.png"
    run("generate", *flags_of(recipe), "--output", str(again), "--threads", "1")
    assert pixels(again) == pixels(out)
    other = HOME / "other.png"
    run("generate", *FLUX, "--output", str(other), "--seed", "5", "--sampler", "dpmpp_2m_sde", "a (red) fox")
    assert recipe_of(other)["convention"] == "comfyui" and pixels(other) != pixels(out)
    assert b"TCD" in run("generate", *FLUX, "--sampler", "tcd", "x", expect=FAILED).err
    assert b"Align Your Steps" in run("generate", *FLUX, "--schedule", "ays", "x", expect=FAILED).err
    got = run("plan", "--json", *FLUX, "a fox").lines()[0]
    assert got["family"] == "FLUX.1" and got["phases"]["denoise"]["once_weight_bytes"] > 0, got
    assert b"before the first step" in run("plan", *FLUX, "a fox").out
    reference = ["--reference-image", str(FIXTURES / "init-48x32.png")]
    got = run("plan", "--json", *FLUX, *2 * reference, "--reference-places", "index", "a fox").lines()[0]
    assert got["phases"]["encode"]["passes"] == 2, got
    assert b"more than 4 reference images" in run("plan", *FLUX, *5 * reference, "a fox", expect=USAGE).err


def test_lone_transformer_says_what_it_lacks():
    """One sentence for all that is missing; what is beside it or in the models' folders is found."""
    home = folder("flux/models/diffusion_models")
    model = home / "flux1-tiny.safetensors"
    shutil.copy(FIXTURES / "flux-tiny/transformer/diffusion_pytorch_model.safetensors", model)
    err = run("generate", *FLUX, "--model", str(model), "x", expect=FAILED).err
    assert all(word in err for word in (b"clip_l", b"t5xxl", b"ae.safetensors", b"text_encoders")), err
    shutil.copy(FIXTURES / "flux-tiny/text_encoder/model.safetensors", folder("flux/models/text_encoders") / "clip_l.safetensors")
    err = run("generate", *FLUX, "--model", str(model), "x", expect=FAILED).err
    assert b"clip_l" not in err and b"t5xxl" in err, err


def test_inspect():
    ldm = str(FIXTURES / "sdxl-tiny-ldm.safetensors")
    lines = run("inspect", "--json", MODEL, ldm).lines()
    assert [line["family"] for line in lines] == ["SD 1.5", "SDXL"]
    assert lines[0]["layout"] != lines[1]["layout"] and lines[1]["container"] == "safetensors"
    assert not lines[0]["missing"] and not lines[0]["unknown"], lines[0]
    assert lines[0]["parts"]["U-Net"]["parameters"] > 1000 and lines[0]["parts"]["VAE"]["precision"] == "f16"
    assert b"U-Net" in run("inspect", MODEL).out
    for name in ("hf", "wan.safetensors"):
        told = run("inspect", str(FIXTURES / "vision" / name)).out
        assert b"one network: CLIP image encoder, 3 layers of 24, pictures of 12 x 12" in told, told
    garbage = HOME / "garbage.ckpt"
    garbage.write_bytes(bytes(range(256)) * 40)
    result = run("inspect", "--json", str(garbage), expect=FAILED)
    assert result.lines()[0]["event"] == "error"
    result = Result(subprocess.run([CLI, "inspect", "--json", str(garbage), MODEL], env=environment(HOME),
                                   capture_output=True, timeout=60))
    assert result.status == FAILED and result.lines()[1]["family"] == "SD 1.5"


def test_inspect_adapter():
    files = FIXTURES / "adapters"
    fitting, other = run("inspect", "--json", "--model", MODEL, str(files / "sd15-kohya.safetensors"),
                         str(files / "sdxl-kohya.safetensors")).lines()
    assert fitting["type"] == "adapter" and fitting["kinds"].startswith("LoRA") and fitting["rank"] == [3, 3]
    assert fitting["fits"] and fitting["layers_placed"] == fitting["layers"] == 15 and not fitting["unmatched"]
    assert other["family"] == "SDXL" and not other["fits"] and "but the model is SD 1.5" in other["reason"]
    text = run("inspect", "--model", MODEL, str(files / "lokr-tucker.safetensors")).out
    assert b"LoKr" in text and b"3 of 3 layers placed" in text


def test_inspect_says_what_follows_a_control_picture():
    control = str(FIXTURES / "adapters/flux/control.safetensors")
    line = run("inspect", "--json", "--model", str(FIXTURES / "flux-tiny"), control).lines()[0]
    assert line["fits"] and line["control"] and not line["unmatched"], line
    assert b"follows a control picture" in run("inspect", "--model", str(FIXTURES / "flux-tiny"), control).out


def embedding(**widths):
    """A file of three vectors for each encoder."""
    header, at = {}, 0
    for name, width in widths.items():
        header[name] = {"dtype": "F16", "shape": [3, width], "data_offsets": [at, at + 6 * width]}
        at += 6 * width
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(at)


def test_inspect_embedding():
    files = FIXTURES / "adapters/embeddings"
    for name in ("fruit-a1111.pt", "fruit-diffusers.bin", "fruit-list.pt", "fruit-params.safetensors", "fruit-xl.safetensors"):
        line = run("inspect", "--json", str(files / name)).lines()[0]
        assert line["type"] == "embedding" and line["vectors"] > 0 and line["word"] == name.split(".")[0], line
    for widths, family in ((dict(emb_params=768), "SD 1.5"), (dict(clip_l=768, clip_g=1280), "SDXL"),
                           (dict(emb_params=1024), "SD 2"), (dict(emb_params=40), "unknown")):
        (HOME / "bad-hands.safetensors").write_bytes(embedding(**widths))
        line = run("inspect", "--json", str(HOME / "bad-hands.safetensors")).lines()[0]
        assert (line["family"], line["vectors"], line["word"]) == (family, 3, "bad-hands"), line
    text = run("inspect", str(files / "fruit-a1111.pt")).out
    assert b"textual inversion" in text and b"embedding:fruit-a1111" in text, text
    told = run("generate", "--model", str(files / "fruit-a1111.pt"), "x", expect=FAILED).err
    assert b"folder of embeddings" in told, told


def adapter_header(metadata):
    """A LoRA of one layer with @metadata."""
    layer = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    header = {"__metadata__": metadata}
    header[layer + ".lora_up.weight"] = dict(dtype="F32", shape=[32, 1], data_offsets=[0, 128])
    header[layer + ".lora_down.weight"] = dict(dtype="F32", shape=[1, 32], data_offsets=[128, 256])
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + struct.pack("<64f", *[0.5] * 64)


def test_inspect_shows_trigger_words_and_settings():
    file = HOME / "words.safetensors"
    tags = {"10_ink": {"inkstyle": 40, "1girl": 7}, "5_more": {"inkstyle": 2, " tree": 9}}
    file.write_bytes(adapter_header({
        "ss_tag_frequency": json.dumps(tags), "ss_output_name": "inky", "ss_resolution": "(512, 512)",
        "ss_base_model_version": "sd_v1", "modelspec.trigger_phrase": "inkstyle",
    }))
    line = run("inspect", "--json", str(file)).lines()[0]
    assert line["family"] == "SD 1.5" and line["trigger"] == "inkstyle"
    assert line["tags"][:2] == [dict(tag="inkstyle", count=42), dict(tag="tree", count=9)]
    assert line["settings"]["output name"] == "inky" and line["settings"]["resolution"] == "(512, 512)"
    assert b"trigger words: inkstyle" in run("inspect", str(file)).out


def test_lora():
    """By name from a folder like ComfyUI's, by what the trainer called it, by path; missing ones are named."""
    root = HOME / "comfyui/models"
    for name in ("loras/people", "checkpoints", "embeddings"):
        (root / name).mkdir(parents=True)
    shutil.copy(FIXTURES / "adapters/sd15-kohya.safetensors", root / "loras/people/her.safetensors")
    shutil.copy(FIXTURES / "adapters/embeddings/fruit-params.safetensors", root / "embeddings/fruit.safetensors")
    (root / "loras/v3.safetensors").write_bytes(adapter_header({"ss_output_name": "inky"}))
    env = {"GESSO_MODELS": str(root / "checkpoints")}
    out = HOME / "lora.png"

    def draw(*more):
        run("generate", *SMALL, "--seed", "1", "--output", str(out), *more, **env)
        return pixels(out)

    plain, with_lora = draw("a fox"), draw("--lora", "her:0.8:0.5", "a fox")
    assert plain != with_lora
    assert draw("--lora", "her:0", "a fox") == plain
    assert draw("a fox <lora:people/her:0.5:0.8>") == with_lora
    assert draw("--lora", str(root / "loras/people/her.safetensors") + ":0.8:0.5", "a fox") == with_lora
    assert draw("--lora", "inky", "a fox") != plain
    assert draw("a fruit") != draw("a vegetable") and draw("a embedding:fruit") == draw("a fruit")
    missing = run("generate", *SMALL, "--output", str(out), "a fox <lora:nowhere:1>", expect=FAILED, **env)
    assert b'no adapter "nowhere"' in missing.err
    missing = run("generate", *SMALL, "--output", str(out), "a embedding:nowhere", expect=FAILED, **env)
    assert b'no embedding "nowhere"' in missing.err
    plans = [run("plan", "--json", *SMALL, *more, "x", **env).lines()[0] for more in ([], ["--lora", "her"])]
    assert plans[0]["adapter_bytes"] == 0 < plans[1]["adapter_bytes"]
    assert plans[1]["phases"]["denoise"]["flops_a_pass"] > plans[0]["phases"]["denoise"]["flops_a_pass"]


def test_control():
    """By path and by name; what is made of the picture; what a recipe keeps; what is wrong is named."""
    root = HOME / "control/models"
    for name in ("controlnet", "checkpoints"):
        (root / name).mkdir(parents=True)
    shutil.copy(FIXTURES / "control-sd15-eighth-ldm.safetensors", root / "controlnet/eighth.safetensors")
    net, other = str(FIXTURES / "control-sd15-tiny"), str(FIXTURES / "control-sd15-tiny-2")
    image, out, env = str(FIXTURES / "init-48x32.png"), HOME / "control.png", {"GESSO_MODELS": str(root / "checkpoints")}

    def draw(*more):
        run("generate", *SMALL, "--seed", "1", "--output", str(out), *more, "a fox", **env)
        return pixels(out)

    plain, with_net = draw(), draw("--control", f"{net}:{image}:0.7")
    assert plain != with_net and draw("--control", f"{net}:{image}:0") == plain
    assert draw("--control", f"{net}:{image}:0.7:0:1") == with_net
    assert draw("--control", f"{net}:{image}:0.7", "--control", f"{other}:{image}:0.5") != with_net
    edges = draw("--control", f"{net}:{image}:0.7", "--control-preprocessor", "canny:20:40", "--control-resize", "fill")
    assert edges != with_net
    item = recipe_of(out)["controls"][0]
    assert item == {"model": net, "image": image, "preprocessor": "canny", "resize": "fill", "a": 20, "b": 40,
                    "weight": 0.7, "start": 0, "end": 1}, item
    assert b"ControlNet 0: " in b"".join(body for _, body in png_chunks(out))
    plans = [run("plan", "--json", *SMALL, *more, "x", **env).lines()[0]
             for more in ([], ["--control", f"{net}:{image}"])]
    assert [p["controls"] for p in plans] == [0, 1]
    for key in ("activation_bytes", "weight_bytes", "flops_a_pass"):
        assert plans[0]["phases"]["denoise"][key] < plans[1]["phases"]["denoise"][key], key
    for expect, args, sentence in (
        (USAGE, ["--control", "x"], b"FILE:IMAGE"),
        (USAGE, ["--control", f"{'n' * 5000}:{image}"], b"at most 4093 bytes"),
        (USAGE, ["--control", f"{net}:{'/i' * 3000}"], b"at most 4093 bytes"),
        (USAGE, ["--control", f"{net}:{image}:1:0.8:0.2"], b"before it starts at 0.8"),
        (USAGE, ["--control", f"{net}:{image}:11"], b"from -10 to 10"),
        (USAGE, ["--control-resize", "fill"], b"there is none"),
        (USAGE, ["--control", f"{net}:{image}", "--control-preprocessor", "hed"], b"one of none, canny"),
        (USAGE, ["--control", f"{net}:{image}", "--control-resize", "wide"], b"one of crop, fill, stretch"),
        (FAILED, ["--control", f"nobody:{image}"], b'no ControlNet "nobody"'),
        (FAILED, ["--control", f"{net}:/nowhere.png"], b"/nowhere.png"),
        (FAILED, ["--control", f"eighth:{image}"], b"belongs to another model"),
        (FAILED, ["--control", f"{FIXTURES / 'control-sdxl-tiny'}:{image}"], b"is a ControlNet for SDXL"),
    ):
        refused = run("generate", *SMALL, "--output", str(HOME / "no.png"), *args, "x", expect=expect, **env)
        assert sentence in refused.err, refused.err
    assert not (HOME / "no.png").exists()
    line = run("inspect", "--json", net).lines()[0]
    assert line["alone"] == "ControlNet for SD 1.5" and not line["missing"] and not line["left_over"], line


def test_folders_of_the_window_are_searched():
    """The library writes down where it looks; a whole ComfyUI may be named."""
    data, root = HOME / "data", HOME / "ui"
    (root / "models/loras").mkdir(parents=True)
    (data / "gesso").mkdir(parents=True)
    shutil.copy(FIXTURES / "adapters/rslora.safetensors", root / "models/loras/mine.safetensors")
    (data / "gesso/folders").write_text(f"{root}\nrelative\n/nowhere\n")
    run("plan", *SMALL, "a fox <lora:mine:1>", XDG_DATA_HOME=str(data))
    run("plan", *SMALL, "a fox <lora:mine:1>", expect=FAILED)


def test_models():
    env = {"GESSO_MODELS": f"{FIXTURES}:{HOME}/nothing"}
    found = {m["name"]: m for m in run("models", "--json", **env).lines()}
    assert found["sd15-tiny"]["family"] == "SD 1.5" and found["sdxl-tiny-ldm.safetensors"]["bytes"] > 1000
    assert b"sdxl-tiny" in run("models", **env).out
    named = ["plan", "--model", "sd15-tiny", *SMALL[2:]]
    run(*named, **env)
    run(*named, expect=FAILED)


def interrupt(number):
    """Seconds from the signal to the end of a long generation."""
    out = folder("interrupted")
    args = [CLI, "generate", *SMALL, "--steps", "1000", "--json", "--output", f"{out}/", "x"]
    process = subprocess.Popen(args, env=environment(HOME), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in process.stdout:
        if json.loads(line).get("phase") == "denoise":
            break
    started = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    seconds = time.monotonic() - started
    assert process.returncode == FAILED and b"Cancelled" in err and err.count(b"\n") == 1, (process.returncode, err)
    assert names(out) == [], names(out)
    return seconds


def test_signals_stop_at_once():
    for number in (signal.SIGINT, signal.SIGTERM):
        # on a busy machine the scheduler may be late: the best of three is the program's own
        assert min(interrupt(number) for _ in range(3)) < CANCEL_SECONDS


def test_model_that_shrinks():
    """The file of a model is cut while it is in use: one sentence, no picture, no signal."""
    model = HOME / "shrinks"
    shutil.copytree(MODEL, model)
    weights = next((model / "unet").glob("*.safetensors"))
    out = folder("shrunk")
    args = [CLI, "generate", "--model", str(model), *SMALL[2:], "--steps", "1000", "--json", "--output", f"{out}/", "x"]
    process = subprocess.Popen(args, env=environment(HOME), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in process.stdout:
        if json.loads(line).get("phase") == "denoise":
            os.truncate(weights, 8192)
            break
    stdout, err = process.communicate(timeout=60)
    assert process.returncode == FAILED, (process.returncode, err)
    assert err.count(b"\n") == 1 and weights.name.encode() in err and b"shortened" in err, err
    assert names(out) == [] and json.loads(stdout.splitlines()[-1])["code"] == "io", stdout[-300:]


def test_full_output():
    if not os.path.exists("/dev/full"):
        return
    with open("/dev/full", "w") as full:
        done = subprocess.run([CLI, "inspect", "--json", MODEL], env=environment(HOME), stdout=full,
                              stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == FAILED and done.stderr.count(b"\n") == 1, (done.returncode, done.stderr)


def main(functions):
    tests = [(name, f) for name, f in functions.items() if name.startswith("test_")]
    failed = 0
    print(f"1..{len(tests)}")
    for i, (name, test) in enumerate(tests, 1):
        started = time.monotonic()
        try:
            test()
            print(f"ok {i} - {name[5:]} # {time.monotonic() - started:.1f} s", flush=True)
        except (AssertionError, KeyError, ValueError, OSError, subprocess.TimeoutExpired) as e:
            failed += 1
            text = str(e)[:900].replace("\n", "\\n")
            print(f"not ok {i} - {name[5:]}\n# {type(e).__name__}: {text}", flush=True)
    shutil.rmtree(HOME, ignore_errors=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(globals()))
