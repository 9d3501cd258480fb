# SPDX-License-Identifier: MPL-2.0
"""How a program is made to speak German, whatever locales are installed."""
import os

PLAIN = "/usr/lib/locale/C.utf8"


def environment(folder):
    """What to add to the environment; a locale is made in @folder, a pathlib.Path.

    In C.UTF-8, which is on every system, glibc 2.41 does not ask for LANGUAGE (2.36 does): here it has a German name.
    """
    if not os.path.isdir(PLAIN):
        return {"LC_ALL": "C.UTF-8", "LANGUAGE": "de"}
    named = folder / "de_DE.UTF-8"
    if not named.is_symlink():
        named.symlink_to(PLAIN)
    return {"LC_ALL": "de_DE.UTF-8", "LOCPATH": str(folder), "LANGUAGE": "de"}
