#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""gesso-cli video: films, the clips kept beside them, and what is left when it stops.

Usage: video.py GESSO_CLI SOURCE_ROOT.  Prints TAP; needs nothing but Python.  Helpers are cli.py's.
"""
import json
import resource
import signal
import struct
import subprocess
import sys
import time
import zipfile

import cli
from cli import CLI, FAILED, FIXTURES, HOME, ROOT, environment, folder, names, run

WAN = str(FIXTURES / "wan-tiny")
FRAMES, WIDTH, HEIGHT = 5, 64, 32
SMALL = ["--width", str(WIDTH), "--height", str(HEIGHT), "--frames", str(FRAMES), "--steps", "2", "--precision", "f32",
         "--threads", "1"]
# A film of this size is so much larger than its clip: FFV1, which is exact and carries more around each frame (589 B by
# ffmpeg 7.1).
FILM_BYTES_MORE = 200


def video(out, *args, **more):
    return run("video", "--model", WAN, *SMALL, "--output", str(out), *args, **more)


def frames_of(clip):
    """The frames of a .gclip, as PNG files."""
    with zipfile.ZipFile(clip) as z:
        return [z.read(n) for n in sorted(z.namelist()) if n.startswith("frames/")]


def test_help():
    assert b"Usage: gesso-cli video " in run("video", "--help").out
    assert b"gesso-cli video " in run("--help").out


def test_a_film_and_its_clip():
    out = folder("film")
    result = video(out / "a.mp4", "--seed", "7", "a paper boat drifts")
    assert result.out.decode().splitlines() == [str(out / "a.mp4")], result.out
    assert names(out) == ["a.gclip", "a.mp4"], names(out)
    for name in names(out):
        recipe = cli.recipe_of(out / name)
        assert recipe["prompt"] == "a paper boat drifts" and recipe["seed"] == 7, recipe
        assert (recipe["frames"], recipe["width"], recipe["height"]) == (FRAMES, WIDTH, HEIGHT), recipe
    run("export", str(out / "a.mp4"), f"{out}/pictures/")
    assert len(names(out / "pictures")) == FRAMES
    for name in names(out / "pictures"):
        assert cli.pixels(out / "pictures" / name)[:2] == (WIDTH, HEIGHT)


def test_one_seed_is_one_clip():
    out = folder("seeds")
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        video(out / f"{name}.gclip", "--seed", seed, "a boat")
    a, b, c = (frames_of(out / f"{n}.gclip") for n in "abc")
    assert len(a) == FRAMES and a == b and a != c
    assert names(out) == ["a.gclip", "b.gclip", "c.gclip"]


def test_formats_by_extension():
    out = folder("formats")
    for name, begins in (("a.gif", b"GIF89a"), ("a.webp", b"RIFF"), ("a.mkv", b"\x1aE\xdf\xa3")):
        video(out / name, "--seed", "1", "x")
        assert (out / name).read_bytes().startswith(begins), name


def test_batches_are_numbered():
    out = folder("numbered")
    video(f"{out}/", "--batch-count", "2", "--batch-size", "2", "--seed", "5", "Two boats!")
    assert [n for n in names(out) if n.endswith(".mp4")] == [f"two-boats-{i:05d}.mp4" for i in range(1, 5)]
    assert [cli.recipe_of(out / f"two-boats-{i:05d}.gclip")["seed"] for i in range(1, 5)] == [5, 6, 7, 8]


def test_first_frame():
    out = folder("first")
    args = [*SMALL, "--width", "64", "--height", "64", "--seed", "1", "--first-frame", str(FIXTURES / "init-48x32.png")]
    run("video", "--model", str(FIXTURES / "wan-tiny-ti2v"), *args, "--output", str(out / "a.gclip"), "x")
    run("video", "--model", str(FIXTURES / "wan-tiny-ti2v"), *args[:-2], "--output", str(out / "b.gclip"), "x")
    assert frames_of(out / "a.gclip") != frames_of(out / "b.gclip")
    assert cli.recipe_of(out / "a.gclip")["first_frame"].endswith("init-48x32.png")


def test_first_frame_of_what_moves():
    """Its first frame is taken, which is said; a GIF was refused, and of a WebP nothing was said."""
    out = folder("first-moving")
    args = ["--model", str(FIXTURES / "wan-tiny-ti2v"), *SMALL, "--width", "64", "--height", "64", "--seed", "1"]
    for name in ("a.gif", "a.webp"):
        video(out / name, "--seed", "1", "x")
        told = run("video", *args, "--first-frame", str(out / name), "--output", f"{out}/b{name}", "x").err
        assert told.count(b"its first frame is taken") == 1, told
    still = run("video", *args, "--first-frame", str(FIXTURES / "init-48x32.png"), "--output", f"{out}/c.gif", "x").err
    assert b"is taken" not in still, still


def test_first_frame_seen_through_clip():
    """Wan 2.1: the picture counts twice, as a latent and as what CLIP makes of it."""
    out = folder("clip")
    args = ["--model", str(FIXTURES / "wan-tiny-i2v21"), *SMALL, "--seed", "1"]
    run("video", *args, "--first-frame", str(FIXTURES / "init-48x32.png"), "--output", str(out / "a.gclip"), "x")
    assert len(frames_of(out / "a.gclip")) == FRAMES
    assert b"give it a first frame" in run("video", *args, "--output", str(out / "b.gclip"), "x", expect=FAILED).err


def test_folders_of_wan_ai():
    """The same networks in Wan-AI's own arrangement: the same latents; the VAE's statistics alone are not in its files."""
    root = folder("wan-ai") / "Wan2.2-T2V-tiny"
    weights = "diffusion_pytorch_model.safetensors"
    for name, source in (("high_noise_model", "transformer"), ("low_noise_model", "transformer_2")):
        (root / name).mkdir(parents=True)
        (root / name / weights).symlink_to(FIXTURES / "wan-tiny" / source / weights)
        (root / name / "config.json").write_text(json.dumps({"_class_name": "WanModel", "num_heads": 2}))
    (root / "google/umt5-xxl").mkdir(parents=True)
    for name, source in (("Wan2.1_VAE.safetensors", f"vae/{weights}"), ("google/umt5-xxl/tokenizer.json", "tokenizer/tokenizer.json"),
                         ("models_t5_umt5-xxl-enc-bf16.safetensors", "text_encoder/model.safetensors")):
        (root / name).symlink_to(FIXTURES / "wan-tiny" / source)
    out = folder("wan-ai-clips")
    for name, model in (("a", WAN), ("b", str(root)), ("c", str(root / "low_noise_model" / weights))):
        run("video", "--model", model, *SMALL, "--seed", "3", "--output", str(out / f"{name}.gclip"), "a red fox")
    assert latents_of(out / "a.gclip") == latents_of(out / "b.gclip") == latents_of(out / "c.gclip")
    found = {m["name"]: m["family"] for m in run("models", "--json", GESSO_MODELS=str(root.parent)).lines()}
    assert found["Wan2.2-T2V-tiny"] == "Wan" and "Wan2.1_VAE.safetensors" not in found, found
    assert set(run("inspect", "--json", str(root)).lines()[0]["parts"]) >= {"transformer", "second expert", "VAE"}
    (root / "Wan2.1_VAE.safetensors").unlink()
    assert b"lacks the VAE" in run("video", "--model", str(root), *SMALL, "x", expect=FAILED).err


def test_tokenizer_of_an_encoder_without_one():
    """As ComfyUI keeps kijai's files: the tokenizer is found where he, Wan-AI or a person put it; T5's own is not taken for umT5's."""
    comfy = folder("wan-kijai")
    models = comfy / "models"
    weights, tiny = "diffusion_pytorch_model.safetensors", FIXTURES / "wan-tiny"
    for name, source in (("diffusion_models/wan_high_noise.safetensors", f"transformer/{weights}"),
                         ("diffusion_models/wan_low_noise.safetensors", f"transformer_2/{weights}"),
                         ("text_encoders/umt5-xxl-enc-bf16.safetensors", "text_encoder/model.safetensors"),
                         ("vae/wan_2.1_vae.safetensors", f"vae/{weights}")):
        (models / name).parent.mkdir(parents=True, exist_ok=True)
        (models / name).symlink_to(tiny / source)
    model = str(models / "diffusion_models/wan_high_noise.safetensors")
    args = ["--model", model, *SMALL, "--seed", "3"]
    t5 = models / "text_encoders/t5/spiece.model"
    t5.parent.mkdir()
    t5.symlink_to(ROOT / "data/tokenizers/t5/spiece.model")
    told = run("video", *args, "--output", str(comfy / "a.gclip"), "x", expect=FAILED).err
    assert b"without its tokenizer: put spiece.model" in told, told
    made = []
    for place in ("models/text_encoders/umt5-xxl", "models/google/umt5-xxl", "custom_nodes/ComfyUI-WanVideoWrapper/configs/T5_tokenizer"):
        (comfy / place).mkdir(parents=True)
        tokenizer = comfy / place / "tokenizer.json"
        tokenizer.symlink_to(tiny / "tokenizer/tokenizer.json")
        run("video", *args, "--output", str(comfy / f"{len(made)}.gclip"), "a red fox")
        made.append(latents_of(comfy / f"{len(made)}.gclip"))
        tokenizer.unlink()
    assert made[0] == made[1] == made[2]


def test_image_encoder_by_name():
    """A CLIP-H kept elsewhere shows the first frame as the model's own does; other models have no use for one."""
    out, encoder = folder("image-encoder"), FIXTURES / "wan-tiny-i2v21/image_encoder"
    bare = out / "model"
    bare.mkdir()
    for part in (FIXTURES / "wan-tiny-i2v21").iterdir():
        (bare / part.name).symlink_to(part)
    args = [*SMALL, "--seed", "1", "--first-frame", str(FIXTURES / "init-48x32.png")]
    run("video", "--model", str(bare), *args, "--output", str(out / "a.gclip"), "x")
    (bare / "image_encoder").unlink()
    assert b"CLIP-H" in run("video", "--model", str(bare), *args, "--output", str(out / "b.gclip"), "x", expect=FAILED).err
    run("video", "--model", str(bare), *args, "--image-encoder", str(encoder), "--output", str(out / "b.gclip"), "x")
    assert latents_of(out / "a.gclip") == latents_of(out / "b.gclip")
    told = run("video", "--model", WAN, *SMALL, "--image-encoder", str(encoder), "-o", f"{out}/c.mp4", "x", expect=FAILED).err
    assert b"image encoder" in told, told


def test_latents_are_written_and_kept():
    out = folder("latents")
    video(out / "a.gclip", "--latent-out", str(out / "l.safetensors"), "x")
    data = (out / "l.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    tensor = json.loads(data[8:8 + size])["latent"]
    assert tensor["dtype"] == "F32" and len(tensor["shape"]) == 5 and tensor["shape"][2] == 2, tensor
    with zipfile.ZipFile(out / "a.gclip") as z:
        assert z.read("latents.safetensors") == data


def test_json_lines():
    out = folder("json")
    events = [json.loads(line) for line in video(out / "a.mp4", "--json", "x").out.splitlines()]
    for phase, total in (("denoise", 2), ("decode", 2), ("export", FRAMES)):
        steps = [(e["done"], e["total"]) for e in events if e.get("phase") == phase]
        assert steps == [(i, total) for i in range(1, total + 1)], (phase, steps)
    result = events[-1]
    assert result["event"] == "result" and result["frames"] == FRAMES and result["format"] == "h264", result
    assert result["clip"] == str(out / "a.gclip") and set(result["seconds"]) == {"text", "encode", "denoise", "decode"}


def test_refusals_name_the_cause():
    out = folder("refused")
    for args, word in (
        (("video", "--model", cli.MODEL, "-W", "64", "-H", "64", "-o", f"{out}/a.mp4", "x"), b"gesso-cli generate"),
        (("generate", "--model", WAN, *SMALL, "-o", f"{out}/a.png", "x"), b"gesso-cli video"),
        (("video", "--model", WAN, *SMALL, "-o", f"{out}/a.avi", "x"), b".webm"),
        (("video", "--model", WAN, *SMALL, "--batch-size", "2", "-o", f"{out}/a.mp4", "x"), b"folder"),
        (("video", "--model", WAN, *SMALL, "--first-frame", str(FIXTURES / "init-48x32.png"), "-o", f"{out}/a.mp4", "x"),
         b"first"),
    ):
        assert word in run(*args, expect=FAILED).err, (args, word)
    assert names(out) == []


def test_plan_of_a_clip():
    plans = [json.loads(run("plan", "--model", WAN, "-W", "64", "-H", "32", "--frames", n, "--json", "x").out)
             for n in ("17", "81")]
    assert [p["frames"] for p in plans] == [17, 81]
    a, b = (p["phases"]["decode"] for p in plans)
    assert a["activation_bytes"] == b["activation_bytes"] and (a["passes"], b["passes"]) == (5, 21), (a, b)
    assert b"17 frames" in run("plan", "--model", WAN, "-W", "64", "-H", "32", "--frames", "17", "x").out


def latents_of(clip):
    with zipfile.ZipFile(clip) as z:
        data = z.read("latents.safetensors")
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + size])["latent"]["shape"], data[8 + size:]


def begins_with(shape, longer, values, longer_values):
    """Whether the latents of a clip are the first of a longer one: (1, c, t, h, w), f32."""
    frame = 4 * shape[3] * shape[4]
    return shape[:2] == longer[:2] and all(
        values[c * shape[2] * frame:(c + 1) * shape[2] * frame] ==
        longer_values[c * longer[2] * frame:(c * longer[2] + shape[2]) * frame] for c in range(shape[1]))


def extend(base, out, *args, **more):
    """Sizes and rate are the clip's."""
    return run("video", "--model", WAN, "--frames", str(FRAMES), "--steps", "2", "--precision", "f32", "--threads", "1",
               "--extend", str(base), "--output", str(out), *args, **more)


def test_extend_again_and_again():
    out = folder("extend")
    video(out / "a.mp4", "--seed", "1", "--fps", "10", "x")
    for i, (old, new) in enumerate((("a.mp4", "b.mp4"), ("b.gclip", "c.mp4"))):
        line = [json.loads(line) for line in extend(out / old, out / new, "--seed", "2", "--json", "x").out.splitlines()][-1]
        assert line["frames"] == FRAMES + 4 * (i + 1) and line["rate"] == "10/1", line
    a, b, c = (out / f"{n}.gclip" for n in "abc")
    assert frames_of(b)[:FRAMES] == frames_of(a) and frames_of(c)[:FRAMES + 4] == frames_of(b)
    assert begins_with(latents_of(a)[0], latents_of(b)[0], latents_of(a)[1], latents_of(b)[1])
    assert begins_with(latents_of(b)[0], latents_of(c)[0], latents_of(b)[1], latents_of(c)[1])
    assert latents_of(c)[0][2] == 4
    recipe = cli.recipe_of(out / "c.mp4")
    assert recipe["extend"] == str(out / "b.gclip") and recipe["width"] == WIDTH, recipe
    run("export", str(out / "c.mp4"), f"{out}/pictures/")
    assert len(names(out / "pictures")) == FRAMES + 8


def test_extend_what_looks_through_clip():
    """Wan 2.1: the picture that CLIP sees is the last frame; first-last models are told where to go on to."""
    out, picture = folder("extend-looks"), str(FIXTURES / "init-48x32.png")
    for model, ends in (("wan-tiny-i2v21", []), ("wan-tiny-flf", ["--last-frame", picture])):
        args = ["video", "--model", str(FIXTURES / model), "--frames", str(FRAMES), "--steps", "2", "--precision", "f32"]
        a, b = out / f"{model}-a.gclip", out / f"{model}-b.gclip"
        run(*args, "-W", str(WIDTH), "-H", str(HEIGHT), "--first-frame", picture, *ends, "-o", str(a), "x")
        run(*args, "--extend", str(a), *ends, "-o", str(b), "x")
        assert frames_of(b)[:FRAMES] == frames_of(a) and len(frames_of(b)) == FRAMES + 4
        assert begins_with(latents_of(a)[0], latents_of(b)[0], latents_of(a)[1], latents_of(b)[1])
    told = run(*args, "--extend", str(a), "-o", f"{out}/c.gclip", "x", expect=FAILED).err
    assert b"goes on to a last frame" in told, told


def test_extend_any_film():
    """Without its clip a film is encoded: here FFV1, which shows its frames exactly."""
    out = folder("any")
    video(out / "a.mkv", "--seed", "1", "--fps", "10", "x")
    frames = frames_of(out / "a.gclip")
    (out / "a.gclip").unlink()
    extend(out / "a.mkv", out / "b.gclip", "x")
    joined = frames_of(out / "b.gclip")
    assert joined[:FRAMES] == frames and len(joined) == FRAMES + 4
    assert latents_of(out / "b.gclip")[0][2] == 3
    extend(out / "a.mkv", out / "c.gclip", "-W", "32", "-H", "32", "x")
    assert {struct.unpack(">II", f[16:24]) for f in frames_of(out / "c.gclip")} == {(32, 32)}


def test_extend_refusals_name_the_cause():
    out = folder("extend-refused")
    video(out / "a.gclip", "--fps", "10", "x")
    (out / "cut.gclip").write_bytes((out / "a.gclip").read_bytes()[:-50])
    for args, word in (
        (("--extend", f"{out}/none.gclip"), b"is not there"),
        (("--extend", f"{out}/cut.gclip"), b"cut.gclip"),
        (("--extend", f"{out}/a.gclip", "-W", "32", "-H", "32"), b"leave width and height open"),
        (("--extend", f"{out}/a.gclip", "--fps", "12"), b"leave the frame rate open"),
        (("--extend", f"{out}/a.gclip", "--overlap", "2"), b"nothing new"),
        (("--extend", f"{out}/a.gclip", "--window", "6"), b"choose 5 frames"),
    ):
        done = run("video", "--model", WAN, "--frames", str(FRAMES), "-o", f"{out}/b.mp4", *args, "x", expect=FAILED)
        assert word in done.err and done.err.count(b"\n") == 1, (args, done.err)
    assert names(out) == ["a.gclip", "cut.gclip"]


def test_plan_of_windows_and_extension():
    out = folder("plan-extend")
    video(out / "a.gclip", "x")
    args = ["plan", "--model", WAN, "--window", "17", "--overlap", "1"]
    one, all = (json.loads(run(*args, *SMALL, "--frames", n, "--json", "x").out) for n in ("17", "81"))
    assert (one["windows"], all["windows"], all["window_frames"]) == (1, 5, 17), all
    a, b = one["phases"]["denoise"], all["phases"]["denoise"]
    assert a["activation_bytes"] == b["activation_bytes"] and 5 * a["passes"] == b["passes"], (a, b)
    more = json.loads(run(*args, "--extend", str(out / "a.gclip"), "--json", "x").out)
    assert more["frames_before"] == FRAMES and more["width"] == WIDTH, more
    assert b"were kept" in run(*args, "--extend", str(out / "a.gclip"), "x").out


def test_windows_in_one_clip():
    out = folder("windows")
    result = video(out / "a.gclip", "--frames", "21", "--window", "9", "--overlap", "1", "--json", "x")
    steps = [(e["done"], e["total"]) for e in map(json.loads, result.out.splitlines()) if e.get("phase") == "denoise"]
    assert steps == [(i, 6) for i in range(1, 7)], steps
    assert len(frames_of(out / "a.gclip")) == 21 and latents_of(out / "a.gclip")[0][2] == 6


def test_the_model_chooses_its_sampler():
    out = folder("sampler")
    for args, want in (((), ("unipc", "diffusers")), (("--sampler", "euler"), ("euler", "diffusers"))):
        video(out / "a.gclip", *args, "x")
        recipe = cli.recipe_of(out / "a.gclip")
        assert (recipe["sampler"], recipe["convention"]) == want, (recipe["sampler"], recipe["convention"])


def test_preview_of_the_model_that_ships_looks_like_its_clip():
    out = folder("preview")
    run("video", "--seed", "1", "--steps", "8", "--preview", str(out / "p.png"), "-o", f"{out}/a.gclip", "a red heart pulsing")
    width, height, rgb = cli.pixels(out / "p.png")
    corner, middle = rgb[:3], rgb[3 * (height // 2 * width + width // 2):][:3]
    # white around a red heart, as far as a linear guess can say
    assert min(corner) > 190 and middle[0] > 170 and max(middle[1:]) < 130, (corner, middle)


def test_the_model_that_ships_animates_a_picture():
    """Its encoder was untrained once: what it made of a first frame was noise."""
    out = folder("animates")
    args = ["video", "--seed", "1", "--steps", "6"]
    run(*args, "-o", f"{out}/a.gclip", "a red heart")
    (out / "heart.png").write_bytes(frames_of(out / "a.gclip")[0])
    run(*args, "--first-frame", str(out / "heart.png"), "-o", f"{out}/b.gclip", "a red heart pulsing")
    (out / "first.png").write_bytes(frames_of(out / "b.gclip")[0])
    (_, _, want), (_, _, got) = (cli.pixels(out / name) for name in ("heart.png", "first.png"))
    # edges are softer: off by 2 of 255; first frames of other clips are off by 15 and more
    assert sum(abs(a - b) for a, b in zip(want, got)) / len(want) < 8, "the first frame is another picture"


def test_size_follows_the_first_frame():
    plans = [json.loads(run("plan", "--model", str(FIXTURES / "wan-tiny-ti2v"), *args, "--first-frame",
                            str(FIXTURES / "init-48x32.png"), "--frames", "5", "--json", "x").out)
             for args in ((), ("-W", "64", "-H", "64"), ("-H", "64"))]
    (w, h), fixed, one = ((p["width"], p["height"]) for p in plans)
    assert fixed == (64, 64) and one == (96, 64), (fixed, one)
    assert abs(w / h - 1.5) < 0.2 and w % 16 == h % 16 == 0, (w, h)


def interrupt(phase):
    """Seconds from the signal to the end; the film of 1000 steps, or one of many frames."""
    out = folder("interrupted-" + phase)
    args = ["--steps", "1000"] if phase == "denoise" else ["--steps", "1", "--frames", "401"]
    process = subprocess.Popen([CLI, "video", "--model", WAN, *SMALL, *args, "--json", "-o", f"{out}/a.mp4", "x"],
                               env=environment(HOME), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in process.stdout:
        if json.loads(line).get("phase") == phase:
            break
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    seconds = time.monotonic() - started
    assert process.returncode == FAILED and b"Cancelled" in err and err.count(b"\n") == 1, (process.returncode, err)
    assert names(out) == [], names(out)
    return seconds


def test_signals_stop_at_once():
    for phase in ("denoise", "decode"):
        # on a busy machine the scheduler may be late: the best of three is the program's own
        assert min(interrupt(phase) for _ in range(3)) < cli.CANCEL_SECONDS


def kill_when(out, args, phase, done, number):
    """Runs until a phase is so far, then sends the signal.  Returns what was said on stderr."""
    process = subprocess.Popen([CLI, "video", "--model", WAN, *SMALL, *args, "--json", "-o", f"{out}/a.mkv", "x"],
                               env=environment(HOME, GESSO_JOURNAL_MS="0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in process.stdout:
        event = json.loads(line)
        if event.get("phase") == phase and event["done"] >= done:
            break
    process.send_signal(number)
    return process.communicate(timeout=60)[1]


def whole(out, args):
    video(out / "whole.mkv", *args, "x")
    return frames_of(out / "whole.gclip"), latents_of(out / "whole.gclip")


def test_resumes_after_a_kill():
    """At any step, between windows and in the middle of decoding: the same frames as if nothing had happened."""
    args = ["--seed", "6", "--steps", "40", "--frames", "13", "--window", "9", "--overlap", "1"]
    for i, (phase, done, resume) in enumerate((("denoise", 3, True), ("denoise", 44, False), ("decode", 1, False))):
        out = folder(f"kill-{i}")
        kill_when(out, args, phase, done, signal.SIGKILL)
        assert "a.mkv.journal" in names(out), names(out)
        result = (run("video", "--resume", f"{out}/a.mkv.journal") if resume else video(out / "a.mkv", *args, "x"))
        assert b"Going on from step" in result.err, result.err
        assert [n for n in names(out) if not n.startswith(".")] == ["a.gclip", "a.mkv"], names(out)
        assert (frames_of(out / "a.gclip"), latents_of(out / "a.gclip")) == whole(out, args)


def test_takes_up_without_a_seed():
    out = folder("no-seed")
    kill_when(out, ["--steps", "400"], "denoise", 5, signal.SIGKILL)
    result = video(out / "a.mkv", "--steps", "400", "x")
    assert b"Going on from step" in result.err, result.err


def test_told_to_end_it_says_how_to_go_on():
    out = folder("term")
    err = kill_when(out, ["--steps", "1000", "--seed", "2"], "denoise", 2, signal.SIGTERM)
    assert b"--resume" in err and err.count(b"\n") == 1, err
    assert names(out) == ["a.mkv.journal"], names(out)
    other = video(out / "a.mkv", "--seed", "3", "x")
    assert b"put aside" in other.err, other.err
    assert names(out) == ["a.gclip", "a.mkv", "a.mkv.journal.aside"], names(out)


def test_resume_refuses_what_is_no_journal():
    out = folder("no-journal")
    (out / "a.mp4.journal").write_bytes(b"x" * 300)
    for path, word in ((f"{out}/a.mp4.journal", b"damaged"), (f"{out}/b.mp4.journal", b"no journal"), (f"{out}/a.mp4", b"FILM.journal")):
        done = run("video", "--resume", path, expect=FAILED)
        assert word in done.err and done.err.count(b"\n") == 1, done.err


def test_full_disk_keeps_the_clip():
    out = folder("full")
    video(out / "a.mkv", "--seed", "2", "x")
    clip, film = ((out / f"a.{kind}").stat().st_size for kind in ("gclip", "mkv"))
    assert film > clip + FILM_BYTES_MORE, (clip, film)
    limit = (clip + film) // 2
    args = [CLI, "video", "--model", WAN, *SMALL, "--seed", "2", "--output", str(out / "b.mkv"), "x"]
    done = subprocess.run(args, capture_output=True, env=environment(HOME), timeout=100,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.returncode == FAILED and done.stderr.count(b"\n") == 1, done.stderr
    assert b"The clip is kept" in done.stderr and str(out / "b.gclip").encode() in done.stderr, done.stderr
    assert names(out) == ["a.gclip", "a.mkv", "b.gclip"], names(out)
    assert frames_of(out / "a.gclip") == frames_of(out / "b.gclip")


if __name__ == "__main__":
    sys.exit(cli.main(globals()))
