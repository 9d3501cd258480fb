# SPDX-License-Identifier: MPL-2.0
"""Renders the training pictures from the SVG drawings of Noto Emoji.

    npm pack @iconify-json/noto && tar xf iconify-json-noto-*.tgz
    render_svg.py package pictures.npz

Needs rsvg-convert (Debian: librsvg2-bin). The archive holds rgba (n, 256, 256, 4) uint8, alpha not
premultiplied, and index (n), the place of each picture in meta.json.
"""
import argparse
import io
import json
import pathlib
import re
import subprocess

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent


class IconSet:
    """An Iconify JSON package: drawings by icon name, icon names by code points."""

    def __init__(self, package):
        self.data = json.loads((package / "icons.json").read_text(encoding="utf8"))
        self.by_characters = json.loads((package / "chars.json").read_text(encoding="utf8"))

    def _icon(self, name):
        aliases = self.data.get("aliases", {})
        while name in aliases:
            name = aliases[name]["parent"]
        return self.data["icons"].get(name)

    def find(self, record):
        """The drawing for a record of meta.json, by code points or else by name; None without."""
        points = [point.removeprefix("0x") for point in record["cp"]]
        # Sequences are listed with or without the variation selector.
        for key in ("-".join(points), "-".join(p for p in points if p != "fe0f")):
            if key in self.by_characters and (icon := self._icon(self.by_characters[key])):
                return icon
        name = re.sub(r"[:“”’.()]", "", record["name"].lower())
        return self._icon(name.replace(" ", "-"))

    def svg(self, icon, size):
        left, top = icon.get("left", 0), icon.get("top", 0)
        width = icon.get("width", self.data.get("width", 16))
        height = icon.get("height", self.data.get("height", 16))
        return (f'<svg xmlns="http://www.w3.org/2000/svg" '
                f'xmlns:xlink="http://www.w3.org/1999/xlink" width="{size}" height="{size}" '
                f'viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>')


def render(svg, size):
    command = ["rsvg-convert", "-w", str(size), "-h", str(size)]
    png = subprocess.run(command, input=svg.encode(), capture_output=True, check=True).stdout
    rgba = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).copy()
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=256)
    args = parser.parse_args()
    icons = IconSet(args.package)
    records = json.loads((HERE / "meta.json").read_text(encoding="utf8"))
    pictures, index, missing = [], [], []
    for i, record in enumerate(records):
        icon = icons.find(record)
        if icon is None:
            missing.append(record["name"])
            continue
        pictures.append(render(icons.svg(icon, args.size), args.size))
        index.append(i)
    np.savez_compressed(args.output, rgba=np.stack(pictures), index=np.array(index))
    print(f"{len(pictures)} pictures; without a drawing: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
