#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The main loop while the CPU backend draws 384 x 384 pixels beside it.

Usage: ../xvfb.sh main_loop.py GESSO [--figures]

Wall times depend on the machine, so they are printed, not judged.  Judged is the processor time between two polls, and
the cause of waiting: the thread of the window waits for no disk (fsync, fdatasync) and for no thread or child (wait4 and
kin).
"""
import collections
import os
import re
import sys
import time

from studio import HOME, Jobs, Studio, main, note, ok, png_write, wait

FRAME_MS = 16  # of processor time: one frame at 60 Hz
SHARED = 2  # a neighbour on the core's other thread takes half of its speed
SIDE = 384
STEPS = 2
BLOCKING = "fsync,fdatasync,sync,syncfs,sync_file_range,msync,wait4,waitid,nanosleep,clock_nanosleep,flock"


def draw(studio):
    """Takes the settings out of a picture, as one finds them, and makes a batch of two of it."""
    file = HOME / "settings.png"
    model = os.path.join(os.environ["GESSO_DATA"], "models", "gesso-mini")
    png_write(file, 64, 64, lambda x, y: (x, y, 0), {
        "version": 1, "model": model, "prompt": "a fox", "seed": 3, "steps": STEPS, "width": SIDE, "height": SIDE,
        "batch_count": 2})
    studio.send(file)
    studio.press("_?Use Settings( Use Settings)?")
    wait(f"{SIDE} x {SIDE} in the form", lambda: studio.has(f"Shape: .*{SIDE} × {SIDE}.*"))
    studio.can_generate()
    studio.do("generate")
    wait("a job", lambda: Jobs.count() == 1)
    wait("both pictures", lambda: Jobs.count("done") == 1, 600)


def measured(studio):
    """Ends a measurement of the watchdog, which writes a line, and begins the next."""
    def lines():
        return re.findall(r"main loop: .*", studio.log.read_text(errors="replace"))
    n = len(lines())
    studio.app_action("watchdog")
    return wait("the watchdog's line", lambda: lines()[n:])[0]


def scenario():
    studio = Studio(sys.argv[1], env={"GESSO_DEBUG": "mainloop"}).open()
    studio.can_generate()
    note(f"start: {measured(studio)}")
    draw(studio)
    line = measured(studio)
    note(f"drawing: {line}")
    p50, p99, longest = (float(x) for x in re.search(r"processor p50 ([\d.]+), p99 ([\d.]+), max ([\d.]+)", line).groups())
    ok(p99 <= FRAME_MS, f"99 of 100 times the main loop works no longer than {FRAME_MS} ms: p50 {p50}, p99 {p99}")
    ok(longest <= FRAME_MS * SHARED, f"never longer than {FRAME_MS} ms, {FRAME_MS * SHARED} on a shared core: {longest}")
    studio.quit()
    if "--figures" not in sys.argv:
        check_calls()


def check_calls():
    trace = HOME / "trace"
    strace = ("strace", "-f", "--seccomp-bpf", "-ttt", "-o", str(trace), "-e", f"trace={BLOCKING}")
    studio = Studio(sys.argv[1], wrap=strace).open()
    main_thread = studio.pid()
    studio.can_generate()
    began = time.time()  # opening the files at the start takes their locks
    studio.generate("a rocket")
    wait("the picture", lambda: Jobs.count("done") == 2)
    studio.page("gallery")
    studio.find("a rocket, .*", "table cell")
    studio.page("create")
    ended = time.time()  # libraries that clean up at the exit wait for their threads
    studio.quit()
    counts, others = collections.Counter(), collections.Counter()
    for text in trace.read_text().splitlines():
        call = re.match(r"(\d+) +([\d.]+) (\w+)\(", text)
        if call and began < float(call[2]) < ended:
            (counts if int(call[1]) == main_thread else others)[call[3]] += 1
    note(f"other threads and the worker: {dict(others)}")
    ok(others["fsync"] + others["fdatasync"] > 0, "the trace sees the writes of the other threads")
    if not ok(not counts, f"the window's thread calls nothing that waits: {dict(counts) or 'nothing'}"):
        note("\n".join(line for line in trace.read_text().splitlines() if line.startswith(f"{main_thread} "))[:2000])


main(scenario)
