#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Kills a worker, the window and both at random moments of a running queue.

Usage: nothing_lost.py DRIVER WORKER DATA [--kills N] [--seed S] [--backend cpu|null|null,null]

A first run of the same queue is left alone.  The second is killed N times; the queue has to end with every job
there once, every picture there once and equal byte for byte to that of the first run, and nothing left over:
no other file, no temporary file, no journal.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib

N_JOBS = 14  # of one round; a round that ends before all kills are done is checked, and another begins
LONGEST_S = 900


def recipes(model, n):
    """Jobs of several batches, batches of several pictures, prompts that tell pictures apart."""
    shapes = [(1, 1), (2, 1), (1, 3), (3, 2)]
    for i in range(n):
        count, size = shapes[i % len(shapes)]
        yield {"version": 1, "model": str(model), "prompt": f"a red apple, number {i}", "seed": 1000 * i + 7,
               "width": 32, "height": 32, "steps": 6 + i % 9, "batch_count": count, "batch_size": size,
               "sampler": ["euler", "euler_a", "dpmpp_2m"][i % 3]}


def wanted(jobs):
    return {(j["prompt"], j["seed"] + k) for j in jobs for k in range(j["batch_count"] * j["batch_size"])}


def recipe_of(path):
    """The text "gesso" of a PNG; fails for a file that is cut off."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", f"{path} is no PNG"
    found, at, kind = None, 8, b""
    while kind != b"IEND":
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        crc, = struct.unpack(">I", data[at + 8 + size:at + 12 + size])
        assert crc == zlib.crc32(kind + body), f"{path}: damaged chunk {kind}"
        if kind in (b"tEXt", b"iTXt") and body.startswith(b"gesso\0"):
            found = json.loads(body.split(b"\0", 1)[1].lstrip(b"\0"))
        at += 12 + size
    return found


class Queue:
    """A data folder and a pictures folder, and the window that works on them."""

    def __init__(self, args, folder, jobs):
        self.args, self.jobs = args, jobs
        self.data, self.pictures = folder / "data", folder / "pictures"
        self.file = folder / "jobs.txt"
        self.file.parent.mkdir(parents=True)
        self.file.write_text("\n".join(json.dumps(j) for j in jobs) + "\n", encoding="utf8")
        self.window, self.added = None, False

    def start(self, *extra):
        command = [self.args.driver, "--data", self.data, "--pictures", self.pictures, "--worker", self.args.worker,
                   "--backend", self.args.backend, *extra]
        self.log = open(self.file.with_name("driver.log"), "ab")
        self.window = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=self.log, text=True,
                                       encoding="utf8", env=dict(os.environ, GESSO_DATA=str(self.args.data)))

    def begin(self):
        """Adding is one transaction: a window that was killed has added all jobs or none."""
        self.added = self.added or self.count_jobs() > 0
        self.start(*([] if self.added else ["--add", self.file]))

    def count_jobs(self):
        self.start("--list")
        lines = self.window.communicate(timeout=LONGEST_S)[0].splitlines()
        assert self.window.returncode == 0, f"the session could not be opened again: {lines}"
        return len([line for line in lines if line.startswith("job ")])

    def worker_pids(self):
        """The newest worker of each device, when it is one and lives."""
        pids = []
        for path in sorted(self.data.glob("worker*.pid")):
            try:
                pid = int(path.read_text())
                if b"gesso-worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    pids.append(pid)
            except (OSError, ValueError):
                pass
        return pids

    def finish(self):
        """Lets the queue run out, and looks at what is there."""
        self.begin()
        out = self.window.communicate(timeout=LONGEST_S)[0]
        if self.window.returncode < 0:
            print(f"# the log: {self.file.with_name('driver.log').read_text(errors='replace')[-2000:]}")
        assert self.window.returncode == 0, f"the queue ended with {self.window.returncode}:\n{out[-2000:]}"
        lines = [line.split(" ", 5) for line in out.splitlines() if line.startswith("job ")]
        ids = [line[1] for line in lines]
        assert len(ids) == len(set(ids)) == len(self.jobs), f"{len(ids)} jobs of {len(self.jobs)}:\n{out[-2000:]}"
        for line in lines:
            why = [said for said in out.splitlines() if said.startswith(f"ended {line[1]} ")]
            assert line[2] == "3" and line[3] == line[4], f"not done: {line}, because {why}"
        self.start("--list")  # a start and an end without work sweep what the kills left behind
        self.window.communicate(timeout=LONGEST_S)
        return self.check_files()

    def check_files(self):
        files = [p for p in self.pictures.rglob("*") if not p.is_dir()]
        found = collections.defaultdict(list)
        for path in files:
            assert path.suffix == ".png", f"left behind: {path}"
            recipe = recipe_of(path)
            assert recipe, f"{path} has no recipe"
            found[recipe["prompt"], recipe["seed"]].append(path)
        twice = {k: v for k, v in found.items() if len(v) > 1}
        assert not twice, f"done twice: {twice}"
        assert set(found) == wanted(self.jobs), (f"missing {wanted(self.jobs) - set(found)}, "
                                                 f"not asked for {set(found) - wanted(self.jobs)}")
        left = [p for p in self.data.rglob("*") if ".part" in p.name or ".journal" in p.name]
        assert not left, f"left behind: {left}"
        return {key: paths[0] for key, paths in found.items()}


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def wait_for_write(queue, longest_s):
    """Until a picture is being written: the moments that matter most are few and short."""
    end = time.monotonic() + longest_s
    while time.monotonic() < end and queue.window.poll() is None:
        for folder in queue.pictures.glob("*"):
            if any(name.endswith(".part") for name in os.listdir(folder)):
                return


def strike(queue, rng, counts):
    """One kill.  Returns whether the window lives on."""
    what = rng.choice(["worker", "window", "both"])
    workers = queue.worker_pids()
    worker = rng.choice(workers) if workers else None
    victims = {"worker": [worker], "window": [queue.window.pid],
               "both": rng.sample([worker, queue.window.pid], 2)}[what]
    if None in victims:
        return True
    if all([kill(pid) for pid in victims]):
        counts[what] += 1
    if what == "worker":
        return True
    queue.window.communicate(timeout=LONGEST_S)
    return False


def torment(queue, rng, counts, n):
    """Kills until @n were made or the queue has run out.  Returns whether it ran out."""
    alive = False
    while sum(counts.values()) < n:
        if not alive:
            queue.begin()
        if rng.random() < 0.6:
            wait_for_write(queue, 0.5)
            time.sleep(rng.random() ** 2 * 0.02)  # the moment is what is tested, not the time
        else:
            time.sleep(rng.random() ** 2 * 0.5)
        if queue.window.poll() is not None:
            code, out = queue.window.returncode, queue.window.communicate()[0]
            assert code == 0, f"the window ended by itself with {code}:\n{out[-2000:]}"
            return True
        alive = strike(queue, rng, counts)
    if alive:
        kill(queue.window.pid)
        queue.window.communicate(timeout=LONGEST_S)
    return False


def compare(first, second):
    for key, path in first.items():
        assert path.read_bytes() == second[key].read_bytes(), f"{second[key]} is not the picture {path}"


def own_folder(driver):
    """In the build tree; what a run that was killed has left there goes."""
    folders = driver.with_name("nothing-lost.d")
    for old in folders.glob("*"):
        if not pathlib.Path("/proc", old.name).exists():
            shutil.rmtree(old, ignore_errors=True)
    base = folders / str(os.getpid())
    base.mkdir(parents=True)
    return base


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver", type=pathlib.Path)
    parser.add_argument("worker", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--backend", default="cpu")
    args = parser.parse_args()
    for name in ("driver", "worker", "data"):
        setattr(args, name, getattr(args, name).resolve())
    print(f"# again: {' '.join(sys.argv[:4])} --kills {args.kills} --backend {args.backend} --seed {args.seed}")
    rng, counts, rounds = random.Random(args.seed), collections.Counter(), 0
    base = own_folder(args.driver)
    model = base / "gesso-mini"  # a copy: the original may be replaced meanwhile, as training does
    shutil.copytree(args.data / "models" / "gesso-mini", model)
    jobs = list(recipes(model, N_JOBS))
    undisturbed = Queue(args, base / "undisturbed", jobs).finish()
    while sum(counts.values()) < args.kills:
        rounds += 1
        queue = Queue(args, base / f"round-{rounds}", jobs)
        torment(queue, rng, counts, args.kills)
        compare(undisturbed, queue.finish())
    shutil.rmtree(base)
    print(f"# {dict(counts)} in {rounds} rounds of {len(undisturbed)} pictures")
    print(f"1..1\nok 1 - nothing lost, nothing twice, {args.backend}")


if __name__ == "__main__":
    main()
