#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Checks that every text can be translated and that every listed language translates all of them.

Usage: translations.py SOURCE_ROOT.  Prints TAP; one test a rule.  After a change of texts,
`ninja -C build gesso-update-po` brings the new ones into po/*.po.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1]).resolve()
PO = ROOT / "po"
# As meson's preset "glib"; N_ of src/recipe is a macro of its own that does nothing.
KEYWORDS = ["_", "N_", "C_:1c,2", "NC_:1c,2", "g_dcgettext:2", "g_dngettext:2,3", "g_dpgettext2:2c,3",
            "ngettext:1,2"]
# Of the engine, in which a Status is told in the user's language; as in po/meson.build.
KEYWORDS += ["status_fail:3", "ctx_fail:3", "notes_add:3", "damaged:3", "status_text", "STATUS_MARK"]
SENTENCE = re.compile(r'(?<!\w)(?:status_fail|ctx_fail|notes_add|damaged|status_text|STATUS_MARK) \([^;{]*?"')
ENGINE = ("backend-cuda", "engine", "worker", "recipe", "media")
CALL = re.compile(r"(?<![\w.>])(?:_|N_|C_|NC_|n?gettext|g_dn?gettext|g_dc?n?p?gettext2?) ?\((?!text\))")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def listed(name):
    lines = (line.strip() for line in (PO / name).read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def has_texts(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".c", ".h"):
        code = COMMENT.sub("", text)
        return bool(CALL.search(code)) or (path.relative_to(ROOT).parts[1] in ENGINE and bool(SENTENCE.search(code)))
    if path.name.endswith((".gschema.xml", ".desktop.in", ".metainfo.xml.in")):
        return True
    return 'translatable="yes"' in text


def files_with_texts():
    for base in ("src", "data/desktop", "data"):
        folder = ROOT / base
        found = folder.rglob("*") if base == "src" else folder.glob("*")
        for path in sorted(found):
            if path.is_file() and path.name.endswith((".c", ".h", ".ui", ".xml", ".in")) and has_texts(path):
                yield path.relative_to(ROOT).as_posix()


def check_potfiles():
    names, present = listed("POTFILES"), set(files_with_texts())
    for name in sorted(present - set(names)):
        yield f"po/POTFILES: {name} has texts to translate and is not listed"
    for name in names:
        if not (ROOT / name).is_file():
            yield f"po/POTFILES: {name} is gone"
        elif name not in present:
            yield f"po/POTFILES: {name} has no texts to translate"
        if names.count(name) > 1:
            yield f"po/POTFILES: {name} is listed twice"


# Texts that a user sees, given to a widget as they stand.
BARE = re.compile(r'(?:gtk_label_new|gtk_button_new_with_label|gtk_check_button_new_with_label|gesso_name_new_button) \("[^"]*[A-Za-z]{2}'
                  r'|gesso_name(?:_list_item|_drop_down|_lists)? \([^;"]*,\s*"[^"]*[A-Za-z]{2}'
                  r'|set_(?:tooltip_text|title|subtitle|description|placeholder_text|label|body) \([^;"]*,\s*"[^"]*[A-Za-z]{2}'
                  r'|PROPERTY_LABEL,\s*"[^"]*[A-Za-z]{2}')
BARE_PROPERTY = re.compile(r'<property name="(?:label|title|subtitle|description|tooltip-text|placeholder-text)">([^<]*)<')
NAMES = {"Gesso"}


def check_bare_texts():
    for path in sorted((ROOT / "src/app").rglob("*")):
        if path.suffix == ".c":
            text = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), path.read_text(encoding="utf-8"))
            found = [m.start() for m in BARE.finditer(text)]
        elif path.suffix == ".ui":
            text = path.read_text(encoding="utf-8")
            found = [m.start() for m in BARE_PROPERTY.finditer(text)
                     if m[1] not in NAMES and re.search("[A-Za-z]{2}", m[1])]
        else:
            continue
        for at in found:
            line = text.count("\n", 0, at) + 1
            yield f"{path.relative_to(ROOT)}:{line}: a text that cannot be translated"


# Notes of the engine and the worker, which the window shows, too; formats without words aside.
BARE_NOTE = re.compile(r'snprintf \(\s*(?:[\w>.-]*(?:->|\.))?(?:note|sentence|remark),\s*[^;,]+,\s*"(?:[^"\\%]|\\.|%[^A-Za-z]*[A-Za-z])*?[A-Za-z]{2}')


def check_bare_notes():
    for folder in ENGINE:
        for path in sorted((ROOT / "src" / folder).rglob("*.c")):
            text = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), path.read_text(encoding="utf-8"))
            for found in BARE_NOTE.finditer(text):
                line = text.count("\n", 0, found.start()) + 1
                yield f"{path.relative_to(ROOT)}:{line}: a note that is not translated: give it to status_text"


def run(*args):
    return subprocess.run(args, cwd=ROOT, capture_output=True, text=True)


def extract(template):
    done = run("xgettext", "--from-code=UTF-8", "--add-comments=Translators", "--package-name=gesso", "-f",
               PO / "POTFILES", "-o", template, *(f"--keyword={k}" for k in KEYWORDS))
    if done.returncode:
        yield f"xgettext: {done.stderr.strip()}"


def message_ids(text):
    """Every msgid of the output of msgattrib, its lines joined, without the header's."""
    ids = re.findall(r'^msgid ((?:"(?:[^"\\]|\\.)*"\s*)+)', text, re.M)
    return [i for i in ("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', found)) for found in ids) if i]


def check_language(language, template, merged):
    catalogue = PO / f"{language}.po"
    done = run("msgfmt", "--check", "--statistics", "-o", "/dev/null", catalogue)
    if done.returncode:
        yield f"po/{language}.po: {done.stderr.strip()}"
        return
    done = run("msgmerge", "--quiet", "--no-fuzzy-matching", "-o", merged, catalogue, template)
    if done.returncode:
        yield f"po/{language}.po: {done.stderr.strip()}"
        return
    for kind in ("untranslated", "only-fuzzy"):
        for text in message_ids(run("msgattrib", f"--{kind}", "--no-obsolete", merged).stdout):
            yield f"po/{language}.po: {kind}: {text}"
    for text in message_ids(run("msgattrib", "--only-obsolete", merged).stdout.replace("#~ ", "")):
        yield f"po/{language}.po: is no longer a text of the program: {text}"


def check_translations():
    with tempfile.TemporaryDirectory() as scratch:
        template, merged = pathlib.Path(scratch, "gesso.pot"), pathlib.Path(scratch, "merged.po")
        problems = list(extract(template))
        yield from problems
        if not problems:
            for language in listed("LINGUAS"):
                yield from check_language(language, template, merged)


def missing_tools():
    return [t for t in ("xgettext", "msgfmt", "msgmerge", "msgattrib") if not shutil.which(t)]


def main():
    rules = [("po/POTFILES lists every file with texts", check_potfiles, []),
             ("no text in the window stands outside gettext", check_bare_texts, []),
             ("no note stands outside status_text", check_bare_notes, []),
             ("every language translates every text", check_translations, missing_tools())]
    print(f"1..{len(rules)}")
    failed = False
    for n, (name, rule, missing) in enumerate(rules, 1):
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
