#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Writes gesso-cli.1 from what the program itself says, so that page and program agree.

    cli_man.py GESSO_CLI OUTPUT
"""
import re
import subprocess
import sys

COMMANDS = ["generate", "plan", "inspect", "convert", "recipe", "models", "devices"]
EXPORT_HEAD = r".SH OPTIONS OF EXPORT"
HEAD = r'''.\" Made by cli_man.py from the program's own help.
.TH GESSO-CLI 1 "" "Gesso {version}" "User Commands"
.SH NAME
gesso-cli \- make pictures and clips from words, without a display
.SH SYNOPSIS
{synopsis}
.SH DESCRIPTION
Makes pictures with SD 1.5, SDXL and FLUX.1 models and clips with Wan models on this machine, and says what model files
and pictures are.
.SH COMMANDS
{commands}
.SH OPTIONS OF GENERATE, VIDEO AND PLAN
{options}
{export}
.SH EXIT STATUS
0 when it was done, 1 when it failed (one line on standard error says why and what to do), 2 for bad usage.
.SH ENVIRONMENT
.TP
.B GESSO_DATA
Where the program's own data is, when it was moved.
.TP
.B GESSO_MODELS
Folders to search for models, besides the program's own; colons between them.
.TP
.B GESSO_FOLDERS
The window's list of model folders, when it works with data of its own (gesso --data-dir): its file "folders" there.
.TP
.B GESSO_CUDA_MODULE
The CUDA module (libgesso-cuda.so) to load instead of the installed one.
.TP
.B GESSO_TRACE
A file that receives every operator with its shapes, bytes and microseconds, as JSON.
.TP
.B GESSO_DEBUG
"ops" prints every operator on standard error.
.SH FILES
Pictures and clips go to Pictures/Gesso of the user unless \fB\-\-output\fR says otherwise; each holds its recipe. Beside
a film lies a .gclip: its frames without loss, its latents and its recipe, for \fBgesso\-cli export\fR and
\fB\-\-extend\fR. FILM.journal lies there while clips are made, and stays when the program is killed, for
\fBgesso\-cli video \-\-resume\fR.
.SH EXAMPLES
.EX
gesso-cli generate "a red apple"
gesso-cli generate \-m sd_xl_base_1.0.safetensors \-c 4 "a lighthouse at dusk"
gesso-cli video \-\-frames 33 \-o boat.mp4 "a paper boat drifts across a pond"
gesso-cli video \-\-extend boat.mp4 \-o longer.mp4 "the paper boat turns round"
gesso-cli plan \-m model.safetensors \-W 1216 \-H 832
.EE
.SH SEE ALSO
.BR gesso (1)
'''


def ask(cli, *args):
    return subprocess.run([cli, *args], check=True, capture_output=True, text=True).stdout


def roff(text):
    return text.replace("\\", r"\e").replace("-", r"\-").lstrip(".'")


def options(text):
    out = []
    for line in text.splitlines():
        flag = re.match(r"  (?:(-\w), |    )(--[\w-]+)( [A-Z]+)? +(.*)", line)
        if flag:
            names = ", ".join(rf"\fB{roff(n)}\fR" for n in flag.groups()[:2] if n)
            value = rf"\fI{flag[3].strip()}\fR" if flag[3] else ""
            out += [".TP", " ".join(p for p in (names, value) if p), roff(flag[4])]
        elif line.startswith(" "):
            out += [".br", roff(line.strip())]
        elif line.endswith(":"):
            out += [".SS", roff(line.rstrip(":"))]
    return "\n".join(out)


def main():
    cli, output = sys.argv[1:]
    synopsis, commands, export = [], [], ""
    names = COMMANDS
    if re.search(r"^  gesso-cli export ", ask(cli, "--help"), re.M): # built with video
        names = COMMANDS[:1] + ["video"] + COMMANDS[1:] + ["export"]
        export = EXPORT_HEAD + "\n" + options(ask(cli, "export", "--help").split("\n\n", 1)[1])
    for name in names:
        first, summary = ask(cli, name, "--help").splitlines()[:2]
        usage = first.removeprefix("Usage: gesso-cli ")
        synopsis += [".B gesso-cli", roff(usage), ".br"]
        commands += [".TP", rf".B {roff(usage)}", roff(summary)]
    body = ask(cli, "generate", "--help").split("\n\n", 1)[1]
    page = HEAD.format(version=ask(cli, "--version").split()[1], synopsis="\n".join(synopsis),
                       commands="\n".join(commands), options=options(body), export=export)
    with open(output, "w", encoding="utf-8") as f:
        f.write(page)


if __name__ == "__main__":
    main()
