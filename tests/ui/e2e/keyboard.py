#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Without a pointer: a prompt is typed, made, starred in the filmstrip, found in the gallery and opened.

Usage: ../xvfb.sh keyboard.py GESSO
"""
import re
import sqlite3
import sys

from studio import (DATA, Studio, has_state, main, note, ok, pictures, recipe, role_of, screenshot, text_of, wait,
                    walk, xdotool)


def key(*keys):
    for k in keys:
        xdotool("key", "--clearmodifiers", k)


def starred():
    db = sqlite3.connect(f"file:{DATA}/library.db?mode=ro", uri=True, timeout=30)
    try:
        return [path for path, in db.execute("SELECT files.path FROM pictures JOIN files USING (id) WHERE starred")]
    finally:
        db.close()


def make(studio):
    key("ctrl+l")
    wait("the focus in the prompt", lambda: (f := studio.focus()) and f.get_name() == "Prompt")
    key("ctrl+a")
    xdotool("type", "--delay", 20, "a rocket")
    wait("the typed prompt", lambda: text_of(studio.find("Prompt", "text")) == "a rocket")
    studio.can_generate()
    key("ctrl+Return")
    picture = wait("the picture", lambda: next(iter(pictures()), None))
    ok(recipe(picture)["prompt"] == "a rocket", "typed and made by keys")
    wait("the job's end", lambda: not studio.has("Stop", "push button"))
    return picture


def star_in_filmstrip(studio):
    def on_the_strip():
        return focus and any(re.match("a rocket", n.get_name() or "") for n in walk(focus))

    def elsewhere(before):
        f = studio.focus()
        return f if f != before else None
    focus = studio.focus()
    for _ in range(4):
        key("F6")
        focus = wait("the next part of the window", lambda: elsewhere(focus))
        if on_the_strip():
            break
    else:
        note(f"the focus is on {role_of(focus)} {focus.get_name()!r}")
    ok(on_the_strip(), "F6 leads to the filmstrip")
    key("s")
    wait("a star", starred)


def scenario():
    studio = Studio(sys.argv[1]).open()
    picture = make(studio)
    star_in_filmstrip(studio)
    ok(starred() == [str(picture)], "S stars the picture")
    key("alt+2")
    wait("the gallery", lambda: studio.state("page") == "gallery")
    wait("the picture in the gallery", lambda: studio.has("a rocket.*"))
    screenshot("keyboard-gallery")
    key("ctrl+f")
    xdotool("type", "--delay", 20, "rocket")
    wait("what was typed in the search", lambda: any(text_of(n) == "rocket" for n in studio.all(role="text|entry")))
    key("Tab")
    studio.find("a rocket, .*", "table cell")
    ok(True, "the search finds it")
    studio.quit()


main(scenario)
