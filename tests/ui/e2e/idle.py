#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What window and worker use of the processor while nothing happens.

Usage: ../xvfb.sh idle.py GESSO

Counted in the kernel's clock ticks over SECONDS of the wall clock; the share is of one processor.
"""
import os
import pathlib
import sys
import time

from studio import Jobs, Studio, main, note, ok, wait, xdotool

SECONDS = 10
LARGEST_SHARE = 0.005


def ticks(pid):
    """User and system time of all threads, in clock ticks (proc(5), fields 14 and 15)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def switches(pid):
    """How often its threads went to sleep and were woken."""
    n = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        n += int(lines["voluntary_ctxt_switches"])
    return n


def rest(pids):
    """Until a second passes in which nothing is used: start-up work and the test's own questions are over."""
    def rests():
        before = [ticks(p) for p in pids]
        time.sleep(1)
        return before == [ticks(p) for p in pids]
    wait("start-up work to end", rests)


def measure(studio, what):
    pids = [studio.pid(), studio.worker_pid()]
    rest(pids)
    before, woken = [ticks(p) for p in pids], [switches(p) for p in pids]
    time.sleep(SECONDS)
    used = [after - b for after, b in zip([ticks(p) for p in pids], before)]
    times = [after - b for after, b in zip([switches(p) for p in pids], woken)]
    share = sum(used) / os.sysconf("SC_CLK_TCK") / SECONDS
    note(f"{what}: window {used[0]} ticks, woken {times[0]} times; worker {used[1]} ticks, woken {times[1]} times")
    ok(share < LARGEST_SHARE, f"{what}: {share:.2%} of a processor over {SECONDS} s")


def scenario():
    studio = Studio(sys.argv[1], "--backend", "null").open()
    studio.can_generate()
    wait("the worker", studio.worker_pid)
    measure(studio, "after the start")
    studio.generate("a fox")
    wait("the picture", lambda: Jobs.count("done") == 1)
    xdotool("mousemove", 700, 400)
    measure(studio, "after a job")
    studio.change("show-queue", True)
    studio.change("pause", True)
    studio.generate("a rocket")
    measure(studio, "with a paused queue")
    studio.quit()


main(scenario)
