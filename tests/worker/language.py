#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""What the worker says is said in the user's language, with names where they belong.

Usage: language.py GESSO_WORKER.  Prints TAP.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import german

CASES = [
    ("a model that is not there", {"model": "/nowhere/my model.safetensors"},
     r"The model .*my model.* is not there", r"Das Modell .*my model.* ist nicht da"),
    ("a value out of range", {"model": "x", "steps": 5000},
     r"steps has to be a whole number from 0 to 1000, not \"5000\"\.",
     r"steps muss eine ganze Zahl von 0 bis 1000 sein, nicht „5000“\."),
    ("a damaged model", {"model": "cut.safetensors"},
     r"\"cut\.safetensors\" is damaged: .*Download it again\.",
     r"„cut\.safetensors“ ist beschädigt: .*Neu herunterladen\."),
]


def say(worker, folder, recipe, in_german):
    path = folder / "recipe.json"
    path.write_text(json.dumps({"version": 1, "prompt": "a", **recipe}), encoding="utf-8")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    env |= german.environment(folder) if in_german else {"LC_ALL": "C"}
    done = subprocess.run([worker, "--backend", "null", "--batch", path, "--output", folder / "out"], env=env, cwd=folder,
                          capture_output=True, text=True, encoding="utf-8", errors="replace")
    return done.returncode, done.stderr


def main():
    worker, failed = str(pathlib.Path(sys.argv[1]).resolve()), False
    print(f"1..{2 * len(CASES)}")
    with tempfile.TemporaryDirectory() as scratch:
        folder, n = pathlib.Path(scratch), 0
        (folder / "cut.safetensors").write_bytes(b"\xff\0\0\0\0\0\0\0{}")
        for what, recipe, *sentences in CASES:
            if recipe["model"].startswith("cut"):
                recipe = {"model": str(folder / recipe["model"])}
            for language, wanted in zip(("English", "German"), sentences):
                n += 1
                code, said = say(worker, folder, recipe, language == "German")
                good = code == 1 and re.search(wanted, said)
                failed |= not good
                print(f"{'ok' if good else 'not ok'} {n} - {what}, in {language}")
                if not good:
                    print("\n".join(f"# {line}" for line in [f"ended with {code}", *said.splitlines()]))
    return failed


if __name__ == "__main__":
    sys.exit(main())
