#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What window and worker use of the processor while nothing happens.

Usage: ../xvfb.sh idle.py GESSO

Measured with each process's own clock, in nanoseconds, over SECONDS of the wall clock; the share is of one processor.
"""
import pathlib
import sys
import time

from studio import Jobs, Studio, main, note, ok, wait, xdotool

SECONDS = 3
LARGEST_SHARE = 0.005
SCHEDULED = 2  # CPUCLOCK_SCHED of <linux/posix-timers.h>: the time that all threads ran, those that ended, too


def used_ns(pid):
    """User and system time of all threads; the clock is that of clock_getcpuclockid(3)."""
    return time.clock_gettime_ns(~pid << 3 | SCHEDULED)


def switches(pid):
    """How often its threads went to sleep and were woken."""
    n = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        n += int(lines["voluntary_ctxt_switches"])
    return n


def rest(pids):
    """Until a second passes that is idle: start-up work and the test's own questions are over."""
    def rests():
        before = sum(map(used_ns, pids))
        time.sleep(1)
        return sum(map(used_ns, pids)) - before < LARGEST_SHARE * 1e9
    wait("start-up work to end", rests)


def measure(studio, what):
    pids = [studio.pid(), studio.worker_pid()]
    rest(pids)
    before, woken = [used_ns(p) for p in pids], [switches(p) for p in pids]
    time.sleep(SECONDS)
    used = [after - b for after, b in zip([used_ns(p) for p in pids], before)]
    times = [after - b for after, b in zip([switches(p) for p in pids], woken)]
    share = sum(used) / 1e9 / SECONDS
    note(f"{what}: window {used[0] / 1e6:.2f} ms, woken {times[0]} times; worker {used[1] / 1e6:.2f} ms, "
         f"woken {times[1]} times")
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
