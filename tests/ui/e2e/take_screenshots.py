#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Takes the pictures of the window for README and metainfo; ../screenshots runs it.

Usage: ../xvfb.sh -s 1300x840 take_screenshots.py GESSO FOLDER [light|dark]

The window draws itself (GESSO_DEBUG=screenshot), so that no border or pointer of the test's display is in them.
The pictures in it are made by the model that ships.
"""
import os
import pathlib
import subprocess
import sys
import time

import palette
from studio import GLib, Jobs, Studio, has_state, main, ok, pictures, png_pixels, recipe, wait, xdotool

PROMPTS = ["a fox", "a rocket", "a mushroom", "a red apple", "a sunflower", "a blue butterfly", "a whale", "a cactus",
           "an owl", "a penguin", "a strawberry", "a turtle"]
ROW = 250  # of a screenshot, is looked at: below what all pages have in common
LARGEST_BYTES = 150 * 1024


def draw(studio, path):
    """The window refuses while it is between two frames."""
    def drawn():
        studio.app_action("screenshot", GLib.Variant("s", str(path)))
        end = time.monotonic() + 1
        while time.monotonic() < end:
            if path.exists() and path.read_bytes()[-8:-4] == b"IEND":
                return True
            time.sleep(0.02)
        return False
    path.unlink(missing_ok=True)
    wait(path.name, drawn)
    return path.read_bytes()


def take(studio, folder, name, moving=False):
    """Twice alike, when thumbnails and previews have arrived; or of something that runs."""
    path, before = folder / f"{name}.png", None
    while True:
        now = draw(studio, path)
        if moving or now == before:
            break
        before = now
        time.sleep(0.5)
    shrink(path)


def shrink(path):
    width, height, rows = png_pixels(path)
    row = rows[ROW]
    colours = set(zip(row[0::3], row[1::3], row[2::3]))
    ok(width > 1000 and height > 700 and len(colours) > 3, f"{path.name} shows something, {width} x {height}")
    palette.write(path, width, height, rows)
    ok(path.stat().st_size < LARGEST_BYTES, f"{path.name} has {path.stat().st_size} bytes")


def make(studio, prompts):
    n = Jobs.count("done") + len(prompts)
    for prompt in prompts:
        studio.generate(prompt)
    wait("the pictures", lambda: Jobs.count("done") == n)
    wait("the pill to go", lambda: not studio.has("Stop", "push button"))


def picture_of(prompt):
    return next(p for p in pictures() if recipe(p)["prompt"] == prompt)


def paint(studio):
    studio.press("Paint Mask")
    wait("the brush", lambda: has_state(studio.all("Paint Mask", "push button")[0], "PRESSED"))
    x, y, width, height = studio.extents(studio.find("Canvas.*"))
    x, y = x + width // 2, y + height // 3
    words = ["mousemove", x - 60, y, "mousedown", 1]
    for i in range(13):
        words += ["mousemove", x - 60 + 10 * i, y - (i % 3) * 4, "sleep", 0.03]
    xdotool(*words, "mouseup", 1)
    studio.find("Inpaint", "push button")


def show_queue(studio, folder):
    studio.change("show-queue", True)
    studio.change("pause", True)
    for prompt in PROMPTS[:6]:  # they are made again
        studio.generate(prompt)
    n = Jobs.count("done")
    studio.change("pause", False)
    wait("a job", lambda: Jobs.count("done") > n)
    take(studio, folder, "queue", moving=True)
    wait("the rest", lambda: Jobs.count("waiting", "running", "parked") == 0)
    studio.change("show-queue", False)


def scenario():
    gesso, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    look = "dark" if "dark" in sys.argv else "light"
    quiet = {**os.environ, "ADW_DEBUG_COLOR_SCHEME": f"prefer-{look}"}
    env = {"GESSO_DEBUG": "screenshot", "ADW_DEBUG_COLOR_SCHEME": f"prefer-{look}"}
    subprocess.run([gesso, "--screenshot", str(folder / "first-run.png")], check=True, env=quiet)
    shrink(folder / "first-run.png")
    studio = Studio(gesso, env=env).open()
    studio.can_generate()
    studio.press("Close this card")
    make(studio, PROMPTS)
    xdotool("mousemove", 640, 835)
    take(studio, folder, "create")
    studio.page("gallery")
    wait("the pictures", lambda: len(studio.all(".*, Today.*", "table cell")) >= len(PROMPTS))
    studio.click(studio.find(f"{PROMPTS[-2]}, .*", "table cell"))
    wait("the recipe", lambda: studio.has("gesso-mini.*"))
    xdotool("mousemove", 600, 830)
    take(studio, folder, "gallery")
    xdotool("key", "Return")
    studio.find("Back to the gallery", "push button")
    take(studio, folder, "picture")
    studio.page("create")
    show_queue(studio, folder)
    studio.send(picture_of("a fox"))
    studio.press("_?As Start Picture.*|_?As _Start Picture.*")
    studio.find("Refine", "push button")
    paint(studio)
    studio.set_text("Prompt", "a fox with a blue hat")
    take(studio, folder, "inpaint")
    studio.quit()


main(scenario)
