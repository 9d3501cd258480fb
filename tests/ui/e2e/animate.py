#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A clip by the model that ships: chosen in the list, animated, kept, extended, played in the gallery.

Usage: ../xvfb.sh animate.py GESSO
"""
import sys
import zipfile

from studio import LONGEST_S, PICTURES, Studio, main, note, ok, role_of, screenshot, wait, xdotool


def clips():
    return sorted(PICTURES.rglob("*.gclip"))


def frames_of(clip):
    return [name for name in zipfile.ZipFile(clip).namelist() if name.startswith("frames/")]


def extend(studio, first):
    """From the button beside the filmstrip: the result has the frames of the first clip, too."""
    studio.press("Extend")
    wait("the button to extend", lambda: len(studio.all("Extend", "push button")) > 1)
    studio.find(f"Clip to extend.*")
    screenshot("extend")
    studio.can_generate()
    studio.set_text("Prompt", "a red heart growing")
    studio.can_generate()
    with studio.worker_stands_still():
        xdotool("key", "ctrl+Return")
        ok(studio.find("Stop", "push button"), "the extension that runs can be stopped")
        screenshot("extending")
    longer = wait("the longer clip", lambda: next((c for c in clips() if c != first), None), LONGEST_S)
    n = len(frames_of(longer))
    ok(n == 29, f"the longer clip has old and new frames: {n}")
    wait("the film beside it", lambda: longer.with_suffix(".mp4").exists(), LONGEST_S)
    ok(first.with_suffix(".mp4").exists(), "a film lies beside each clip")
    wait("the pill of the running job to go", lambda: not studio.has("Stop", "push button"))
    screenshot("extended")


def choose_model(studio):
    """By keys, from the search on."""
    studio.press("Model: gesso-mini")
    wait("the focus in the search", lambda: (f := studio.focus()) and role_of(f) in ("text", "entry")
         and any(n.get_name().startswith("Search") for n in (f, f.get_parent())))
    xdotool("type", "--delay", 20, "mini-video")
    wait("what was searched for alone", lambda: not studio.has("gesso-mini, .*", "list item"))
    studio.find("gesso-mini-video, .*", "list item")
    xdotool("key", "Return")


def scenario():
    studio = Studio(sys.argv[1]).open()
    choose_model(studio)
    studio.find("Model: gesso-mini-video", "push button")
    ok(True, "the video model is chosen from the list")
    button = studio.find("Animate", "push button")
    ok(True, "the button animates")
    studio.set_text("Prompt", "a red heart pulsing")
    studio.can_generate()
    screenshot("animate")
    studio.click(button)
    clip = wait("a saved clip", lambda: next(iter(clips()), None), LONGEST_S)
    names = zipfile.ZipFile(clip).namelist()
    frames = [name for name in names if name.startswith("frames/")]
    ok(len(frames) == 17 and "latents.safetensors" in names and "recipe.json" in names, "it has all frames, latents and the recipe")
    wait("the pill of the running job to go", lambda: not studio.has("Stop", "push button"))
    ok(studio.has("a red heart pulsing.*"), "the filmstrip names it")
    screenshot("animated")
    ok(not studio.has("Unrec.*"), "no complaint about its format")
    extend(studio, clip)
    ok(studio.find("First frame.*") and studio.find("Frames.*"), "length and first frame can be chosen")
    studio.page("gallery")
    studio.click(studio.find("a red heart pulsing, clip of .*", "table cell"))
    xdotool("key", "Return")
    studio.find("Pause", "push button")
    ok(True, "the gallery plays it")
    screenshot("played")
    note(f"saved as {clip.name}, {clip.stat().st_size} bytes")
    studio.quit()


main(scenario)
