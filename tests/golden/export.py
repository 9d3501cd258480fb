# SPDX-License-Identifier: MPL-2.0
"""Regenerate the golden fixtures: python tests/golden/export.py [--output DIR] [part...]"""

import argparse
import pathlib

import common


def main():
    common.setup()
    import brownian_cases
    import network_cases
    import pipeline_cases
    import sampler_cases
    import tiny_models

    parts = {
        "samplers": sampler_cases.export,
        "brownian": brownian_cases.export,
        "models": tiny_models.export,  # the parts below read what this one wrote
        "networks": network_cases.export,
        "pipelines": pipeline_cases.export,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, help="folder to write to (default: fixtures)")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"any of {', '.join(parts)} (default: all)")
    options = parser.parse_args()
    if options.output:
        common.FIXTURES = options.output.resolve()
        common.FIXTURES.mkdir(parents=True, exist_ok=True)
    for name in options.parts or parts:
        parts[name]()


if __name__ == "__main__":
    main()
