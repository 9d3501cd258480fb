#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A picture dropped from another process, a mask painted with the pointer, and what inpainting leaves alone.

Usage: ../xvfb.sh -s 1700x900 drop_inpaint.py GESSO DRAG_SOURCE
"""
import os
import subprocess
import sys

from studio import (HOME, Studio, drag_to, has_state, line, main, note, ok, pictures, png_pixels, png_write, recipe,
                    screenshot, wait, xdotool)

SIDE = 128  # the size of the model that ships, so that the picture is used as it is


class Source:
    """The window of another program, whose only label drags @file."""

    def __init__(self, file):
        self.process = subprocess.Popen([sys.argv[2], str(file)], stdout=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.said = b""
        wait("the other program", lambda: "ready" in self.lines())
        found = wait("its window", lambda: subprocess.run(["xdotool", "search", "--onlyvisible", "--name", "^DragSource$"],
                                                          capture_output=True, text=True).stdout.split())
        xdotool("windowmove", "--sync", found[-1], 1350, 300)

    def lines(self):
        self.said += self.process.stdout.read() or b""
        return self.said.decode().splitlines()

    def close(self):
        self.process.kill()
        self.process.wait()


def drop(studio, canvas, file):
    """Lets go when the canvas has said that it takes it: a slow machine needs longer for that."""
    source = Source(file)
    start, end = (1450, 360), studio.centre(canvas)
    drag_to(start, line(start, end, 10))

    def is_taken():
        xdotool("mousemove_relative", 1, 0, "sleep", 0.05, "mousemove_relative", "--", -1, 0)
        return "over 1" in source.lines()
    wait("the canvas to take the drop", is_taken)
    xdotool("mouseup", 1)
    answer = wait("the end of the drag", lambda: [said for said in source.lines() if said.startswith("done")])
    source.close()
    return answer[0]


def scenario():
    file = HOME / "start.png"
    png_write(file, SIDE, SIDE, lambda x, y: (x * 2, y * 2, (x * y) % 251))
    studio = Studio(sys.argv[1]).open()
    wait("Generate", lambda: studio.has("Generate", "push button") and studio.enabled("generate"))
    canvas = studio.find("Canvas.*")
    ok(not studio.has("Change", "slider"), "without a picture there is no strength")
    ok(drop(studio, canvas, file) == "done 1", "the drop is taken as a copy")
    studio.find("Refine", "push button")
    ok(True, "the button says Refine")
    ok(studio.find("Change", "slider") is not None, "the strength shows")
    screenshot("dropped")
    studio.press("Paint Mask")
    wait("the brush", lambda: has_state(studio.all("Paint Mask", "push button")[0], "PRESSED"))
    x, y, width, height = studio.extents(canvas)
    middle = (x + width // 2, y + height // 2)
    left = (middle[0] - 20, middle[1])
    drag_to(left, line(left, (middle[0] + 20, middle[1] + 10), 8))
    xdotool("sleep", 0.2, "mouseup", 1)
    screenshot("painted")
    studio.find("Inpaint", "push button")
    ok(True, "with a mask the button says Inpaint")
    screenshot("inpaint")
    wait("Inpaint to be possible", lambda: studio.enabled("generate"))
    studio.click(studio.all("Inpaint", "push button")[-1])
    picture = wait("the picture", lambda: next(iter(pictures()), None))
    check_outside(picture)
    wait("the job's end", lambda: not studio.has("Stop", "push button"))
    screenshot("inpainted")
    studio.quit()


def near(masked, reach):
    """@masked grown by @reach pixels to all sides: what the blurred edge of the mask can touch."""
    def grow(row):
        return [any(row[max(0, i - reach):i + reach + 1]) for i in range(len(row))]

    def turned(rows):
        return [list(column) for column in zip(*rows)]

    return turned([grow(column) for column in turned([grow(row) for row in masked])])


def check_outside(picture):
    made = recipe(picture)
    width, height, rows = png_pixels(picture)
    _, _, start = png_pixels(made["init_image"])
    _, _, mask = png_pixels(made["mask_image"])
    masked = [[mask[y][3 * x] > 0 for x in range(width)] for y in range(height)]
    # The edge is blurred with this standard deviation; a Gaussian is cut off at three of them.
    touched = near(masked, 3 * made.get("mask_blur", 4) + 1)
    differs = [[rows[y][3 * x:3 * x + 3] != start[y][3 * x:3 * x + 3] for x in range(width)] for y in range(height)]
    every = [(x, y) for y in range(height) for x in range(width)]
    outside = [p for p in every if not touched[p[1]][p[0]]]
    inside = [p for p in every if masked[p[1]][p[0]]]
    note(f"{len(inside)} of {len(every)} pixels are masked, {len(outside)} are beyond the blurred edge")
    wrong = sum(differs[y][x] for x, y in outside)
    ok(outside and not wrong, f"outside the mask nothing changed ({wrong} pixels did)")
    ok(inside and sum(differs[y][x] for x, y in inside) > len(inside) / 2, "inside the mask it did")


main(scenario)
