#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Kills the real window, its worker and both at random moments of a running queue.

Usage: ../xvfb.sh nothing_lost_window.py GESSO SESSION_DRIVER WORKER DATA [--kills N] [--seed S] [--backend cpu|null]

The checks are those of tests/session/nothing_lost.py, which does the same to the session without a window: every job
there once, every picture there once and equal byte for byte to that of an undisturbed run, nothing left over.
"""
import argparse
import collections
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from studio import BAD, HARMLESS, ID, PATH, Gio, GLib, note, wait

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "session"))
import nothing_lost as session  # noqa: E402

LIVE = "('waiting', 'running', 'parked')"
WORKER_PATIENCE_S = 20


class WindowQueue(session.Queue):
    """A home folder, and the window that works on its queue."""

    def __init__(self, args, folder, jobs):
        super().__init__(args, folder, jobs)
        self.home = folder
        self.data, self.pictures = folder / ".local/share/gesso", folder / "Pictures/Gesso"

    def query(self, sql):
        db = sqlite3.connect(f"file:{self.data}/session.db?mode=ro", uri=True, timeout=60)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def add(self):
        """The session adds the jobs in one transaction, and is killed."""
        self.start("--add", self.file)
        wait("the jobs", lambda: (self.data / "session.db").exists() and self.has_jobs())
        session.kill(self.window.pid)
        self.window.communicate()

    def has_jobs(self):
        try:
            return self.query("SELECT count (*) FROM jobs")[0][0] == len(self.jobs)
        except sqlite3.OperationalError:  # not made yet
            return False

    def begin(self):
        environment = dict(os.environ, HOME=str(self.home), GESSO_DATA=str(self.args.data), G_DEBUG="fatal-criticals",
                           GTK_A11Y="none")
        for name, path in (("CONFIG", ".config"), ("DATA", ".local/share"), ("CACHE", ".cache"), ("STATE", ".local/state")):
            environment[f"XDG_{name}_HOME"] = str(self.home / path)
        self.log = open(self.file.with_name("window.log"), "ab")
        self.window = subprocess.Popen([str(self.args.gesso), "--backend", self.args.backend], stdout=subprocess.PIPE,
                                       stderr=self.log, env=environment)

    def ran_out(self):
        return self.query(f"SELECT count (*) FROM jobs WHERE state IN {LIVE}")[0][0] == 0

    def quit(self):
        """As from the menu, until it is heard: the bus may still have the name of the window that was killed, and
        while the last job is noted as done the window asks whether it may park it."""
        actions = Gio.DBusActionGroup.get(Gio.bus_get_sync(Gio.BusType.SESSION), ID, PATH)

        def has_ended():
            actions.activate_action("quit", None)
            try:
                return self.window.wait(timeout=0.5) is not None
            except subprocess.TimeoutExpired:
                return False
        wait("the end of the window", has_ended, session.LONGEST_S)
        assert self.window.returncode == 0, f"the window ended with {self.window.returncode}"

    def finish(self):
        """Lets the window do what is left, and looks at what is there."""
        self.begin()
        wait("the queue to run out", self.has_ended, session.LONGEST_S)
        self.quit()
        states = self.query("SELECT state, error_code, count (*) FROM jobs GROUP BY state, error_code")
        assert states == [("done", "", len(self.jobs))], f"not every job is done, once: {states}"
        self.begin()  # a start and an end without work sweep what the kills left behind
        self.quit()
        log = self.file.with_name("window.log").read_text(errors="replace").splitlines()
        bad = [line for line in log if BAD.search(line) and not HARMLESS.search(line)]
        assert not bad, "the window complains: " + "\n".join(bad[:5])
        return self.check_files()

    def has_ended(self):
        """A job whose worker died twice is given up until the user tries it again, as here by the queue's menu."""
        self.check_alive()
        given_up = self.query("SELECT id FROM jobs WHERE state = 'failed' AND error_code = 'worker-died'")
        actions = Gio.DBusActionGroup.get(Gio.bus_get_sync(Gio.BusType.SESSION), ID, f"{PATH}/window/1")
        for job, in given_up:
            actions.activate_action("job-retry", GLib.Variant("x", job))
        return not given_up and self.ran_out()

    def check_alive(self):
        assert self.window.poll() is None, f"the window ended by itself with {self.window.returncode}"


def wait_for_worker(queue):
    """Not for ever: after three deaths in a row the queue waits for its user."""
    end = time.monotonic() + WORKER_PATIENCE_S
    while not queue.worker_pids() and not queue.ran_out() and time.monotonic() < end:
        queue.check_alive()
        time.sleep(0.05)


def torment(queue, rng, counts, n):
    """Kills until @n were made or the queue has run out.  A window needs a second until it has a worker: without
    waiting for that nearly all kills would strike windows that have done nothing yet."""
    alive = False
    while sum(counts.values()) < n and not queue.ran_out():
        if not alive:
            queue.begin()
        if rng.random() < 0.9:
            wait_for_worker(queue)
        if rng.random() < 0.6:
            session.wait_for_write(queue, 1)
            time.sleep(rng.random() ** 2 * 0.02)  # the moment is what is tested, not the time
        else:
            time.sleep(rng.random() ** 2)
        queue.check_alive()
        alive = session.strike(queue, rng, counts)
    if alive:
        session.kill(queue.window.pid)
        queue.window.communicate()


def main():
    parser = argparse.ArgumentParser()
    for name in ("gesso", "driver", "worker", "data"):
        parser.add_argument(name, type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--backend", default="cpu")
    args = parser.parse_args()
    note(f"again: {' '.join(sys.argv[:5])} --kills {args.kills} --backend {args.backend} --seed {args.seed}")
    rng, counts, rounds = random.Random(args.seed), collections.Counter(), 0
    base = pathlib.Path(tempfile.mkdtemp(prefix="gesso-nothing-lost-"))
    jobs = list(session.recipes(args.data / "models" / "gesso-mini", session.N_JOBS))
    undisturbed = session.Queue(args, base / "undisturbed", jobs).finish()
    while sum(counts.values()) < args.kills:
        rounds += 1
        queue = WindowQueue(args, base / f"round-{rounds}", jobs)
        queue.add()
        torment(queue, rng, counts, args.kills)
        session.compare(undisturbed, queue.finish())
    shutil.rmtree(base)
    note(f"{dict(counts)} in {rounds} rounds of {len(undisturbed)} pictures")
    print(f"1..1\nok 1 - the window loses nothing and does nothing twice, {args.backend}")


main()
