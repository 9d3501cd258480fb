#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Everything that can have the focus has a name, in words of the user's language.

Usage: ../xvfb.sh names.py GESSO [CATALOGUE]

With a catalogue (po/de.po) the program speaks its language, and no name may be one of the English texts that the
catalogue translates.  Looked at: each page, each dialog of the program's own, each popover of the Create page.
What lies inside of a widget of the toolkit (a drop-down's list, the About window) is the toolkit's to name.
"""
import pathlib
import re
import sys

from studio import (HOME, Atspi, Jobs, Studio, contains, main, note, ok, png_write, role_of, screenshot, search, settle,
                    wait, xdotool)

CLASS = re.compile(r"(Gtk|Adw|Gdk|Gesso)[A-Z]\w+")
# Holds the focus only for its children, or is the desktop's.
NO_STOP = ("scroll pane", "filler", "panel", "frame")
PATIENCE_S = 10  # for a name that does not come
# Their parts are the toolkit's.
TOOLKIT = ("combo box",)


def catalogue(path):
    """The texts of a .po file that its language says otherwise."""
    texts = {}
    for entry in path.read_text(encoding="utf-8").split("\n\n"):
        parts = {}
        for key, value in re.findall(r'^(msgid|msgstr) ((?:"(?:[^"\\]|\\.)*"\s*)+)', entry, re.M):
            parts[key] = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', value)).replace("_", "")
        if parts.get("msgstr") and parts["msgstr"] != parts["msgid"]:
            texts[parts["msgid"]] = parts["msgstr"]
    return texts


def path_of(node):
    names = []
    while node and len(names) < 4:
        names.append(f"{role_of(node)} {node.get_name()!r}")
        node = node.get_parent()
    return " < ".join(names)


def is_inside(node, roles, known):
    """@known keeps the answers, as many nodes have the same ancestors."""
    parent = node.get_parent()
    if not parent:
        return False
    if parent not in known:
        known[parent] = role_of(parent) in roles or is_inside(parent, roles, known)
    return known[parent]


def is_named_by_toolkit(node):
    """GTK 4.18 calls the items of its menus by their labels, and does not tell the labels' names."""
    return role_of(node) == "menu item" and any(r.get_relation_type() == Atspi.RelationType.LABELLED_BY
                                                for r in node.get_relation_set())


class Names:
    def __init__(self, studio, texts):
        self.studio, self.texts, self.buttons = studio, texts, []

    def takers(self, window):
        """The widgets of @window that can have the focus, but for the toolkit's own parts."""
        def wanted(node, states):
            return contains(states, "FOCUSABLE") and role_of(node) not in NO_STOP
        self.studio.app.clear_cache()
        settle()
        known = {}
        return [n for n in search(window, wanted) if not is_inside(n, TOOLKIT, known)]

    def problem(self, node):
        name = node.get_name().strip()
        if not name:
            return None if is_named_by_toolkit(node) else "no name"
        if CLASS.fullmatch(name):
            return "the name of a class"
        if "_" in name:
            return "the mark of a mnemonic"
        if name in self.texts:
            return "not translated"
        return None

    def check(self, what, node):
        """A name may come a moment after its widget: AT-SPI tells of them one by one."""
        takers, bad = [], []

        def all_named():
            nonlocal takers, bad
            takers = self.takers(node)
            bad = [f"{path_of(n)}: {problem}" for n in takers if (problem := self.problem(n))]
            return takers and not bad
        try:
            wait("the names", all_named, PATIENCE_S)
        except TimeoutError:
            pass
        if not ok(takers and not bad, f"{what}: all {len(takers)} widgets that take the focus are named"):
            note("\n".join(bad))

    def button(self, name):
        """The outermost of the name.  The window is looked through once for all, and again when one is not known."""
        def found():
            known, self.buttons = self.buttons or self.studio.all(None, "push button"), []
            node = next((n for n in known if re.fullmatch(name, n.get_name())), None)
            self.buttons = known if node else []
            return node
        return wait(f"a button named {name!r}", found)

    def popover(self, name):
        """Opens what hangs from the button @name, looks, closes it.  GTK gives it below the button's outer part."""
        button = self.button(name)
        before = len(self.takers(button))
        self.studio.press(name, within=button)
        wait(f"{name} to open", lambda: len(self.takers(button)) > before)
        self.check(name, button)
        xdotool("key", "Escape")
        wait(f"{name} to close", lambda: len(self.takers(button)) <= before)

    def window(self, command, what):
        """A window of its own: preferences and kin."""
        before = self.studio.windows()
        command()
        title = wait(what, lambda: next((t for t in self.studio.windows() if t not in before), None))
        self.check(what, next(w for w in self.studio.app_children() if w.get_name() == title))
        xdotool("key", "Escape")
        wait(f"{what} to close", lambda: self.studio.windows() == before)


def prepare(studio):
    """A start picture, two jobs that are done and one that waits."""
    studio.can_generate()
    studio.click(studio.find("Advanced|Erweitert", "list item"))
    file = HOME / "start.png"
    png_write(file, 128, 128, lambda x, y: (x, y, 0))
    studio.send(file)
    studio.change("show-queue", True)
    for expected in (1, 2):
        studio.can_generate()
        studio.do("generate")
        wait("the picture", lambda: Jobs.count("done") == expected)
    studio.change("pause", True)
    studio.can_generate()
    studio.do("generate")
    wait("a waiting job", lambda: Jobs.count() == 3)


def scenario():
    texts = catalogue(pathlib.Path(sys.argv[2])) if len(sys.argv) > 2 else {}

    def said(text):
        return texts.get(text, text)
    studio = Studio(sys.argv[1], "--backend", "null").open()
    names = Names(studio, texts)
    names.check("first run", studio.frame)
    prepare(studio)
    names.check("Create with a start picture and a queue", studio.frame)
    screenshot("names-create")
    for button in (said("Earlier prompts"), said("Styles"), f"{said('Model')}: .*", f"{said('Shape')}: .*",
                   said("Brush size and softness"), said("More ways to generate"), said("More about the queue"),
                   said("Main menu")):
        names.popover(button)
    studio.page("gallery")
    wait("the gallery", lambda: studio.has(None, "table cell"))
    names.check("Gallery", studio.frame)
    studio.page("create")
    names.window(lambda: studio.do("grid"), "the grid")
    names.window(lambda: studio.app_action("preferences"), "the preferences")
    names.window(lambda: studio.app_action("shortcuts"), "the shortcuts")
    names.window(lambda: studio.app_action("help"), "the help")
    one, two = HOME / "one.png", HOME / "two.png"
    for path in (one, two):
        png_write(path, 64, 64, lambda x, y: (x, y, 99))
    names.window(lambda: studio.send(one, two), "a question")
    studio.change("pause", False)
    wait("the queue to end", lambda: Jobs.count("done") == 3)
    wait("the window to know", lambda: not studio.has(said("Stop"), "push button"))  # or it asks at its end
    studio.quit()


main(scenario)
