#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""gesso-cli export: each format is read again by programs of others, and whatever is wrong is said in one line.

Usage: media.py GESSO_CLI SOURCE_ROOT.  Prints TAP; ffmpeg, ffprobe and webpmux are the other programs; a test that
needs one that is not installed is skipped.
"""
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib

CLI, ROOT = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
CORPUS = ROOT / "tests/media/corpus"
DONE, FAILED, USAGE = 0, 1, 2
HOME = pathlib.Path(tempfile.mkdtemp(prefix="gesso-media-"))
RECIPE = '{"version": 1, "prompt": "a boat \\"\u72d0\\" & <sea>"}'
N_FRAMES, COLUMNS, ROWS = 17, 4, 3
CHART = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 30, 30), (30, 200, 60),
         (240, 200, 20), (20, 60, 240), (250, 128, 200), (64, 32, 16)]
EXTENSIONS = {"h264": "mp4", "h265": "mp4", "av1": "mp4", "vp9": "webm", "webm-av1": "webm", "ffv1": "mkv", "prores": "mov",
              "webp": "webp", "gif": "gif", "clip": "gclip", "png": ""}
FILMS = ["h264", "h265", "av1", "vp9", "webm-av1", "ffv1", "prores"]
LOSSLESS = {"ffv1", "gif", "clip", "png"} # the chart's colours are few enough for a GIF
# Limited-range 8-bit codes are 1.16 apart (255 / 219) and up to 1.8 in blue (255 / 224 x 1.86 / 2, twice rounded);
# halved chroma and the quantiser add the rest.
TOLERANCE_444, TOLERANCE_420 = 3, 6


class Skip(Exception):
    pass


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")


def environment(**more):
    env = {"PATH": os.environ.get("PATH", ""), "HOME": str(HOME), "GESSO_DATA": str(ROOT / "data"), "LC_ALL": "C.UTF-8"}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
        if name in os.environ:
            env[name] = os.environ[name]
    return env | more


def run(*args, expect=DONE, before=None, **env):
    args = [str(a) for a in args]
    done = subprocess.run([CLI, *args], env=environment(**env), capture_output=True, timeout=120, preexec_fn=before)
    assert done.returncode == expect, f"{args}: exit status {done.returncode}, {done.stdout[-300:]}, {done.stderr[-600:]}"
    if expect != DONE:
        assert_one_line(done.stderr)
    return done


def assert_one_line(err):
    text = err.decode(errors="replace")
    assert text.startswith("gesso-cli: ") and text.count("\n") == 1 and text.endswith("\n"), f"stderr is {text!r}"
    assert text.rstrip("\n")[-1] in ".?!", f"no sentence: {text!r}"


def export(*args, expect=DONE, **more):
    done = run("export", "--json", *args, expect=expect, **more)
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    return lines[-1] if lines else None


# ---- pictures ----

def write_png(path, width, height, rgb, texts=()):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + rgb[3 * width * y:3 * width * (y + 1)] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"".join(chunk(b"iTXt", k.encode() + b"\0\0\0\0\0" + v.encode()) for k, v in texts)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IDAT", zlib.compress(rows, 1)) +
                     chunk(b"IEND", b""))


def colour_of(frame, field):
    """Fields move on by one with each frame, so that every frame tells which one it is."""
    return CHART[(field + frame) % len(CHART)]


def chart_frame(frame, width, height):
    rows = []
    for row in range(ROWS):
        line = b"".join(bytes(colour_of(frame, row * COLUMNS + x * COLUMNS // width)) for x in range(width))
        rows.append((line, row))
    return b"".join(rows[y * ROWS // height][0] for y in range(height))


def chart_folder(width, height):
    folder = HOME / f"chart-{width}x{height}"
    if not folder.exists():
        folder.mkdir()
        for f in range(N_FRAMES):
            write_png(folder / f"{f}.png", width, height, chart_frame(f, width, height), [("gesso", RECIPE)])
    return folder


def noise_folder(width, height, n, name="noise"):
    folder = HOME / f"{name}-{width}x{height}-{n}"
    if not folder.exists():
        rng = random.Random(7)
        folder.mkdir()
        for f in range(n):
            write_png(folder / f"{f}.png", width, height, rng.randbytes(3 * width * height))
    return folder


def chart_error(frames, width, height, stride=None):
    """Largest difference in the middles of the fields over all frames (rows of @stride pixels)."""
    stride, worst = stride or width, 0
    for f, data in enumerate(frames):
        for field in range(COLUMNS * ROWS):
            x = (2 * (field % COLUMNS) + 1) * width // (2 * COLUMNS)
            y = (2 * (field // COLUMNS) + 1) * height // (2 * ROWS)
            at = 3 * (y * stride + x)
            worst = max(worst, *(abs(a - b) for a, b in zip(data[at:at + 3], colour_of(f, field))))
    return worst


# ---- programs of others ----

def probe(path):
    need("ffprobe")
    done = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", path],
                          capture_output=True, timeout=60, check=True)
    got = json.loads(done.stdout)
    stream = [s for s in got["streams"] if s["codec_type"] == "video"]
    assert len(stream) == 1, got
    return stream[0], {k.lower(): v for k, v in got["format"].get("tags", {}).items()}


def decode(path, width, height, *before):
    need("ffmpeg")
    done = subprocess.run(["ffmpeg", "-v", "error", *before, "-i", path, "-vf",
                           "scale=flags=accurate_rnd+full_chroma_int+full_chroma_inp:sws_dither=none", "-vsync", "passthrough",
                           "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, timeout=60, check=True)
    size = 3 * width * height
    assert len(done.stdout) % size == 0, f"{len(done.stdout)} bytes are no frames of {width} x {height}"
    return [done.stdout[i:i + size] for i in range(0, len(done.stdout), size)]


def output(name):
    path = HOME / "out" / name
    path.parent.mkdir(exist_ok=True)
    return path


def write_film(film, chroma="420", width=64, height=48, fps="16", quality="standard"):
    path = output(f"{film}-{chroma}-{width}x{height}-{fps.replace('/', '_')}-{quality}.{EXTENSIONS[film]}")
    if not path.exists():
        result = export("--format", film, "--chroma", chroma, "--fps", fps, "--quality", quality,
                        chart_folder(width, height), path)
        assert result["frames"] == N_FRAMES and result["format"] == film, result
    return path


def check_film(film, chroma, width, height, fps, quality="standard"):
    path = write_film(film, chroma, width, height, fps, quality)
    stream, tags = probe(path)
    padded = chroma == "420" and film in ("h264", "h265")
    w, h = (width + width % 2, height + height % 2) if padded else (width, height)
    assert (stream["width"], stream["height"]) == (w, h), stream
    assert int(stream["nb_read_frames"]) == N_FRAMES, stream
    assert stream["r_frame_rate"] == (fps if "/" in fps else fps + "/1") == stream["avg_frame_rate"], stream
    if film != "ffv1":
        tagged = [stream.get("color_" + k) for k in ("range", "space", "primaries", "transfer")]
        if film == "prores" and tagged[0] is None:
            tagged[0] = "tv" # its frames cannot say: always limited; newer ffprobes leave it open
        assert tagged == ["tv", "bt709", "bt709", "bt709"], (film, tagged)
    frames = decode(path, w, h)
    assert len(frames) == N_FRAMES, len(frames)
    error = chart_error(frames, width, height, w)
    allowed = 0 if film in LOSSLESS else TOLERANCE_444 if chroma == "444" else TOLERANCE_420
    assert error <= allowed, f"{path.name}: {error}/255"
    assert tags["comment"] == "gesso:" + RECIPE, tags
    return error


# ---- tests ----

def test_every_film_is_what_others_read():
    for film in FILMS:
        # full colour in high quality, where the quantiser adds nothing: libaom 3.12 is 5 off in the standard one
        for chroma, fps, quality in (("420", "16", "standard"), ("444", "30000/1001", "high")):
            print(f"# {film} {chroma}: {check_film(film, chroma, 64, 48, fps, quality)}/255")


def test_rates_are_exact():
    for film in ("h264", "vp9", "ffv1"):
        for fps in ("24", "24000/1001"):
            check_film(film, "420", 64, 48, fps)


def test_odd_sizes():
    # in high quality: here the encoders' blocks of 16 x 16 do not end where the chart's fields do
    for film in FILMS:
        check_film(film, "420", 63, 45, "16", "high")
    check_film("h264", "444", 63, 45, "16", "high")
    note = export("--format", "h264", "--fps", "16", chart_folder(63, 45), output("odd.mp4"))["note"]
    assert "63 x 45 px became 64 x 46" in note, note


def test_qualities_differ():
    folder = noise_folder(64, 48, 6)
    for film in ("h264", "vp9", "webp"):
        sizes = []
        for quality in ("draft", "standard", "high"):
            path = output(f"q-{quality}.{EXTENSIONS[film]}")
            export("--format", film, "--quality", quality, "--fps", "16", "--overwrite", folder, path)
            sizes.append(path.stat().st_size)
        assert sizes == sorted(set(sizes)), (film, sizes)


def boxes(data):
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        yield kind
        at += size if size > 1 else struct.unpack(">Q", data[at + 8:at + 16])[0] if size == 1 else len(data)


def test_films_begin_playing_at_once():
    for film in ("h264", "h265", "av1", "prores"):
        kinds = list(boxes(write_film(film).read_bytes()))
        assert kinds.index(b"moov") < kinds.index(b"mdat"), kinds


def test_gif():
    path = write_film("gif")
    stream, tags = probe(path)
    assert int(stream["nb_read_frames"]) == N_FRAMES and (stream["width"], stream["height"]) == (64, 48), stream
    assert tags["comment"] == "gesso:" + RECIPE, tags
    frames = decode(path, 64, 48)
    assert len(frames) == N_FRAMES and chart_error(frames, 64, 48) == 0
    data = path.read_bytes()
    delays = [struct.unpack("<H", data[i + 4:i + 6])[0] for i in range(len(data)) if data[i:i + 4] == b"\x21\xf9\x04\x04"]
    assert sum(delays) == 106 and set(delays) == {6, 7}, delays # 17/16 s in hundredths
    many = output("many.gif")
    export("--fps", "16", noise_folder(64, 48, 6), many) # more colours than a palette holds
    assert len(decode(many, 64, 48)) == 6


def test_webp():
    need("webpmux", "dwebp", "webpinfo")
    for quality, allowed in (("standard", TOLERANCE_420), ("high", 0)):
        path = write_film("webp", quality=quality)
        told = subprocess.run(["webpinfo", "-summary", path], capture_output=True, text=True, check=True).stdout
        assert f"Number of frames: {N_FRAMES}" in told or told.count("Chunk ANMF") == N_FRAMES, told
        first, picture = output("first.webp"), output("first.ppm")
        subprocess.run(["webpmux", "-get", "frame", "1", path, "-o", first], capture_output=True, check=True)
        subprocess.run(["dwebp", first, "-ppm", "-o", picture], capture_output=True, check=True)
        pixels = picture.read_bytes()
        assert pixels.startswith(b"P6\n64 48\n255\n")
        assert chart_error([pixels[-3 * 64 * 48:]], 64, 48) <= allowed


def test_pictures():
    folder = output("pictures")
    export("--fps", "16", chart_folder(64, 48), f"{folder}/")
    names = sorted(p.name for p in folder.iterdir())
    assert names == [f"frame-{i:05d}.png" for i in range(1, N_FRAMES + 1)], names
    frames = decode(folder / "frame-%05d.png", 64, 48, "-start_number", "1")
    assert frames == [chart_frame(f, 64, 48) for f in range(N_FRAMES)]
    assert json.loads(run("recipe", folder / names[-1]).stdout)["prompt"] == json.loads(RECIPE)["prompt"]
    export("--fps", "16", chart_folder(64, 48), f"{folder}/", expect=FAILED)


def test_clip_is_an_archive_of_pictures():
    path = write_film("clip")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names[0] == "mimetype" and archive.read("mimetype") == b"application/x-gesso-clip"
        assert archive.read("clip.txt") == b"gesso-clip 1\nsize 64x48\nrate 16/1\nframes 17\n"
        assert archive.read("recipe.json").decode() == RECIPE
        archive.extractall(output("unpacked"))
    frames = decode(output("unpacked") / "frames/%05d.png", 64, 48, "-start_number", "0")
    assert frames == [chart_frame(f, 64, 48) for f in range(N_FRAMES)]


def test_every_format_is_read_back():
    for film in [*FILMS, "webp", "gif", "clip"]:
        path, folder = write_film(film), output(f"back-{film}")
        result = export(path, f"{folder}/")
        assert (result["frames"], result["rate"]) == (N_FRAMES, "16/1"), (film, result)
        frames = decode(folder / "frame-%05d.png", 64, 48, "-start_number", "1")
        error = chart_error(frames, 64, 48)
        assert error <= (0 if film in LOSSLESS else TOLERANCE_420 + 1), (film, error) # a reader rounds, too
        assert json.loads(run("recipe", path).stdout)["prompt"] == json.loads(RECIPE)["prompt"], film


def test_films_of_others_are_read():
    need("ffmpeg")
    source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.4"]
    # all of Theora's are whole pictures: its encoder may leave out others that change little
    kinds = {"a.avi": ["-c:v", "mpeg4"], "b.mpg": ["-c:v", "mpeg1video"], "c.ts": ["-c:v", "mpeg2video"],
             "d.ogv": ["-c:v", "libtheora", "-g", "1"], "e.flv": ["-c:v", "flv1"], "f.mkv": ["-c:v", "mjpeg"], "g.mp4": ["-c:v", "libx264"]}
    for name, codec in kinds.items():
        path = output(name)
        subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *codec, path], check=True, timeout=60)
        result = export("--overwrite", path, output(name + ".gclip"))
        assert (result["frames"], result["width"], result["height"]) == (10, 64, 48), (name, result)


def test_hdr_is_refused():
    need("ffmpeg")
    path = output("hdr.mp4")
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.2",
                    "-vf", "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc",
                    "-c:v", "libx265", "-x265-params", "log-level=none", path], check=True, timeout=60)
    assert b"HDR" in run("export", path, output("hdr.gif"), expect=FAILED).stderr


def test_rotation_is_honoured():
    upright, turned = write_film("h264"), output("turned.mp4")
    need("ffmpeg")
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-display_rotation", "90", "-i", upright, "-c", "copy", turned]
                   if b"display_rotation" in subprocess.run(["ffmpeg", "-h", "full"], capture_output=True).stdout
                   else ["ffmpeg", "-v", "error", "-y", "-i", upright, "-c", "copy", "-metadata:s:v:0", "rotate=270", turned],
                   check=True, timeout=60)
    folder = output("turned")
    result = export(turned, f"{folder}/")
    assert (result["width"], result["height"]) == (48, 64), result
    mine = decode(folder / "frame-%05d.png", 48, 64, "-start_number", "1")
    theirs = decode(turned, 48, 64)
    for x in range(8, 48, 16): # the middles of the fields: at their edges readers differ in how chroma is spread
        for y in range(8, 64, 16):
            at = 3 * (y * 48 + x)
            assert max(abs(a - b) for a, b in zip(mine[0][at:at + 3], theirs[0][at:at + 3])) <= TOLERANCE_444, (x, y)


def test_frame_rates_are_converted():
    film = write_film("ffv1") # 17 frames of 1/16 s
    for fps, n in (("8", 9), ("24", 26), ("32", 34)): # middles of frames that lie within 17/16 s
        path = output(f"fps-{fps}.mkv")
        assert export("--fps", fps, film, path)["frames"] in (n, n - 1), fps
        shown = [int((2 * k + 1) * 16 // (2 * int(fps))) for k in range(n - 1)]
        frames = decode(path, 64, 48)
        for k, f in enumerate(shown):
            assert chart_error([frames[k]], 64, 48) == 0 if f == 0 else frames[k] == chart_frame(f, 64, 48), (fps, k, f)


def test_progress_and_result_lines():
    done = run("export", "--json", "--fps", "16", chart_folder(64, 48), output("lines.gif"))
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [line["event"] for line in lines] == ["progress"] * N_FRAMES + ["result"]
    assert [line["done"] for line in lines[:-1]] == list(range(1, N_FRAMES + 1))
    assert {line["total"] for line in lines[:-1]} == {N_FRAMES}
    assert run("export", "--fps", "16", chart_folder(64, 48), output("plain.gif")).stdout.decode().strip().endswith("plain.gif")


def test_usage():
    out, source = output("usage.gif"), chart_folder(64, 48)
    text = run("export", "--help").stdout.decode()
    assert all(f"--{flag}" in text for flag in ("format", "quality", "chroma", "fps", "overwrite", "json"))
    for args in ([], [source], [source, out, out], ["--format", "mpeg", source, out], ["--fps", "x", source, out],
                 ["--fps", "0", source, out], ["--fps", "1/0", source, out], ["--fps", "1000", source, out],
                 ["--quality", "best", source, out], ["--chroma", "422", source, out], ["--nonesuch", source, out],
                 ["--fps"], [source, output("film.xyz")]):
        run("export", *args, expect=USAGE)
    assert not out.exists()


def test_what_cannot_be_done_is_said():
    chart, out = chart_folder(64, 48), output("failed.mp4")
    mixed, empty = HOME / "mixed", HOME / "empty"
    mixed.mkdir()
    empty.mkdir()
    write_png(mixed / "1.png", 8, 8, bytes(192))
    write_png(mixed / "2.png", 8, 4, bytes(96))
    text, playlist, noise = HOME / "text.mp4", HOME / "list.m3u8", HOME / "noise.mp4"
    text.write_text("nothing that moves")
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    noise.write_bytes(b"\0\0\0\x18ftypmp42" + random.Random(3).randbytes(5000))
    cases = [([chart, out], b"--fps"), (["--fps", "16", HOME / "none", out], b"no such file"),
             (["--fps", "16", mixed, out], b"8 x 4"), (["--fps", "16", empty, out], b"picture"), ([text, out], b"text.mp4"),
             ([playlist, out], b"list.m3u8"), ([noise, out], b"noise.mp4"),
             (["--fps", "60", "--format", "gif", chart, out], b"50 frames"),
             (["--fps", "16", chart, HOME / "no/such/folder/a.mp4"], b"no such"),
             (["--fps", "16", chart, "/proc/a.webp"], b"annot write")]
    for film in ("h264", "vp9", "prores", "webp", "gif", "clip"):
        whole = write_film(film).read_bytes()
        cut = HOME / f"cut.{EXTENSIONS[film]}"
        cut.write_bytes(whole[:len(whole) * 2 // 3])
        cases.append(([cut, out], b"cut"))
    for args, word in cases:
        err = run("export", *args, expect=FAILED).stderr
        assert word in err, (args, err)
        assert not out.exists()
    write_film("gif")
    assert b"exists already" in run("export", "--fps", "16", chart, write_film("gif"), expect=FAILED).stderr


def test_missing_plugins_are_named():
    env = {"GST_PLUGIN_SYSTEM_PATH": str(HOME / "nothing"), "GST_PLUGIN_SYSTEM_PATH_1_0": str(HOME / "nothing"),
           "GST_REGISTRY": str(HOME / "empty-registry.bin"), "GST_REGISTRY_1_0": str(HOME / "empty-registry.bin")}
    film = write_film("h264")
    for args in (["--fps", "16", "--format", "h264", chart_folder(64, 48), output("none.mp4")], [film, output("none.gclip")]):
        err = run("export", *args, expect=FAILED, **env).stderr
        assert b"install the package" in err and b"gstreamer1.0-plugins-" in err, err
    export("--fps", "16", chart_folder(64, 48), output("none.gif"), **env) # needs none


def leftovers(folder):
    return sorted(p.name for p in folder.iterdir())


def test_full_disk_leaves_nothing():
    """A limit on file sizes fails write() just as a full disk does."""
    source, folder = noise_folder(160, 120, 6, "large"), HOME / "full"
    folder.mkdir()
    for film, extension in EXTENSIONS.items():
        err = run("export", "--fps", "16", "--quality", "high", "--format", film, source, folder / f"x.{extension or 'd'}",
                  expect=FAILED, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))).stderr
        assert b"disk is full" in err, (film, err)
        assert leftovers(folder) == [], (film, leftovers(folder))


def test_signals_leave_nothing():
    source, folder = noise_folder(160, 120, 6, "large"), HOME / "cancelled"
    folder.mkdir()
    for film in ("h264", "webm-av1", "gif", "webp", "png"):
        args = [CLI, "export", "--json", "--fps", "240", "--format", film, "--quality", "high", str(source),
                str(folder / "x.out")]
        if film == "gif":
            args[4] = "50"
        process = subprocess.Popen(args, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT}))
        process.stdout.readline() # the first frame went in
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        if process.returncode == DONE: # it was quicker than the signal
            for name in leftovers(folder):
                path = folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            continue
        assert process.returncode == FAILED and b"Cancelled; nothing was written." in err, (film, process.returncode, err)
        assert leftovers(folder) == [], (film, leftovers(folder))


def test_corpus():
    """Damaged films: frames or one sentence, in bounded time."""
    files = sorted(p for p in CORPUS.iterdir() if p.suffix not in (".py", ".md"))
    assert len(files) >= 20, len(files)
    n_read = 0
    for path in files:
        started = time.monotonic()
        done = subprocess.run([CLI, "export", "--fps", "16", "--overwrite", path, output("corpus.gclip")],
                              env=environment(), capture_output=True, timeout=90)
        assert done.returncode in (DONE, FAILED), (path.name, done.returncode, done.stderr)
        if done.returncode == FAILED:
            assert_one_line(done.stderr)
        n_read += done.returncode == DONE
        if time.monotonic() - started > 10:
            print(f"# {path.name}: {time.monotonic() - started:.0f} s, {done.stderr}")
    print(f"# {n_read} of {len(files)} still gave frames")


def main():
    tests = [(name, f) for name, f in globals().items() if name.startswith("test_")]
    failed = 0
    print(f"1..{len(tests)}")
    for i, (name, test) in enumerate(tests, 1):
        started = time.monotonic()
        try:
            test()
            print(f"ok {i} - {name[5:]} # {time.monotonic() - started:.1f} s", flush=True)
        except Skip as e:
            print(f"ok {i} - {name[5:]} # SKIP {e}", flush=True)
        except (AssertionError, KeyError, ValueError, OSError, subprocess.SubprocessError) as e:
            failed += 1
            text = str(e)[:900].replace("\n", "\\n")
            print(f"not ok {i} - {name[5:]}\n# {type(e).__name__}: {text}", flush=True)
    shutil.rmtree(HOME, ignore_errors=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
