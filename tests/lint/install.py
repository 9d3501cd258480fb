#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Installs the program, moves it somewhere else, and uses it there as a user and a desktop do.

Usage: install.py BUILD_ROOT SOURCE_ROOT PREFIX.  Prints TAP.  What needs a display runs under
tests/ui/xvfb.sh; what this machine has no tool for is skipped, and says which.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import german

APP_ID = "io.github.gesso_studio.Gesso"
APP_PATH = "/" + APP_ID.replace(".", "/")
PATIENCE_S = 60
FILES = [
    "bin/gesso", "bin/gesso-cli", "bin/gesso-worker",
    "share/gesso/models/gesso-mini/model_index.json",
    "share/gesso/models/gesso-mini-video/model_index.json", "share/gesso/tokenizers/clip/merges.txt",
    f"share/applications/{APP_ID}.desktop", f"share/metainfo/{APP_ID}.metainfo.xml",
    f"share/dbus-1/services/{APP_ID}.service", f"share/mime/packages/{APP_ID}.xml",
    f"share/glib-2.0/schemas/{APP_ID}.gschema.xml", f"share/icons/hicolor/scalable/apps/{APP_ID}.svg",
    f"share/icons/hicolor/symbolic/apps/{APP_ID}-symbolic.svg", "share/locale/de/LC_MESSAGES/gesso.mo",
    "share/man/man1/gesso.1", "share/man/man1/gesso-cli.1",
]
# What a German window says: from its .ui files, its code and the engine's table of parameters.
GERMAN = ["Erzeugen", "Warteschlange", "Format", "Schritte", "Rauschplan"]


class Skip(Exception):
    """With the reason."""


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")


def run(*args, **options):
    """Standard output; fails with what the program said."""
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, f"{' '.join(map(str, args))}: {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def wait(what, ask):
    """What @ask returns as soon as it is true."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = ask()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {PATIENCE_S} s")


class Installation:
    """The program in a folder that is not the one it was configured for."""

    def __init__(self, build, source, prefix, scratch):
        self.source, self.scratch = source, scratch
        self.prefix = scratch / "moved"
        stage = scratch / "stage"
        run("meson", "install", "-C", build, "--no-rebuild", "--destdir", stage)
        staged = stage / prefix.relative_to("/")
        staged.rename(self.prefix)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("GESSO_", "MESON_", "LC_"))}
        self.env.update(LANG="C.UTF-8", XDG_DATA_DIRS=f"{self.prefix}/share:/usr/local/share:/usr/share")

    def program(self, name):
        return self.prefix / "bin" / name

    def run(self, name, *args, **env):
        return run(self.program(name), *args, env=self.env | env, cwd=self.scratch)

    def under_display(self, part, *args, **env):
        """Runs a part of this file with a display; its output."""
        need("Xvfb", "dbus-run-session")
        return run(self.source / "tests/ui/xvfb.sh", system_python(), __file__, "--part", part, self.prefix, *args,
                   env=self.env | env, cwd=self.scratch)


def system_python():
    """A python3 that stands first in the path may know nothing of the system's gi."""
    return "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


# ---- tests

def test_all_files(it):
    missing = [name for name in FILES if not (it.prefix / name).is_file()]
    assert not missing, f"not installed: {', '.join(missing)}"


def test_versions(it):
    for name in ("gesso", "gesso-cli", "gesso-worker"):
        assert re.fullmatch(r"(?i)gesso \d+\.\d+\.\d+\n", it.run(name, "--version")), name


def test_generates(it):
    picture = it.scratch / "apple.png"
    it.run("gesso-cli", "generate", "--seed", "7", "--output", picture, "a red apple")
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) > 10_000, f"{len(data)} bytes are no picture"
    assert '"a red apple"' in it.run("gesso-cli", "recipe", picture)


def test_speaks_german(it):
    english = it.run("gesso", "--help")
    assert "Say the version" in english, english
    said = it.run("gesso", "--help", **german.environment(it.scratch))
    assert "Die Version ausgeben" in said, said


def test_build_tree_speaks_german(it):
    build = pathlib.Path(sys.argv[1])
    said = run(build / "src/app/gesso", "--help", env=it.env | german.environment(it.scratch))
    assert "Die Version ausgeben" in said, said


def compile_schemas(it):
    """What a package's trigger does; with DESTDIR set, meson leaves it to the packager."""
    compiler = shutil.which("glib-compile-schemas") or run(
        "pkg-config", "--variable=glib_compile_schemas", "gio-2.0").strip()
    run(compiler, "--strict", it.prefix / "share/glib-2.0/schemas")


def test_missing_schema_is_said(it):
    need("Xvfb", "dbus-run-session")
    done = subprocess.run([it.source / "tests/ui/xvfb.sh", it.program("gesso")], env=it.env, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 1 and "settings schema" in done.stderr, f"{done.returncode}: {done.stderr}"


def test_window(it):
    compile_schemas(it)
    shots = {}
    for language in ("en", "de"):
        shots[language] = it.scratch / f"window-{language}.png"
        it.under_display("screenshot", shots[language], LANGUAGE=language)
    one, other = (shots[k].read_bytes() for k in ("en", "de"))
    assert one.startswith(b"\x89PNG") and other.startswith(b"\x89PNG")
    assert one != other, "the German window looks like the English one"


def test_window_speaks_german(it):
    compile_schemas(it)
    print("#", it.under_display("read", LANGUAGE="de").strip().splitlines()[-1])


def test_bus_activates(it):
    """The bus finds the service file in the installation, starts the program, which opens its window."""
    need("gdbus", "xdotool")
    compile_schemas(it)
    service = it.prefix / f"share/dbus-1/services/{APP_ID}.service"
    text = service.read_text()
    service.write_text(re.sub(r"(?m)^Exec=\S*/bin/gesso", f"Exec={it.program('gesso')}", text))
    assert f"Exec={it.program('gesso')} --gapplication-service\n" in service.read_text(), text
    it.under_display("activate", it.source / "data/models/gesso-mini/contact-sheet.png")


# ---- parts that run with a display

def part_screenshot(prefix, path):
    home = pathlib.Path(os.environ["HOME"])
    run(prefix / "bin/gesso", f"--data-dir={home / 'session'}", f"--screenshot={path}")


def names_below(node):
    try:
        yield node.get_name()
        for i in range(node.get_child_count()):
            yield from names_below(node.get_child_at_index(i))
    except Exception:  # a widget that went away while it was asked
        return


def part_read(prefix):
    try:
        import gi
        gi.require_version("Atspi", "2.0")
        from gi.repository import Atspi
    except (ImportError, ValueError) as error:
        sys.exit(f"SKIP {error}")
    home = pathlib.Path(os.environ["HOME"])
    window = subprocess.Popen([prefix / "bin/gesso", f"--data-dir={home / 'session'}", "--backend=null"])

    def missing():
        assert window.poll() is None, f"the window ended with {window.returncode}"
        desktop = Atspi.get_desktop(0)
        desktop.clear_cache()
        apps = [desktop.get_child_at_index(i) for i in range(desktop.get_child_count())]
        names = {n for app in apps if app and app.get_process_id() == window.pid for n in names_below(app)}
        return [word for word in GERMAN if not any(word in name for name in names)]

    try:
        wait(f"a window that says {', '.join(GERMAN)}", lambda: not missing())
        print("the window says:", ", ".join(GERMAN))
    finally:
        window.terminate()
        window.wait()


def windows():
    out = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", "^Gesso$"], capture_output=True, text=True)
    return out.stdout.split()


def call(method, *args):
    return run("gdbus", "call", "--session", "--dest", APP_ID, "--object-path", APP_PATH, "--method", method, *args)


def is_owned():
    return "true" in run("gdbus", "call", "--session", "--dest", "org.freedesktop.DBus", "--object-path", "/",
                         "--method", "org.freedesktop.DBus.NameHasOwner", APP_ID)


def part_activate(prefix, picture):
    assert not is_owned() and not windows()
    call("org.freedesktop.Application.Activate", "{}")
    wait("the window", windows)
    call("org.freedesktop.Application.Open", f"['file://{picture}']", "{}")
    call("org.freedesktop.Application.Activate", "{}")
    assert len(windows()) == 1, "a second activation opens no second window"
    call("org.freedesktop.Application.ActivateAction", "quit", "[]", "{}")
    wait("the program's end", lambda: not is_owned())


PARTS = {"screenshot": part_screenshot, "read": part_read, "activate": part_activate}
TESTS = [("installs every file", test_all_files), ("programs say their version", test_versions),
         ("gesso-cli draws a picture", test_generates), ("gesso speaks German", test_speaks_german),
         ("gesso speaks German from its build tree", test_build_tree_speaks_german),
         ("a schema that was not compiled is said", test_missing_schema_is_said),
         ("the window opens", test_window), ("the window speaks German", test_window_speaks_german),
         ("the bus starts the program", test_bus_activates)]


def result_of(test, it):
    """Returns: the TAP directive of a skipped test, or nothing; raises where the test fails"""
    try:
        test(it)
    except Skip as skipped:
        return f" # SKIP {skipped}"
    except AssertionError as error:
        if "SKIP " in str(error):
            return " # SKIP " + str(error).split("SKIP ", 1)[1].strip()
        raise
    return ""


def main():
    build, source, prefix = (pathlib.Path(a) for a in sys.argv[1:4])
    print(f"1..{len(TESTS)}", flush=True)
    failed = False
    # Beside the build tree's own files, since a temporary folder may be too small or forbid programs.
    with tempfile.TemporaryDirectory(dir=build, prefix="installed-") as scratch:
        try:
            it = Installation(build.resolve(), source.resolve(), prefix, pathlib.Path(scratch).resolve())
        except AssertionError as error:
            print("Bail out!", str(error).strip().splitlines()[-1])
            return True
        for n, (name, test) in enumerate(TESTS, 1):
            try:
                print(f"ok {n} - {name}{result_of(test, it)}", flush=True)
            except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
                failed = True
                print(f"not ok {n} - {name}", *(f"# {line}" for line in str(error).splitlines()), sep="\n", flush=True)
    return failed


if __name__ == "__main__":
    if sys.argv[1] == "--part":
        PARTS[sys.argv[2]](pathlib.Path(sys.argv[3]), *sys.argv[4:])
    else:
        sys.exit(main())
