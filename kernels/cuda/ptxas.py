#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Registers, shared memory and spills of every kernel on every architecture, as ptxas says.

Usage: ptxas.py NVCC [--check | NAME...]  (from anywhere; the table is ptxas.txt beside this file)

Without --check the table is written anew, or with names ("conv attention-any") the rows of those kernels.  With it,
nothing is written: exit status 1 and the lines that differ, 77 when there is no nvcc.  Stack frames and spills are columns of their own; a spill fails the build anyway.
"""
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "ptxas.txt"
ARCHS = ["80", "86", "89", "90a", "120f"]
ONLY = {"gemm-fp8": ["89", "120f"], "quantise": ["89", "90a", "120f"], "gemm-wgmma": ["90a"], "attention-wgmma": ["90a"],
        "conv-wgmma": ["90a"]}
ENTRY = re.compile(r"Compiling entry function '(\S+)' for 'sm_(\w+)'")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")


def compile_kernel(nvcc, source, archs):
    flags = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in archs]
    command = [nvcc, "-std=c++17", "-O3", "-diag-suppress=177", "-Xptxas", "-v", f"-I{HERE.parents[1]}", f"-I{HERE}",
               *flags, "-fatbin", "-o", "/dev/null", str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or "instructions are serialized" in done.stderr:  # ptxas waits after each wgmma: see a fence
        sys.exit(f"{source.name}: {done.stderr}")
    return done.stderr


def plain_names(lines):
    """Symbols in C++ notation, without the arguments."""
    names = subprocess.run(["c++filt"], input="\n".join(n for n, _ in lines), capture_output=True, text=True).stdout
    return [re.sub(r"^void ", "", re.sub(r"\(.*", "", n)).replace(" ", "") for n in names.splitlines()]


def rows_of(text):
    found, entry, frame = [], None, ("0", "0", "0")
    for line in text.splitlines():
        if m := ENTRY.search(line):
            entry = (m[1], m[2])
        elif m := FRAME.search(line):
            frame = m.groups()
        elif (m := USED.search(line)) and entry:
            found.append((entry, (m[1], m[2] or "0", frame[0], str(int(frame[1]) + int(frame[2])))))
            entry = None
    names = plain_names([e for e, _ in found])
    return sorted((name, arch, *numbers) for name, ((_, arch), numbers) in zip(names, found))


def kept_rows(rows):
    """Of the table as it is: what @rows, and their kernels, say nothing of."""
    found = [tuple(line.split()) for line in TABLE.read_text().splitlines()[2:]]
    new = {r[0] for r in rows}
    return [r for r in found if r[0] not in new]


def make_table(nvcc, names):
    head = ("kernel", "sm", "registers", "static shared", "stack", "spilled")
    rows = []
    for source in sorted(HERE.glob("*.cu")):
        if not names or source.stem in names:
            rows += rows_of(compile_kernel(nvcc, source, ONLY.get(source.stem, ARCHS)))
    rows = sorted(rows + (kept_rows(rows) if names else []))
    version = subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout
    release = re.search(r"release ([\d.]+), V([\d.]+)", version)[2]
    lines = [f"# Made by ptxas.py with nvcc {release}; bytes, except registers."]
    lines += [f"{r[0]:<58} {r[1]:>5} {r[2]:>10} {r[3]:>14} {r[4]:>6} {r[5]:>8}" for r in [head, *rows]]
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    names = [a for a in sys.argv[2:] if a != "--check"]
    try:
        new = make_table(sys.argv[1], names)
    except FileNotFoundError:
        print("SKIPPED: there is no nvcc")
        sys.exit(77)
    if sys.argv[2:] != ["--check"]:
        TABLE.write_text(new)
        return
    old = set(TABLE.read_text().splitlines()) if TABLE.exists() else set()
    if old == set(new.splitlines()):
        return
    if not any(new.splitlines()[0] in line for line in old):
        print("SKIPPED: the table was made with another nvcc")
        sys.exit(77)
    for line in sorted(old ^ set(new.splitlines())):
        print(("was " if line in old else "is  ") + line)
    sys.exit(1)


main()
