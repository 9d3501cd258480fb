# SPDX-License-Identifier: MPL-2.0
"""Drives the real window from outside, as a person or a screen reader would.

Runs under ../xvfb.sh, which gives a display, a home folder and a session bus.  Three ways in: AT-SPI (by name
and role), org.gtk.Actions (the window's commands), XTEST (xdotool: pointer and keys).  Nothing waits a fixed
time to be right: every wait is for something that shows.
"""
import atexit
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import traceback
import zlib

try:
    import gi
    gi.require_version("Atspi", "2.0")
    from gi.repository import Atspi, Gio, GLib
except (ImportError, ValueError) as missing:
    print(f"1..0 # SKIP {missing}")
    sys.exit(0)
for tool in ("xdotool",):
    if not any(os.access(os.path.join(p, tool), os.X_OK) for p in os.environ["PATH"].split(":")):
        print(f"1..0 # SKIP {tool} is not installed")
        sys.exit(0)

ID = "io.github.gesso_studio.Gesso"
PATH = "/io/github/gesso_studio/Gesso"
LONGEST_S = int(os.environ.get("GESSO_TEST_LONGEST_S", 180))  # for anything; only what hangs is waited for so long
POLL_S = 0.05
HOME = pathlib.Path(os.environ["HOME"])
DATA = HOME / ".local/share/gesso"
PICTURES = HOME / "Pictures/Gesso"
# A bare X server and a bus without a desktop; none of it comes from this program.
HARMLESS = re.compile(r"Unable to acquire session bus|Failed to create draw context|MESA|libEGL|DRI3"
                      r"|unable to send notifications")
BAD = re.compile(r"(CRITICAL|WARNING|\bERROR\b|AddressSanitizer|LeakSanitizer|runtime error)")

_n, _failed = 0, 0


def ok(condition, what):
    """One line of TAP."""
    global _n, _failed
    _n += 1
    _failed += not condition
    print(f"{'ok' if condition else 'not ok'} {_n} - {what}", flush=True)
    return bool(condition)


def note(text):
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def main(scenario):
    """Runs @scenario; an exception is a failure with its trace."""
    def end(signum, frame):
        raise SystemExit(f"ended by signal {signum}")
    signal.signal(signal.SIGTERM, end)
    try:
        scenario()
    except Exception:
        screenshot("failed")
        note(traceback.format_exc())
        for log in HOME.glob("stderr-*"):
            note("\n".join(log.read_text(errors="replace").splitlines()[-20:]))
        ok(False, "the scenario came to its end")
    print(f"1..{_n}")
    note(f"{_n - _failed} passed, {_failed} failed")
    sys.exit(_failed > 0)


def settle():
    """Takes in what AT-SPI has sent: libatspi keeps names until it hears of a change."""
    context = GLib.MainContext.default()
    while context.iteration(False):
        pass


def wait(what, probe, longest_s=LONGEST_S):
    """Until @probe gives something true, which is returned."""
    end = time.monotonic() + longest_s
    while True:
        settle()
        began = time.monotonic()
        try:
            found = probe()
        except GLib.Error:  # a widget that went away while it was looked at
            found = None
        if found:
            return found
        now = time.monotonic()
        if now > end:
            raise TimeoutError(f"waited {longest_s} s for: {what}")
        time.sleep(max(POLL_S, min(now - began, 1)))  # asking keeps the program from what is waited for


def walk(node, visible=True):
    """@node and what is below it; with @visible without what is hidden or has no size."""
    if visible and not is_visible(node):
        return
    yield node
    for i in range(node.get_child_count()):
        try:
            child = node.get_child_at_index(i)
            if child:
                yield from walk(child, visible)
        except GLib.Error:  # it went away meanwhile
            continue


def has_size(node):
    if "Component" not in node.get_interfaces():
        return True
    e = Atspi.Component.get_extents(node, Atspi.CoordType.WINDOW)
    return e.width > 0 and e.height > 0


def is_visible(node):
    """GTK 4.8 never says SHOWING; what is not shown has no size or is not VISIBLE."""
    return has_state(node, "VISIBLE") and has_size(node)


def search(node, wanted, visible=True):
    """As walk(), but only what is @wanted, which is told the states, too.  Every question is dear, that for a size
    most of all: where there is nothing to leave out, it is not asked."""
    try:
        states = node.get_state_set()
        if visible and not contains(states, "VISIBLE"):
            return
        n, found = node.get_child_count(), wanted(node, states)
        if visible and (found or n > 1) and not has_size(node):
            return
        if found:
            yield node
        children = [node.get_child_at_index(i) for i in range(n)]
    except GLib.Error:  # it went away meanwhile
        return
    for child in children:
        if child:
            yield from search(child, wanted, visible)


def contains(states, state):
    return states.contains(getattr(Atspi.StateType, state))


def has_state(node, state):
    return contains(node.get_state_set(), state)


def role_of(node):
    """By its name on Debian 12; later GTK and at-spi2-core tell "button" and "toggle button" apart."""
    role = node.get_role_name()
    return "push button" if role in ("button", "toggle button") else role


def text_of(node):
    return Atspi.Text.get_text(node, 0, Atspi.Text.get_character_count(node)) if "Text" in node.get_interfaces() else ""


def line(start, end, n):
    """@n points from @start, which is not among them, to @end."""
    return [(start[0] + (end[0] - start[0]) * i // n, start[1] + (end[1] - start[1]) * i // n) for i in range(1, n + 1)]


def drag_to(start, points, pause_s=0.06):
    """Presses at @start and moves on, as slow as a hand: GTK takes a jump for a click.  The button stays down."""
    words = ["mousemove", *start, "sleep", 0.2, "mousedown", 1, "sleep", 0.2]
    for point in points:
        words += ["mousemove", *point, "sleep", pause_s]
    xdotool(*words)


def xdotool(*words):
    subprocess.run(["xdotool", *[str(w) for w in words]], check=True, stdout=subprocess.DEVNULL)


def png_texts(path):
    """The text chunks of a PNG, by keyword; fails for a file that is cut off or damaged."""
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", f"{path} is no PNG"
    texts, at, kind = {}, 8, b""
    while kind != b"IEND":
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        crc, = struct.unpack(">I", data[at + 8 + size:at + 12 + size])
        assert crc == zlib.crc32(kind + body), f"{path}: damaged chunk {kind}"
        if kind == b"tEXt":
            key, value = body.split(b"\0", 1)
            texts[key.decode()] = value.decode("latin-1")
        elif kind == b"iTXt":
            key, rest = body.split(b"\0", 1)
            packed, rest = rest[0], rest[2:]
            value = rest.split(b"\0", 2)[2]
            texts[key.decode()] = (zlib.decompress(value) if packed else value).decode()
        at += 12 + size
    return texts


def png_pixels(path):
    """(width, height, rows of RGB bytes) of an 8-bit PNG without interlace."""
    data, at, packed = pathlib.Path(path).read_bytes(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            packed += body
        at += 12 + size
    n = {2: 3, 6: 4}[colour]
    assert depth == 8
    raw, rows, before = zlib.decompress(packed), [], bytearray(width * n)
    for y in range(height):
        at = y * (width * n + 1)
        row = bytearray(raw[at + 1:at + 1 + width * n])
        unfilter(raw[at], row, before, n)
        before = row
        rows.append(bytes(row) if n == 3 else bytes(v for i, v in enumerate(row) if i % 4 < 3))
    return width, height, rows


def unfilter(kind, row, up, n):
    """Undoes a row's filter in place (PNG specification, section 9)."""
    if kind == 0:
        return
    if kind == 2:  # the commonest: all bytes at once, their highest bits without a carry
        low = int.from_bytes(b"\x7f" * len(row), "big")
        a, b = int.from_bytes(row, "big"), int.from_bytes(up, "big")
        row[:] = (((a & low) + (b & low)) ^ ((a ^ b) & ~low)).to_bytes(len(row), "big")
        return
    for i in range(len(row)):
        a, b, c = row[i - n] if i >= n else 0, up[i], up[i - n] if i >= n else 0
        if kind == 4:
            p = a + b - c
            guess = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        else:
            guess = a if kind == 1 else (a + b) // 2
        row[i] = (row[i] + guess) & 255


def png_write(path, width, height, pixel, recipe=None):
    """A picture whose colour at x, y is pixel (x, y); with @recipe as this program writes it."""
    raw = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    text = chunk(b"tEXt", b"gesso\0" + json.dumps(recipe).encode()) if recipe else b""
    pathlib.Path(path).write_bytes(b"\x89PNG\r\n\x1a\n"
                                   + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                                   + text + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


class Jobs:
    """The queue as it stands on the disk, read only."""

    @staticmethod
    def query(sql, *values):
        db = sqlite3.connect(f"file:{DATA}/session.db?mode=ro", uri=True, timeout=30)
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()

    @classmethod
    def count(cls, *states):
        marks = ",".join("?" * len(states))
        return cls.query(f"SELECT count (*) FROM jobs WHERE state IN ({marks})" if states else "SELECT count (*) FROM jobs",
                         *states)[0][0]

    @classmethod
    def waiting(cls):
        """Titles in the order in which they will be done."""
        return [t for t, in cls.query("SELECT title FROM jobs WHERE state IN ('waiting', 'running', 'parked')"
                                      " ORDER BY position")]

    @classmethod
    def id(cls, title):
        return cls.query("SELECT max (id) FROM jobs WHERE title = ?", title)[0][0]

    @classmethod
    def state(cls, job):
        found = cls.query("SELECT state FROM jobs WHERE id = ?", job)
        return found[0][0] if found else None


def allow_core():
    """In the program's process, before it begins."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


class Studio:
    """One run of the program."""

    def __init__(self, program, *args, env=None, wrap=()):
        self.log = HOME / f"stderr-{os.getpid()}-{time.monotonic_ns()}"
        # A critical ends the program where it happens, so that it is not lost in a log.
        environment = dict(os.environ, G_DEBUG="fatal-criticals", **(env or {}))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*wrap, os.path.abspath(program), *args], stderr=log, env=environment, cwd=HOME,
                                            preexec_fn=allow_core)
        atexit.register(self.kill)
        self.program = os.path.abspath(program)
        self.wrapped, self.app, self.fields = bool(wrap), None, {}

    def open(self):
        """Waits for the window."""
        self.app = wait("the window's accessible", self._find_app)
        self.frame = wait("the window", lambda: next((n for n in self.app_children() if role_of(n) == "frame"), None))
        self.actions = Gio.DBusActionGroup.get(Gio.bus_get_sync(Gio.BusType.SESSION), ID, f"{PATH}/window/1")
        wait("the window's commands", lambda: "generate" in self.actions.list_actions())
        self.x_window = wait("the window on the screen", self._find_window)
        xdotool("windowmove", "--sync", self.x_window, 0, 0)
        xdotool("windowfocus", "--sync", self.x_window)
        return self

    def pid(self):
        """Of the program itself, also where strace stands in front of it."""
        if not self.wrapped:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def _find_app(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the program ended with {self.process.returncode}: {self.errors()}\n{self.stacks()}")
        desktop = Atspi.get_desktop(0)
        desktop.clear_cache()
        for i in range(desktop.get_child_count()):
            app = desktop.get_child_at_index(i)
            if app and app.get_process_id() == self.pid():
                return app
        return None

    def _find_window(self):
        out = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", "^Gesso$"], capture_output=True, text=True)
        return out.stdout.split()[-1] if out.stdout.split() else None

    def app_children(self):
        self.app.clear_cache()
        return [c for c in (self.app.get_child_at_index(i) for i in range(self.app.get_child_count())) if c]

    def windows(self):
        return [c.get_name() for c in self.app_children()]

    # ---- AT-SPI

    def search(self, name=None, role=None, visible=True, within=None):
        """Widgets whose name and role match the regular expressions, one after the other."""
        (within or self.app).clear_cache()
        settle()

        def wanted(node, _):
            return ((name is None or re.fullmatch(name, node.get_name()))
                    and (role is None or re.fullmatch(role, role_of(node))))
        for top in [within] if within else self.app_children():
            yield from search(top, wanted, visible)

    def all(self, *args, **kwargs):
        return list(self.search(*args, **kwargs))

    def has(self, *args, **kwargs):
        return next(self.search(*args, **kwargs), None) is not None

    def find(self, name, role=None, visible=True, within=None):
        """The first of them, as soon as there is one."""
        return wait(f"{role or 'a widget'} named {name!r}", lambda: next(self.search(name, role, visible, within), None))

    def focus(self):
        """The widget that has it."""
        self.app.clear_cache()
        settle()
        found = [n for top in self.app_children() for n in search(top, lambda _, states: contains(states, "FOCUSED"))]
        return found[-1] if found else None

    def press(self, name, role="push button", within=None):
        """The innermost match: GtkMenuButton and AdwSplitButton show as two nested buttons."""
        def pressed():
            for node in reversed(self.all(name, role, within=within)):
                if has_state(node, "SENSITIVE") and Atspi.Action.get_n_actions(node) > 0 and Atspi.Action.do_action(node, 0):
                    return True
            return False
        wait(f"a {role} {name!r} that can be pressed", pressed)

    def extents(self, node):
        """x, y, width, height on the screen.  AT-SPI counts from inside the border that GTK draws.

        GTK 4.18 leaves out padding, up to 30 pixels: what is small or lies in a popover is not for click().
        """
        e = Atspi.Component.get_extents(node, Atspi.CoordType.WINDOW)
        f = Atspi.Component.get_extents(self.frame, Atspi.CoordType.WINDOW)
        out = subprocess.run(["xdotool", "getwindowgeometry", "--shell", self.x_window], capture_output=True, text=True).stdout
        at = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", out)}
        return (e.x + at["X"] + (at["WIDTH"] - f.width) // 2, e.y + at["Y"] + (at["HEIGHT"] - f.height) // 2,
                e.width, e.height)

    def centre(self, node):
        x, y, width, height = self.extents(node)
        return x + width // 2, y + height // 2

    def click(self, node, button=1):
        xdotool("mousemove", *self.resting(node), "click", button)

    def resting(self, node):
        """Its centre, once a change of the layout is through."""
        seen = [None]

        def rests():
            before, seen[0] = seen[0], self.centre(node)
            return before == seen[0] and before
        return wait("the layout to rest", rests)

    def set_text(self, name, text):
        node = self.fields.get(name) or self.fields.setdefault(name, self.find(name, "text"))
        Atspi.EditableText.set_text_contents(node, text)
        wait(f"the text {text!r}", lambda: text_of(node) == text)

    # ---- commands

    def do(self, action, parameter=None):
        self.actions.activate_action(action, parameter)

    def app_action(self, action, parameter=None):
        bus = Gio.bus_get_sync(Gio.BusType.SESSION)
        Gio.DBusActionGroup.get(bus, ID, PATH).activate_action(action, parameter)

    def job(self, action, job):
        self.do(f"job-{action}", GLib.Variant("x", job))

    def change(self, action, value):
        self.actions.change_action_state(action, GLib.Variant("b", value))

    def state(self, action):
        value = self.actions.get_action_state(action)
        return value.unpack() if value else None

    def enabled(self, action):
        return self.actions.get_action_enabled(action)

    def can_generate(self):
        wait("Generate to be possible", lambda: self.enabled("generate"))

    def generate(self, prompt):
        """Queues @prompt and waits until it stands on the disk."""
        n = Jobs.count()
        self.set_text("Prompt", prompt)
        self.can_generate()
        self.do("generate")
        wait(f"the job {prompt!r}", lambda: Jobs.count() == n + 1)

    def send(self, *files):
        """As a second start with these files does."""
        subprocess.run([self.program, *map(str, files)], check=True, timeout=LONGEST_S)

    def page(self, name):
        self.do("page", GLib.Variant("s", name))

    def worker_pid(self):
        """The newest worker, when it is one and lives."""
        try:
            pid = int((DATA / "worker.pid").read_text())
            return pid if b"gesso-worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() else None
        except (OSError, ValueError):
            return None

    @contextlib.contextmanager
    def worker_stands_still(self):
        """A job that is queued within goes no further, however fast it is, until what shows of it was seen."""
        pid = wait("a worker", self.worker_pid)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    # ---- the end

    def errors(self):
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if BAD.search(line) and not HARMLESS.search(line)]

    def stacks(self):
        """What every thread was at when a signal ended the program: what comes once in a thousand runs shows itself
        then.  Empty without gdb, and where the system keeps core files to itself."""
        cores = sorted(HOME.glob("core*"))
        if not cores or not shutil.which("gdb"):
            return ""
        command = ["gdb", "-batch", "-ex", "thread apply all backtrace", self.program, str(cores[-1])]
        return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout

    def quit(self):
        """Closes the window and looks at what the program said."""
        self.app_action("quit")

        def ended():
            if self.process.poll() is None and len(self.windows()) > 1 and self.has("Quit While Jobs Wait.*"):
                self.press("_?Quit( Quit)?")
            return self.process.poll() is not None
        try:
            wait("the end", ended)
            status = self.process.returncode
        except TimeoutError:
            screenshot("does-not-end")
            status = "a program that does not end"
            self.process.kill()
        if not ok(status == 0 and not self.errors(), "it ends with 0 and without criticals or warnings"):
            note(f"status {status}")
            note("\n".join(self.log.read_text(errors="replace").splitlines()[-30:]))
            note(self.stacks())

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def pictures():
    """The saved pictures, oldest first by their numbers."""
    return sorted(PICTURES.rglob("*.png"))


def recipe(path):
    return json.loads(png_texts(path)["gesso"])


def screenshot(name):
    """Of the whole screen, where GESSO_TEST_SHOTS names a folder: for eyes, not for the test."""
    folder = os.environ.get("GESSO_TEST_SHOTS")
    if folder and any(os.access(os.path.join(p, "import"), os.X_OK) for p in os.environ["PATH"].split(":")):
        subprocess.run(["import", "-window", "root", f"{folder}/{name}.png"])
