#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""What the program says of CUDA devices: no module, no driver, an old one, no card, cards that are too old or sick.

Usage: devices.py GESSO_CLI MODULE DRIVER OTHER.  MODULE is libgesso-cuda.so or the emulated one, DRIVER a libcuda.so.1
that answers what the environment says (fake-driver.c), OTHER any other library.  Prints TAP.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

CLI, MODULE, DRIVER, OTHER = sys.argv[1:5]


def devices(driver=DRIVER, module=MODULE, **fake):
    """The CUDA lines of `gesso-cli devices --json`."""
    with tempfile.TemporaryDirectory() as folder:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("GESSO_", "FAKE_"))}
        env.update(GESSO_CUDA_MODULE=module, LD_LIBRARY_PATH=folder, **fake)
        if driver:
            shutil.copy(driver, pathlib.Path(folder) / "libcuda.so.1")
        done = subprocess.run([CLI, "devices", "--json"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, f"{done.returncode}: {done.stderr}"
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0]["kind"] == "cpu" and lines[0]["level"], lines
    return lines[1:]


def problem(*words, **options):
    """There is no device, and one sentence says why: it has all of @words."""
    found = devices(**options)
    assert len(found) == 1 and found[0]["kind"] == "cuda", found
    text = found[0]["error"]
    assert all(w in text for w in words) and text.endswith((".", "?")) and "\n" not in text, text


def test_no_module():
    problem("could not be loaded", "/nowhere.so", module="/nowhere.so")


def test_file_that_is_no_module():
    problem("another version", "one build", module=OTHER)


def test_no_driver():
    if shutil.which("nvidia-smi"):
        return "a driver is installed here"
    problem("no NVIDIA driver", "libcuda.so.1", driver=None)


def test_old_driver():
    problem("too old", "12.4", "13.0", "580", FAKE_CUDA_VERSION="12040", FAKE_CUDA_CARDS="8.9")


def test_library_that_is_no_driver():
    problem("too old", "cuInit", driver=OTHER)


def test_no_card():
    problem("finds no card", FAKE_CUDA_INIT="100")
    problem("finds no card")


def test_driver_that_does_not_start():
    problem("does not start", "a fault that the test wants", "999", FAKE_CUDA_INIT="999", FAKE_CUDA_CARDS="8.9")


def test_card_that_is_too_old():
    problem("Test Card 0 is too old", "7.5", "8.0", FAKE_CUDA_CARDS="7.5")


def test_sick_card():
    problem("does not answer", "719", FAKE_CUDA_CARDS="8.9", FAKE_CUDA_SICK="719")


def test_cards():
    found = devices(FAKE_CUDA_CARDS="8.9 7.5 12.0")
    assert [(d["name"], d["capability"]) for d in found] == [("Test Card 0", 89), ("Test Card 2", 120)], found
    assert all(d["memory_bytes"] == 24 << 30 and d["usable"] is True for d in found), found


def test_module_exports_one_function():
    if "emulated" in MODULE:
        return "the emulated module exports the emulator and its driver, too"
    out = subprocess.run(["nm", "-D", "--defined-only", MODULE], capture_output=True, text=True, check=True).stdout
    names = [line.split()[-1] for line in out.splitlines()]
    assert names == ["gesso_cuda_module"], names


def main():
    tests = [(k[5:], v) for k, v in globals().items() if k.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = False
    for i, (name, test) in enumerate(tests, 1):
        try:
            skipped = test()
            print(f"ok {i} - {name}" + (f" # SKIP {skipped}" if skipped else ""))
        except AssertionError as error:
            failed = True
            print(f"not ok {i} - {name}\n# {error}")
    sys.exit(failed)


main()
