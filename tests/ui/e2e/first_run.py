#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""From an empty home folder to a saved picture by one click.

Usage: ../xvfb.sh first_run.py GESSO
"""
import sys

from studio import LONGEST_S, PICTURES, Studio, main, note, ok, pictures, png_pixels, png_texts, recipe, screenshot, text_of, wait


def scenario():
    studio = Studio(sys.argv[1]).open()
    ok(text_of(studio.find("Prompt", "text")) != "", "the prompt is filled in")
    ok(studio.has("Ready to Go"), "the card says what to do")
    studio.find("Model: gesso-mini", "push button")
    ok(True, "the model that ships is chosen")
    studio.can_generate()
    screenshot("first-run")
    button = wait("the button Generate", lambda: next(iter(reversed(studio.all("Generate", "push button"))), None))
    studio.click(button)
    picture = wait("a saved picture", lambda: next(iter(pictures()), None), LONGEST_S)
    texts = png_texts(picture)
    ok("parameters" in texts and "gesso" in texts, "it holds A1111's text and the recipe")
    ok(recipe(picture)["prompt"] == text_of(studio.find("Prompt", "text")), "the recipe has the prompt")
    width, height, rows = png_pixels(picture)
    ok(len({row[i:i + 3] for row in rows for i in range(0, width * 3, 3)}) > 100, f"{width} x {height}: it shows something")
    wait("the pill of the running job to go", lambda: not studio.has("Stop", "push button"))
    ok(studio.has("a red apple.*", "list item") or studio.has("a red apple.*"), "the filmstrip names it")
    left = [p for p in PICTURES.rglob("*") if p.is_file() and p.suffix != ".png"]
    ok(not left, f"nothing else lies beside it {left or ''}")
    screenshot("first-picture")
    studio.page("gallery")
    studio.find("a red apple, .*", "table cell")
    ok(True, "the gallery has it, too")
    note(f"saved as {picture.name}, {picture.stat().st_size} bytes")
    studio.quit()


main(scenario)
