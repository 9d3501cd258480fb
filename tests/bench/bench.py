#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Benchmarks: operators, single passes of full-size networks, whole pictures, load times, peers.

Usage: bench.py [--build DIR] [--full] [--only PART ...] [--json FILE] [--peer PROGRAM]

Parts: kernels, steps, flux, adapters, loading, pictures, library, gallery, peer.  Full-size models with synthetic weights lie in
$XDG_CACHE_HOME/gesso/bench and are made there by --full (SD 1.5 2.1 GB, SDXL 6.9 GB); without them
their benchmarks are left out, with a line that says so.

CPU seconds are those of all threads and hold on a busy machine; wall seconds hold on an idle one
only.  A share is a share of what the processor's own multiply instruction reaches in registers,
measured in the same run, on one thread.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "gesso" / "bench"
TARGETS = ["tests/ui/bench-gallery", "tests/bench/bench-kernels", "tests/bench/bench-steps", "tests/bench/bench-flux", "tests/tools/make-full-size",
           "src/cli/gesso-cli", "tests/bench/bench-library", "tests/bench/bench-adapters",
           "tests/bench/bench-loading"]
PROMPT = "a red apple on a wooden table"
TICKS = os.sysconf("SC_CLK_TCK")
KERNEL_SECONDS = "0.1"


def say(text=""):
    print(text, flush=True)


class Bench:
    def __init__(self, options):
        self.options = options
        self.build = pathlib.Path(options.build).resolve()
        self.results = []

    def program(self, target):
        return str(self.build / target)

    def keep(self, result):
        self.results.append(result)
        return result

    def steps(self, model, **flags):
        """One bench-steps run: its JSON object, or None and a line that says why."""
        command = [self.program("tests/bench/bench-steps"), "--model", str(model)]
        for name, value in flags.items():
            command += ["--" + name, str(value)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            say(f"  failed: {done.stderr.strip()}")
            return self.keep({"bench": "step", "error": done.stderr.strip(), **flags}) and None
        return self.keep(json.loads(done.stdout))


# ---- operators ----

def bench_kernels(bench):
    command = [bench.program("tests/bench/bench-kernels"), "--json", "--seconds", KERNEL_SECONDS]
    say("operators, one thread: median share of the instruction's peak")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        for line in child.stdout:
            row = bench.keep({"bench": "kernel", **json.loads(line)})
            say(f"  {row['level']:10} {row['mode']:8} {row['kind']:9} {row['shape']:18}"
                f" {row['median_ms']:10.2f} ms {row['gflops']:8.1f} GFLOP/s {100 * row['share']:5.1f} %")


# ---- single passes ----

STEPS = [
    ("sd15", "unet", 512, 1, "bf16"),
    ("sd15", "unet", 512, 1, "f32"),
    ("sd15", "vae-decode", 512, 1, "bf16"),
    ("sd15", "vae-decode", 512, 1, "f32"),
    ("sdxl", "unet", 512, 2, "bf16"),
]


def show_step(name, row):
    say(f"  {name:34} {row['cpu_s']:8.2f} CPU-s {row['wall_s']:8.2f} s {row['gflops_per_cpu_s']:8.1f} GFLOP/s"
        f" {100 * row['share']:5.1f} %  memory {row['max_rss_mib']:6.0f} MiB (plan {row['plan_mib']:.0f})")


def bench_steps(bench):
    say("single passes, one thread (the second of two), synthetic weights")
    for family, part, size, batch, precision in STEPS:
        model = CACHE / f"{family}.safetensors"
        name = f"{family} {part} {size} x {batch} {precision}"
        if not model.exists():
            say(f"  {name:34} left out: --full makes its model")
            continue
        row = bench.steps(model, part=part, size=size, batch=batch, precision=precision)
        if row:
            show_step(name, row)
            say(f"  {'':34} {row['load_cpu_s']:8.2f} CPU-s {row['load_wall_s']:8.2f} s to open and plan; first pass"
                f" {row['first_cpu_s']:.2f} CPU-s {row['first_wall_s']:.2f} s")


def bench_flux(bench):
    """A step of FLUX.1 dev, worked out from single blocks of its real width: no file is needed."""
    say("a step of FLUX.1 dev 512, one thread, from its blocks (0.7 GB of random weights)")
    for precision in ("bf16", "f32"):
        command = [bench.program("tests/bench/bench-flux"), "--precision", precision]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            say(f"  failed: {done.stderr.strip()}")
            continue
        row = bench.keep(json.loads(done.stdout))
        say(f"  {precision:34} {row['step_cpu_s']:8.1f} CPU-s {row['gflops_per_cpu_s']:8.1f} GFLOP/s"
            f"  (double block {row['double_cpu_s']:.2f}, single {row['single_cpu_s']:.2f} CPU-s)")


# ---- from the disk ----

def bench_loading(bench):
    """Ways to read a file that is not in memory; how models are read is "ahead 2"."""
    say("1 GiB from the disk under the build folder, not in memory, ways taking turns: best and worst of 3")
    done = subprocess.run([bench.program("tests/bench/bench-loading"), str(bench.build)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        say(f"  failed: {done.stderr.strip()}")
        return
    for line in done.stdout.splitlines():
        row = bench.keep({"bench": "loading", **json.loads(line)})
        say(f"  {row['way']:10} {row['n']:3} {row['best_gbs']:8.2f} {row['worst_gbs']:8.2f} GB/s"
            f" {row['cpu_s_per_gb']:6.2f} CPU-s a GB")


# ---- whole pictures ----

def generate(bench, model, *flags):
    """A picture by gesso-cli: its phases, and what the process took."""
    with tempfile.TemporaryDirectory() as folder:
        command = [bench.program("src/cli/gesso-cli"), "generate", PROMPT, "--model", str(model), "--seed", "3",
                   "--json", "--output", folder + "/", *flags]
        started = time.monotonic()
        env = {"GESSO_DATA": str(ROOT / "data"), **os.environ}
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
    lines = [json.loads(line) for line in output.splitlines()]
    found = [line for line in lines if line.get("event") == "result"]
    if status or not found:
        errors = [line.get("message") for line in lines if line.get("event") == "error"]
        return {"error": errors[0] if errors else f"exit status {os.waitstatus_to_exitcode(status)}"}
    return {"wall_s": time.monotonic() - started, "cpu_s": usage.ru_utime + usage.ru_stime,
            "max_rss_mib": usage.ru_maxrss / 1024, "phases": found[0]["seconds"]}


def bench_pictures(bench):
    say("whole pictures, all cores")
    cases = [("the model that ships", ROOT / "data" / "models" / "gesso-mini", ()),
             ("sd15 512, 2 steps", CACHE / "sd15.safetensors", ("--width", "512", "--height", "512", "--steps", "2")),
             ("sdxl 512, 2 steps", CACHE / "sdxl.safetensors", ("--width", "512", "--height", "512", "--steps", "2"))]
    for name, model, flags in cases:
        if not model.exists():
            say(f"  {name:34} left out: {'--full makes its model' if CACHE in model.parents else 'not in this tree'}")
            continue
        row = bench.keep({"bench": "picture", "name": name, **generate(bench, model, *flags)})
        if "error" in row:
            say(f"  {name:34} failed: {row['error']}")
            continue
        phases = ", ".join(f"{k} {v:.2f}" for k, v in row["phases"].items() if v)
        say(f"  {name:34} {row['cpu_s']:8.2f} CPU-s {row['wall_s']:8.2f} s  ({phases} s)"
            f"  memory {row['max_rss_mib']:6.0f} MiB")


# ---- stable-diffusion.cpp ----

PEER_MARKS = [("loaded", r"loading tensors completed"), ("unet", r"\bsampling completed"),
              ("vae-decode", r"decode_first_stage completed")]


def process_cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def run_peer(program, model, weight_type):
    """CPU seconds of each phase of one step without guidance, read when the peer's log closes it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "-m", str(model), "-p", PROMPT, "-W", "512", "-H", "512", "--steps", "1", "--cfg-scale",
                   "1", "-t", "1", "-s", "3", "-v", "--type", weight_type, "-o", folder + "/peer.png"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        phases, start = {}, 0.0
        for line in child.stdout:
            if "generating image:" in line:
                start = process_cpu(child.pid)
            for name, mark in PEER_MARKS:
                if re.search(mark, line):
                    now = process_cpu(child.pid)
                    phases[name], start = now - start, now
        child.wait()
    return phases


def bench_peer(bench):
    model = CACHE / "sd15.safetensors"
    if not bench.options.peer or not model.exists():
        say("peer: left out (--peer names an sd-cli of stable-diffusion.cpp, --full makes the model)")
        return
    say("stable-diffusion.cpp on the same file, one thread, CPU seconds; ours in the same run")
    ours = {}
    for part in ("unet", "vae-decode"):
        for precision in ("bf16", "f32"):
            row = bench.steps(model, part=part, precision=precision)
            ours[part, precision] = row["cpu_s"] if row else float("nan")
    for weight_type in ("f16", "bf16", "q8_0"):
        phases = run_peer(bench.options.peer, model, weight_type)
        bench.keep({"bench": "peer", "type": weight_type, "cpu_s": phases})
        for part in ("unet", "vae-decode"):
            if part not in phases:
                say(f"  {weight_type} {part}: the peer failed")
                continue
            ratios = ", ".join(f"{phases[part] / ours[part, p]:.1f}x ours in {p} ({ours[part, p]:.2f})"
                               for p in ("bf16", "f32"))
            say(f"  {weight_type:5} {part:11} {phases[part]:8.2f} CPU-s = {ratios}")


# ---- adapters ----

def bench_adapters(bench):
    """Eight LoRAs beside one block of each model, and from moving a weight to the next step."""
    done = subprocess.run([bench.program("tests/bench/bench-adapters"), "--threads", "1"], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        bench.keep({"bench": "adapters", "error": f"exit status {done.returncode}"})
        return
    row = bench.keep(json.loads(done.stdout))
    weight = row["weight"]
    say(f"eight adapters, {row['level']}, one thread")
    for name, block in row.items():
        if isinstance(block, dict) and "rank_128" in block:
            say(f"  {name:18} {block['cpu_seconds']:8.2f} CPU-s without, {100 * (block['rank_128'] - 1):+.1f} % at total rank 128,"
                f" {100 * (block['rank_256'] - 1):+.1f} % at 256")
    say(f"  moving a weight    {weight['moved_ms']:8.2f} ms on {weight['layers']} layers, total rank {weight['total_rank']}")


# ---- the library ----

def bench_library(bench):
    """A gallery of 25,000 pictures: from a key press to the first row found, in wall time."""
    done = subprocess.run([bench.program("tests/bench/bench-library")], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        bench.keep({"bench": "library", "error": f"exit status {done.returncode}"})
        return
    row = bench.keep(json.loads(done.stdout))
    say(f"library of {row['pictures']} pictures, wall milliseconds")
    for key in ("open_ms", "first_rows_ms", "scan_unchanged_ms", "rescan_ms", "longest_turn_ms"):
        say(f"  {key[:-3].replace('_', ' '):18} {row[key]:8.1f}")
    for key in ("typing_ms", "jump_ms"):
        say(f"  {key[:-3]:18} {row[key]['p50']:8.1f} median {row[key]['p99']:8.1f} p99 {row[key]['max']:8.1f} longest")
    say(f"  memory             {row['max_rss_mib']:8.1f} MiB")


# ---- the gallery ----

def bench_gallery(bench):
    """10,000 pictures in the window: scrolling, jumping, searching, idling, memory; needs Xvfb."""
    command = [str(ROOT / "tests/ui/xvfb.sh"), bench.program("tests/ui/bench-gallery"), "--json"]
    memory = {"TMPDIR": "/dev/shm"} if os.access("/dev/shm", os.W_OK) else {}  # the pictures are written with fsync
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          env={**os.environ, **memory})
    if done.stdout.startswith("1..0"):
        say(f"gallery: left out, {done.stdout.split('SKIP', 1)[1].strip()}")
        return
    if done.returncode:
        bench.keep({"bench": "gallery", "error": f"exit status {done.returncode}"})
        return
    say("gallery of 10,000 pictures on a display without a GPU, wall milliseconds")
    for line in done.stdout.splitlines():
        row = bench.keep(json.loads(line))
        if row["what"] == "idle":
            say(f"  idle {row['cpu_percent']:.2f} % of a core, peak memory {row['peak_rss_mib']:.0f} MiB")
        else:
            say(f"  {row['what']:24} {row['p50_ms']:8.1f} median {row['p99_ms']:8.1f} p99 {row['max_ms']:8.1f} longest"
                f"   main loop at most {row['blocked_ms']:6.1f}, {row['worked_ms']:5.1f} of them processor time"
                f"   {row['rss_mib']:4.0f} MiB")


# ---- the run ----

def make_models(bench):
    CACHE.mkdir(parents=True, exist_ok=True)
    for family in ("sd15", "sdxl"):
        path = CACHE / f"{family}.safetensors"
        if not path.exists():
            say(f"making {path}")
            subprocess.run([bench.program("tests/tools/make-full-size"), "--family", family, str(path)], check=True,
                           stderr=subprocess.DEVNULL)


def processor():
    for line in open("/proc/cpuinfo", encoding="utf8"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


PARTS = {"kernels": bench_kernels, "steps": bench_steps, "flux": bench_flux, "adapters": bench_adapters, "loading": bench_loading,
         "pictures": bench_pictures, "library": bench_library, "gallery": bench_gallery, "peer": bench_peer}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", default=str(ROOT / "build"), help="build folder, default build")
    parser.add_argument("--full", action="store_true", help="make the full-size models first")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--json", metavar="FILE", help="add the results to FILE, a line a run")
    parser.add_argument("--peer", metavar="PROGRAM", help="sd-cli of stable-diffusion.cpp to compare with")
    bench = Bench(parser.parse_args())
    subprocess.run(["ninja", "-C", str(bench.build), *TARGETS], check=True, stdout=subprocess.DEVNULL)
    if bench.options.full:
        make_models(bench)
    say(f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for part in bench.options.only:
        PARTS[part](bench)
    if bench.options.json:
        with open(bench.options.json, "a", encoding="utf8") as out:
            json.dump({"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "processor": processor(),
                       "cores": os.cpu_count(), "load": os.getloadavg()[0], "results": bench.results}, out)
            out.write("\n")
    return 1 if any("error" in r for r in bench.results) else 0


if __name__ == "__main__":
    sys.exit(main())
