# SPDX-License-Identifier: MPL-2.0
"""Regenerate the golden fixtures: python tests/golden/export.py [--output DIR] [part...]"""

import argparse
import importlib
import pathlib

import common


def main():
    common.setup()
    parts = {
        "samplers": "sampler_cases",
        "flow-samplers": "flow_sampler_cases",
        "brownian": "brownian_cases",
        "models": "tiny_models",  # the parts below read what this one wrote
        "networks": "network_cases",
        "adapters": "adapter_cases",
        "pipelines": "pipeline_cases",
        "controls": "control_cases",
        "flux": "flux_cases",
        "formats": "format_cases",
        "unigram": "unigram_cases",
        "transformers": "transformer_cases",
        "wan-vae": "wan_vae_cases",
        "vision": "vision_cases",
        "wan": "wan_models",
        "clips": "wan_cases",
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, help="folder to write to (default: fixtures)")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"any of {', '.join(parts)} (default: all)")
    options = parser.parse_args()
    if options.output:
        common.FIXTURES = options.output.resolve()
        common.FIXTURES.mkdir(parents=True, exist_ok=True)
    for name in options.parts or parts:
        importlib.import_module(parts[name]).export()  # each needs packages of its own


if __name__ == "__main__":
    main()
