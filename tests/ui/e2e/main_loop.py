#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The main loop while the CPU backend draws 512 x 512 pixels beside it.

Usage: ../xvfb.sh main_loop.py GESSO [--figures]

Times depend on the machine, so they are printed, not judged.  What is judged is the cause: the thread of the
window waits for no disk (fsync, fdatasync) and for no thread or child (wait4 and kin).
"""
import collections
import os
import re
import sys

from studio import HOME, Jobs, Studio, main, note, ok, png_write, wait

SIDE = 512
STEPS = 8
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
    """The watchdog's line, which the program writes at its end."""
    lines = re.findall(r"main loop: .*", studio.log.read_text(errors="replace"))
    return lines[-1] if lines else None


def scenario():
    figures = Studio(sys.argv[1], env={"GESSO_DEBUG": "mainloop"}).open()
    draw(figures)
    figures.quit()
    line = measured(figures)
    ok(line, "the watchdog measured")
    note(line)
    if "--figures" in sys.argv:
        return
    check_calls()


def check_calls():
    trace = HOME / "trace"
    strace = ("strace", "-f", "-o", str(trace), "-e", f"trace={BLOCKING}")
    studio = Studio(sys.argv[1], wrap=strace).open()
    main_thread = studio.pid()
    studio.generate("a rocket")
    wait("the picture", lambda: Jobs.count("done") == 2)
    studio.page("gallery")
    studio.page("create")
    studio.quit()
    counts, others = collections.Counter(), collections.Counter()
    for text in trace.read_text().splitlines():
        call = re.match(r"(\d+) +(\w+)\(", text)
        if call:
            (counts if int(call[1]) == main_thread else others)[call[2]] += 1
    note(f"other threads and the worker: {dict(others)}")
    ok(others["fsync"] + others["fdatasync"] > 0, "the trace sees the writes of the other threads")
    if not ok(not counts, f"the window's thread calls nothing that waits: {dict(counts) or 'nothing'}"):
        note("\n".join(line for line in trace.read_text().splitlines() if line.startswith(f"{main_thread} "))[:2000])


main(scenario)
