#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""tests/device/run itself, on the emulated card and without one.

Usage: try_run.py SOURCE BUILD CHECKOPS_EMULATED.  Prints TAP.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE, BUILD, CHECKOPS = sys.argv[1:4]


def run(folder, **env):
    return subprocess.run([f"{SOURCE}/tests/device/run", "--small", "--from", BUILD, "--out", str(folder)], text=True,
                          env={**os.environ, "GESSO_CHECKOPS": CHECKOPS, **env}, capture_output=True, timeout=280)


def test_writes_a_table():
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        done = run(folder, FAKE_CUDA_LIBRARIES="130100 91900", FAKE_CUDA_TIMES="1 0.5", FAKE_CUDA_MEMORY=str(256 << 20),
                   XDG_CACHE_HOME=cache)
        found = list(pathlib.Path(folder).iterdir())
        assert done.returncode == 0 and len(found) == 1 and "Test-Card-0" in found[0].name, (done.stderr, found)
        text = found[0].read_text()
        for words in ("cases on the emulator, 0 failed", "ok 1 - sdxl/v", "flux attention", "not NVIDIA's", "TFLOP/s", "wan a14b step",
                      "ours 1.000 ms, cuBLASLt 0.500 ms", "ours 1.000 ms, cuDNN 0.500 ms", "times its floor"):
            assert words in text, text


def test_says_what_failed():
    with tempfile.TemporaryDirectory() as folder:
        done = run(folder, FAKE_CUDA_FAIL_AT="400")
        text = next(pathlib.Path(folder).iterdir()).read_text()
        assert done.returncode == 1 and "FAILED" in text and "The NVIDIA card failed" in text, (done.stderr, text)


def test_no_card():
    with tempfile.TemporaryDirectory() as folder:
        done = run(folder, FAKE_CUDA_CARDS="")
        assert done.returncode == 77 and "No card: The NVIDIA driver finds no card" in done.stderr, done.stderr
        assert not list(pathlib.Path(folder).iterdir())


def main():
    tests = [(k[5:], v) for k, v in globals().items() if k.startswith("test_")]
    print(f"1..{len(tests)}", flush=True)
    failed = False
    for i, (name, test) in enumerate(tests, 1):
        try:
            test()
            print(f"ok {i} - {name}", flush=True)
        except AssertionError as error:
            failed = True
            print(f"not ok {i} - {name}\n# {error}", flush=True)
    sys.exit(failed)


main()
