#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What a screen reader finds: on every page each widget that takes the focus has a name, and no name is the name of
a class.

Usage: ../xvfb.sh names.py GESSO
"""
import re
import sys

from studio import HOME, Jobs, Studio, has_state, main, note, ok, png_write, search, settle, wait, walk, xdotool

CLASS = re.compile(r"(Gtk|Adw|Gdk|Gesso)[A-Z]\w+")


def path_of(node):
    names = []
    while node and len(names) < 4:
        names.append(f"{node.get_role_name()} {node.get_name()!r}")
        node = node.get_parent()
    return " < ".join(names)


def hands_on(node):
    """Containers that GTK lets have the focus only to hand it to a child, and cannot be named from outside:
    scrolled windows, the lists inside AdwPreferencesGroup, list items (whose child carries the words), and what is
    inside GtkDropDown, which has the name."""
    if node.get_role_name() in ("scroll pane", "list", "list item"):
        return any(named(n) for n in walk(node) if n != node)
    while node and node.get_role_name() != "combo box":
        node = node.get_parent()
    return node is not None and named(node)


def named(node):
    return bool(node.get_name().strip()) and not CLASS.fullmatch(node.get_name())


def look(studio, what):
    """At what is shown now."""
    studio.app.clear_cache()
    settle()
    takers = [n for window in studio.app_children() for n in search(window, lambda node: has_state(node, "FOCUSABLE"))]
    wrong = [path_of(n) for n in takers if not named(n) and not hands_on(n)]
    if not ok(takers and not wrong, f"{what}: all {len(takers)} widgets that take the focus have names"):
        note("\n".join(wrong))


def look_at_window(studio, action, title):
    """A window of its own: preferences and kin."""
    studio.app_action(action)
    wait(title, lambda: title in studio.windows())
    look(studio, title)
    xdotool("search", "--sync", "--onlyvisible", "--name", f"^{title}$", "windowfocus", "--sync")
    xdotool("key", "Escape")
    wait(f"{title} to close", lambda: title not in studio.windows())


def scenario():
    studio = Studio(sys.argv[1], "--backend", "null").open()
    studio.can_generate()
    look(studio, "first run")
    studio.click(studio.find("Advanced", "list item"))
    wait("the advanced parameters", lambda: studio.has("Sampler", "list item"))
    file = HOME / "start.png"
    png_write(file, 128, 128, lambda x, y: (x, y, 0))
    studio.send(file)
    studio.find("Refine", "push button")
    look(studio, "create with a start picture")
    studio.change("show-queue", True)
    studio.generate("a fox")
    wait("the picture", lambda: Jobs.count("done") == 1)
    studio.change("pause", True)
    studio.generate("a rocket")
    studio.find("a rocket", "label")
    look(studio, "queue with a job that is done and one that waits")
    studio.page("gallery")
    wait("the picture", lambda: studio.has("a fox.*"))
    look(studio, "gallery")
    look_at_window(studio, "preferences", "Preferences")
    look_at_window(studio, "shortcuts", "Keyboard Shortcuts")
    studio.quit()


main(scenario)
