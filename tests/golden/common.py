# SPDX-License-Identifier: MPL-2.0
"""Seeded numbers, quiet libraries and byte-stable files for the golden exporters."""

import json
import os
import pathlib
import zlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

FIXTURES = pathlib.Path(__file__).resolve().parent / "fixtures"  # where files go, see export.py
VOCABULARY = FIXTURES / "tokenizer"  # the one input: a small CLIP vocabulary of our own


def setup():
    """One thread and no fused kernels that depend on the load of the machine."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)
    torch.backends.mkldnn.enabled = False
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def generator(name):
    """A CPU generator whose seed follows from @name, so cases do not disturb each other."""
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def normal(name, *shape):
    """Seeded normal values (float32) that belong to @name."""
    return torch.randn(shape, generator=generator(name))


def save_tensors(path, tensors):
    """Write a safetensors file; the order inside follows from dtype and name only."""
    path = FIXTURES / path
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().contiguous().clone() for k, v in sorted(tensors.items())}, str(path))
    path.chmod(0o644)


def save_json(path, value):
    """Write @value with one entry a line at the outer levels, so that changes can be reviewed."""
    path = FIXTURES / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
