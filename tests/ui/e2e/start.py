#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Starting: a second start raises the first window, `gesso FILE` puts the file on the canvas, and without a
display the program says so.

Usage: ../xvfb.sh start.py GESSO
"""
import os
import subprocess
import sys

from studio import HOME, LONGEST_S, Studio, main, ok, png_write, role_of, wait


def again(*args, **env):
    return subprocess.run([sys.argv[1], *[str(a) for a in args]], capture_output=True, text=True, timeout=LONGEST_S,
                          env=dict({k: v for k, v in os.environ.items() if k != "DISPLAY" or "DISPLAY" not in env},
                                   **{k: v for k, v in env.items() if v is not None}))


def latest(node, part):
    """From the end of the tree, where toasts are, which do not stay until all of it was looked at."""
    for i in reversed(range(node.get_child_count())):
        child = node.get_child_at_index(i)
        found = child and latest(child, part)
        if found:
            return found
    return node.get_name() if role_of(node) == "label" and part in node.get_name() else None


def scenario():
    away = again(DISPLAY=None)
    ok(away.returncode == 4 and "no display" in away.stderr and "gesso-cli" in away.stderr,
       f"without a display it says so and what to do instead, status {away.returncode}")
    version = again("--version")
    ok(version.returncode == 0 and version.stdout.startswith("gesso "), "--version")
    studio = Studio(sys.argv[1]).open()
    second = again()
    ok(second.returncode == 0 and studio.process.poll() is None, "a second start ends at once")
    ok(len(studio.windows()) == 1, "there is still one window")
    file = HOME / "picture.png"
    png_write(file, 128, 128, lambda x, y: (x, y, 128))
    ok(again(file).returncode == 0, "a second start with a file ends at once, too")
    studio.find("Refine", "push button")
    ok(True, "the file is on the canvas of the first window")
    missing = again(HOME / "not there.png")
    ok(missing.returncode == 0, "a file that is not there is no reason to fail")
    studio.app.clear_cache()
    said = wait("a sentence about it", lambda: latest(studio.frame, "not there"))
    ok(True, f"it is said: {said}")
    studio.quit()


main(scenario)
