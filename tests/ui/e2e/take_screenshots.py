#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Takes the pictures of the window for README and metainfo; ../screenshots runs it.

Usage: ../xvfb.sh take_screenshots.py GESSO FOLDER [light|dark]

The window draws itself (GESSO_DEBUG=screenshot), so that no border or pointer of the test's display is in them.
The pictures in it are made by the model that ships.
"""
import pathlib
import sqlite3
import subprocess
import sys
import time

from studio import DATA, GLib, Jobs, Studio, has_state, main, ok, pictures, recipe, wait, xdotool

PROMPTS = ["a fox", "a rocket", "a mushroom", "a red apple", "a sunflower", "a blue butterfly", "a whale", "a cactus",
           "an owl", "a hot air balloon", "a strawberry", "a penguin", "a sailboat", "a pizza", "a turtle", "a rose",
           "a panda", "a snowman"]
LARGEST_BYTES = 150 * 1024


def take(studio, folder, name):
    """Twice alike: thumbnails and previews have arrived."""
    path, before = folder / f"{name}.png", None
    while True:
        path.unlink(missing_ok=True)
        studio.app_action("screenshot", GLib.Variant("s", str(path)))
        wait(f"{name}.png", lambda: path.exists() and path.read_bytes()[-8:-4] == b"IEND")
        if path.read_bytes() == before:
            break
        before = path.read_bytes()
        time.sleep(0.5)
    ok(len(before) < LARGEST_BYTES, f"{name}.png has {len(before)} bytes")


def take_moving(studio, folder, name):
    """Of something that runs, which is never twice alike."""
    path = folder / f"{name}.png"
    path.unlink(missing_ok=True)
    studio.app_action("screenshot", GLib.Variant("s", str(path)))
    wait(f"{name}.png", lambda: path.exists() and path.read_bytes()[-8:-4] == b"IEND")
    ok(path.stat().st_size < LARGEST_BYTES, f"{name}.png has {path.stat().st_size} bytes")


def make(studio, prompts):
    n = Jobs.count("done") + len(prompts)
    for prompt in prompts:
        studio.generate(prompt)
    wait("the pictures", lambda: Jobs.count("done") == n)
    wait("the pill to go", lambda: not studio.has("Stop", "push button"))


def picture_of(prompt):
    return next(p for p in pictures() if recipe(p)["prompt"] == prompt)


def star(prompts):
    """As if starred earlier; the next window shows it."""
    db = sqlite3.connect(DATA / "library.db", timeout=30)
    db.executemany("UPDATE pictures SET starred = 1 WHERE prompt = ?", [(p,) for p in prompts])
    db.commit()
    db.close()


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


def scenario():
    gesso, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    look = {"light": "force-light", "dark": "force-dark"}[sys.argv[3]] if len(sys.argv) > 3 else "default"
    env = {"GESSO_DEBUG": "screenshot", "ADW_DEBUG_COLOR_SCHEME": look.replace("force", "prefer")}
    subprocess.run([gesso, "--screenshot", str(folder / "first-run.png")], check=True)
    ok((folder / "first-run.png").stat().st_size < LARGEST_BYTES, "first-run.png is small")
    studio = Studio(gesso, env=env).open()
    studio.can_generate()
    studio.press("Close this card")
    make(studio, PROMPTS)
    take(studio, folder, "create")
    studio.page("gallery")
    wait("the pictures", lambda: len(studio.all("a .*|an .*", "list item|grid cell|image")) >= 6 or studio.has("a fox.*"))
    xdotool("key", "Tab", "Tab", "Tab", "Tab", "Tab", "Right", "Right")
    take(studio, folder, "gallery")
    studio.page("create")
    studio.send(picture_of("a fox"))
    studio.press("_?As Start Picture.*|_?As _Start Picture.*")
    studio.find("Refine", "push button")
    paint(studio)
    studio.set_text("Prompt", "a fox with a blue hat")
    take(studio, folder, "inpaint")
    studio.quit()
    show_queue(gesso, folder, env)


def show_queue(gesso, folder, env):
    star(PROMPTS[::5])
    studio = Studio(gesso, env=env).open()
    studio.can_generate()
    studio.change("show-queue", True)
    studio.change("pause", True)
    for prompt in PROMPTS[:6]:
        studio.generate(prompt)
    n = Jobs.count("done")
    studio.change("pause", False)
    wait("a job", lambda: Jobs.count("done") > n)
    take_moving(studio, folder, "queue")
    wait("the rest", lambda: Jobs.count("waiting", "running", "parked") == 0)
    studio.quit()


main(scenario)
