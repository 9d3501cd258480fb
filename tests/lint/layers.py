#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Checks the text of the sources: who includes whom, sizes, licence lines, where memory is taken.

Usage: layers.py SOURCE_ROOT.  Prints TAP; one test a rule.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()

# folder -> folders whose headers it may include, besides its own
LAYERS = {
    "src/engine/core": {"kernels"},
    "kernels": set(),
    "src/engine/backend": {"src/engine/core", "kernels"},
    "src/backend-cuda": {"src/engine/core", "src/engine/backend", "kernels"},
    "src/engine/weights": {"src/engine/core", "kernels"},
    "src/engine/ops": {"src/engine/core", "src/engine/backend", "src/engine/weights", "kernels"},
    "src/engine/text": {"src/engine/core"},
    "src/engine/models": {"src/engine/core", "src/engine/weights", "src/engine/ops"},
    "src/engine/samplers": {"src/engine/core"},
    "src/engine/pipelines": {"src/engine/core", "src/engine/backend", "src/engine/weights", "src/engine/ops",
                             "src/engine/text", "src/engine/models", "src/engine/samplers", "kernels"},
    "src/recipe": {"src/engine/core", "src/engine/samplers"},
    "src/media": {"src/engine/core"},
    "src/media/video": {"src/engine/core", "src/media"},
    "src/ipc": set(),
    "src/worker": {"src/engine/core", "src/engine/backend", "src/engine/weights", "src/engine/text",
                   "src/engine/samplers", "src/engine/pipelines", "src/recipe", "src/media", "src/media/video",
                   "src/ipc", "kernels"},
    "src/cli": {"src/engine/core", "src/engine/backend", "src/engine/weights", "src/engine/text",
                "src/engine/samplers", "src/engine/pipelines", "src/recipe", "src/media", "src/media/video", "src/worker",
                "kernels"},
    "src/library": {"src/engine/core", "src/engine/weights", "src/engine/text", "src/recipe", "src/media", "src/media/video"},
    "src/session": {"src/engine/core", "src/recipe", "src/media", "src/media/video", "src/ipc", "src/library"},
    "src/app": {"src/engine/core", "src/recipe", "src/media", "src/media/video", "src/library", "src/session"},
}
# leaf headers (plain functions on raw memory) that kernels and recipes may read
LEAF_HEADERS = {"core/blocks.h", "core/dtype.h", "core/utf8.h"}
GENERATED = {"config.h", "ipc/gesso-ipc.h", "gesso-canvas-resources.h", "gesso-gallery-resources.h"}
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_COLUMNS = 1000, 120, 100
ALLOCATORS = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|free|strdup|strndup|asprintf|aligned_alloc|posix_memalign) \(")
FORBIDDEN = re.compile(r"(?<![\w.>])(abort|exit|printf|puts|fprintf) \(")


def folder_of(path):
    text = path.relative_to(ROOT).as_posix()
    return max((f for f in LAYERS if text.startswith(f + "/")), key=len, default=None)


def sources(*suffixes):
    for base in ("src", "kernels"):
        for p in sorted((ROOT / base).rglob("*")):
            if p.suffix in suffixes:
                yield p


def owner_of_include(name):
    for base in ("src/engine", "src", "."):
        if (ROOT / base / name).is_file():
            return (ROOT / base / name).resolve()
    return None


def check_layers():
    for p in sources(".c", ".h"):
        mine = folder_of(p)
        for n, line in enumerate(p.read_text().splitlines(), 1):
            m = re.match(r'\s*#\s*include "([^"]+)"', line)
            if not m or m[1] in LEAF_HEADERS | GENERATED:
                continue
            target = owner_of_include(m[1])
            if target is None:
                if not (p.parent / m[1]).is_file():
                    yield f"{p.relative_to(ROOT)}:{n}: includes {m[1]}, which is nowhere"
                continue
            theirs = folder_of(target)
            if theirs != mine and theirs not in LAYERS[mine]:
                yield f"{p.relative_to(ROOT)}:{n}: {mine} must not include {m[1]} of {theirs}"


# What kernels may say only through kernels/cuda/common/device.cuh, so that the emulator sees all of it.
DEVICE_ONLY = re.compile(r"\basm\b|\bthreadIdx\b|\bblockIdx\b|\b__(shfl|sync|shared|global|ldg|device)\w*|<<<"
                         r"|\bcooperative_groups\b|__CUDA_ARCH__|cuda_(bf16|fp16|fp8)")
DEVICE_HALF = {"kernels/cuda/common/device.cuh", "kernels/cuda/common/hopper.cuh"}


def check_kernels():
    for p in sources(".cu", ".cuh"):
        name = p.relative_to(ROOT).as_posix()
        if name in DEVICE_HALF:
            continue
        for n, line in enumerate(without_comments(p.read_text()).splitlines(), 1):
            if DEVICE_ONLY.search(line):
                yield f"{name}:{n}: device code beside device.cuh: {line.strip()}"


def project_files():
    """What git lists; without it, as in an unpacked archive, all that no build has made."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True).stdout.split("\n")
    if any(listed):
        return listed
    builds = {p.parent for p in ROOT.rglob("build.ninja")}
    return [p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*") if p.is_file() and not builds.intersection(p.parents)]


def check_licences():
    for name in project_files():
        p = ROOT / name
        if p.suffix in (".c", ".h", ".cu", ".cuh", ".cpp", ".py", ".sh") and p.is_file():
            if not any("SPDX-License-Identifier: MPL-2.0" in line for line in p.read_text().splitlines()[:3]):
                yield f"{name}: no SPDX line among the first three"


def check_sizes():
    for p in sources(".c", ".h", ".cu", ".cuh"):
        lines = p.read_text().splitlines()
        name = p.relative_to(ROOT)
        if len(lines) > MAX_FILE_LINES:
            yield f"{name}: {len(lines)} lines (limit {MAX_FILE_LINES})"
        start = None
        for n, line in enumerate(lines, 1):
            if len(line) > MAX_COLUMNS:
                yield f"{name}:{n}: {len(line)} columns (limit {MAX_COLUMNS})"
            if line == "{":
                start = n
            elif line == "}" and start:
                if n - start > MAX_FUNCTION_LINES:
                    yield f"{name}:{start}: a function of {n - start} lines (limit {MAX_FUNCTION_LINES})"
                start = None


def without_comments(text):
    """Comments and strings blanked out, line numbers kept."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def check_memory():
    for p in sources(".c", ".h"):
        name = p.relative_to(ROOT).as_posix()
        if name == "src/engine/core/mem.c":
            continue
        for n, line in enumerate(without_comments(p.read_text()).splitlines(), 1):
            if ALLOCATORS.search(line):
                yield f"{name}:{n}: allocates beside core/mem.h: {line.strip()}"
            if FORBIDDEN.search(line) and not name.startswith("src/cli/"):
                yield f"{name}:{n}: prints or exits outside the program's edge: {line.strip()}"


RUN_IN_THREAD = re.compile(r"g_task_run_in_thread \((\w+),")


def check_threads():
    """A thread may be the last to let go of its task, and what the task holds as its source ends there with it: a
    widget, or what stops threads of its own."""
    for p in sources(".c"):
        text = without_comments(p.read_text())
        for run in RUN_IN_THREAD.finditer(text):
            made = list(re.finditer(rf"\b{run[1]} =\s+g_task_new \((\w+)", text[:run.start()]))
            if not made or made[-1][1] != "NULL":
                line = text.count("\n", 0, run.start()) + 1
                yield f"{p.relative_to(ROOT).as_posix()}:{line}: a task with a source object, or of unknown making, on a thread"


# Calls that a disk answers; what is asynchronous has another name.
DISK = re.compile(r"(?<![\w.>])(?:g_(?:file_test|access|l?stat|f?open|unlink|remove|rename|mkdir\w*|mkstemp\w*|dir_open"
                  r"|file_(?:[gs]et_contents\w*|load_contents|query_(?:exists|file_type|info)|read|copy|move|delete|trash"
                  r"|make_directory|enumerate_children|monitor\w*))|l?stat|access|f?open|opendir|unlink|rename|mkdir|realpath"
                  r"|statvfs|gdk_(?:texture|pixbuf)_new_from_f\w+|gtk_recent_info_exists) \(")
# Of the program's own few small files: data, cache, what is installed.
OWN_FILES = {"src/app/gesso-paths.c", "src/app/gesso-inputs.c", "src/app/canvas/gesso-spill.c"}


def functions(text):
    """Name, first line and body of each function of a C file without comments."""
    for m in re.finditer(r"^([a-z]\w+) \([^;{}]*?\)\n\{\n(.*?)^\}", text, re.S | re.M):
        yield m[1], text.count("\n", 0, m.start(2)) + 1, m[2]


def check_disks():
    """A disk of the user's may take minutes to answer, or never do: the window asks it on threads only."""
    for p in sources(".c"):
        name = p.relative_to(ROOT).as_posix()
        if not name.startswith("src/app/") or name in OWN_FILES:
            continue
        for function, first, body in functions(without_comments(p.read_text())):
            for n, line in enumerate(body.splitlines(), first):
                call = DISK.search(line)
                if call and not function.endswith("_thread"):
                    yield f"{name}:{n}: {call[0][:-2]} in {function}, which is not called ..._thread: may a disk be waited for there?"


def main():
    rules = [("includes look down", check_layers), ("licence lines", check_licences), ("sizes", check_sizes),
             ("memory and output have one door", check_memory), ("kernels speak through device.cuh", check_kernels),
             ("tasks on threads hold no object", check_threads), ("windows wait for no disk", check_disks)]
    print(f"1..{len(rules)}")
    failed = False
    for i, (label, rule) in enumerate(rules, 1):
        problems = list(rule())
        print(f"{'not ok' if problems else 'ok'} {i} - {label}")
        for problem in problems:
            print("# " + problem)
        failed |= bool(problems)
    sys.exit(failed)


main()
