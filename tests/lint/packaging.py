#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Checks what packagers and desktops read: man pages, MIME type, XML, icons, the Flatpak manifest.

Usage: packaging.py SOURCE_ROOT GESSO GESSO_CLI_1.  Prints TAP; one test a rule.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(sys.argv[1]).resolve()
APP_ID = "io.github.gesso_studio.Gesso"
MANIFEST = ROOT / "flatpak" / f"{APP_ID}.json"
# Where a dependency of meson.build comes from in the Flatpak: its module, or the runtime.
RUNTIME = "the runtime"
FLATPAK_ORIGIN = {
    "gio-2.0": RUNTIME, "gio-unix-2.0": RUNTIME, "glib-2.0": RUNTIME, "gtk4": RUNTIME, "json-c": "json-c",
    "libadwaita-1": RUNTIME, "libjpeg": RUNTIME, "libpng": RUNTIME, "libutf8proc": "utf8proc", "nettle": RUNTIME,
    "gstreamer-1.0": RUNTIME, "gstreamer-app-1.0": RUNTIME, "gstreamer-pbutils-1.0": RUNTIME,
    "gstreamer-video-1.0": RUNTIME, "lcms2": RUNTIME, "libwebp": RUNTIME, "libwebpdemux": RUNTIME,
    "libwebpmux": RUNTIME, "sqlite3": RUNTIME, "threads": RUNTIME, "yaml-0.1": "libyaml", "zlib": RUNTIME,
}


def run(*args, **options):
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, **options)


def check_man_pages():
    for page in (ROOT / "data/man/gesso.1", pathlib.Path(sys.argv[3])):
        done = run("man", "--warnings", "-E", "UTF-8", "-Tutf8", "-l", "-Z", page)
        if done.returncode or done.stderr.strip():
            yield f"{page.name}: {done.stderr.strip() or done.returncode}"


def check_man_options():
    """gesso.1 names the options of `gesso --help`, and no others."""
    done = run(sys.argv[2], "--help", env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})
    if done.returncode:
        yield f"gesso --help: {done.stderr.strip()}"
        return
    said = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", done.stdout, re.M))
    said = {o for o in said if not o.startswith("--help-")}
    page = (ROOT / "data/man/gesso.1").read_text()
    options = page[page.index(".SH OPTIONS"):page.index(".SH FILES")].replace(r"\-", "-")
    written = set(re.findall(r"^\.BI? \"?(--[\w-]+)", options, re.M))
    for option in sorted(said - written):
        yield f"gesso.1: {option} of --help is missing"
    for option in sorted(written - said):
        yield f"gesso.1: {option} is no option that --help says"


def check_mime_type():
    with tempfile.TemporaryDirectory() as share:
        folder = pathlib.Path(share, "mime")
        (folder / "packages").mkdir(parents=True)
        shutil.copy(ROOT / f"data/desktop/{APP_ID}.mime.xml", folder / f"packages/{APP_ID}.xml")
        done = run("update-mime-database", folder, env=os.environ | {"XDG_DATA_DIRS": share})
        problem = done.stderr.strip()
        if done.returncode or problem:
            yield f"update-mime-database: {problem or done.returncode}"
        elif "application/x-gesso-project:*.gesso" not in (folder / "globs2").read_text():
            yield "*.gesso is not known as application/x-gesso-project"


def check_xml():
    for base in ("data", "src"):
        for path in sorted((ROOT / base).rglob("*")):
            if path.suffix in (".xml", ".ui", ".svg") or path.name.endswith(".xml.in"):
                try:
                    ElementTree.parse(path)
                except ElementTree.ParseError as error:
                    yield f"{path.relative_to(ROOT)}: {error}"


def check_resources():
    """Every file that a resource list names is there."""
    for path in sorted((ROOT / "src").rglob("*.gresource.xml")):
        for file in ElementTree.parse(path).iter("file"):
            if not (path.parent / file.text.strip()).is_file():
                yield f"{path.relative_to(ROOT)}: {file.text.strip()} is missing"


def check_source(module, source):
    if source["type"] == "archive":
        if not source.get("url", "").startswith("https://"):
            yield f"{module}: an archive without an https address"
        if not re.fullmatch(r"[0-9a-f]{64}", source.get("sha256", "")):
            yield f"{module}: an archive without its SHA-256"
    elif "path" in source:
        if not (MANIFEST.parent / source["path"]).exists():
            yield f"{module}: {source['path']} is missing"
    else:
        yield f"{module}: a source that is neither an archive nor a path"


def dependencies():
    for path in ROOT.rglob("meson.build"):
        if path.relative_to(ROOT).parts[0] in ("src", "tests", "data", "kernels", "po", "meson.build"):
            yield from re.findall(r"\bdependency\('([^']+)'", path.read_text())


def check_flatpak():
    try:
        manifest = json.loads(MANIFEST.read_text())
    except (OSError, ValueError) as error:
        yield f"{MANIFEST.relative_to(ROOT)}: {error}"
        return
    if manifest["app-id"] != APP_ID or manifest["command"] != "gesso":
        yield "the manifest's app-id and command are not this program's"
    for argument in manifest["finish-args"]:
        if argument == "--share=network":
            yield "the manifest asks for the network, which the program promises not to use"
    modules = {m["name"]: m for m in manifest["modules"]}
    for name, module in modules.items():
        for source in module["sources"]:
            yield from check_source(name, source)
    for name in sorted(set(dependencies())):
        origin = FLATPAK_ORIGIN.get(name)
        if origin is None:
            yield f"{name}: a new dependency; say in packaging.py whether the runtime has it or a module builds it"
        elif origin != RUNTIME and origin not in modules:
            yield f"{name}: no module {origin} in the manifest"


def check_flatpak_builder():
    with tempfile.TemporaryDirectory() as scratch:
        done = run("flatpak-builder", "--show-manifest", MANIFEST, cwd=scratch, env=os.environ | {"HOME": scratch})
        if done.returncode or "WARNING" in done.stderr:
            yield f"flatpak-builder: {done.stderr.strip() or done.returncode}"


RULES = [("man pages are clean", check_man_pages, ["man"]),
         ("gesso.1 has the options of --help", check_man_options, []),
         ("the MIME type is known by its name", check_mime_type, ["update-mime-database"]),
         ("XML, interfaces and icons are well-formed", check_xml, []),
         ("resource lists name files that are there", check_resources, []),
         ("the Flatpak manifest is complete", check_flatpak, []),
         ("flatpak-builder reads the manifest", check_flatpak_builder, ["flatpak-builder"])]


def main():
    print(f"1..{len(RULES)}")
    failed = False
    for n, (name, rule, programs) in enumerate(RULES, 1):
        missing = [p for p in programs if not shutil.which(p)]
        if missing:
            print(f"ok {n} - {name} # SKIP {', '.join(missing)} not installed")
            continue
        problems = list(rule())
        failed |= bool(problems)
        print(f"{'not ok' if problems else 'ok'} {n} - {name}")
        for line in "\n".join(problems).splitlines():
            print(f"# {line}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
