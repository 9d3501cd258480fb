# SPDX-License-Identifier: MPL-2.0
"""Prompts to conditioning: chunks of 75 tokens, layer choice, emphasis, as A1111 and ComfyUI do it."""

import functools

import torch
from transformers import CLIPTokenizer

import common
import tiny_models

CHUNK = 75
LONG = (
    "a wide painting of an old harbour town under a clear evening sky with many small boats and people "
    "walking home along the water while the lamps of the houses light up one after another and far away "
    "behind the roofs there are mountains with snow that still catch the last red light of the sun and in "
    "the front a fox sits on a stone wall and looks at the sea as if it were waiting for somebody to return"
)


@functools.cache
def tokenizer(folder):
    return CLIPTokenizer.from_pretrained(common.FIXTURES / folder)


@functools.cache
def encoder(folder):
    return tiny_models.load(folder)


def pieces_of(prompt):
    """A prompt is a text of weight 1 or a list of (text, weight)."""
    return [(prompt, 1.0)] if isinstance(prompt, str) else prompt


def chunks(folder, prompt, n_chunks=1):
    """Token ids (n, 77) and weights (n, 77); at least @n_chunks, the missing ones being empty chunks.

    Each piece is tokenised on its own. Padding is EOS for CLIP-L; for the second encoder of SDXL the
    ids after the first EOS are 0.
    """
    tok, ids, weights = tokenizer(folder), [], []
    for text, weight in pieces_of(prompt):
        new = tok(text, add_special_tokens=False)["input_ids"]
        ids += new
        weights += [weight] * len(new)
    n = max(n_chunks, -(-len(ids) // CHUNK), 1)
    comma = tok(",", add_special_tokens=False)["input_ids"][0]
    for end in range(CHUNK, len(ids), CHUNK):
        # A comma here would move the cut in A1111 (comma_padding_backtrack = 20).
        assert comma not in ids[end - 20 : end], "choose another long prompt"
    ids += [tiny_models.EOS] * (n * CHUNK - len(ids))
    weights += [1.0] * (n * CHUNK - len(weights))
    rows, weight_rows = [], []
    for i in range(0, n * CHUNK, CHUNK):
        row = [tiny_models.BOS] + ids[i : i + CHUNK] + [tiny_models.EOS]
        if tok.pad_token_id == 0:
            first = row.index(tiny_models.EOS)
            row = row[: first + 1] + [0] * (CHUNK + 1 - first)
        rows.append(row)
        weight_rows.append([1.0] + weights[i : i + CHUNK] + [1.0])
    return torch.tensor(rows), torch.tensor(weight_rows)


def hidden_state(model, ids, clip_skip, final_norm):
    """Output of the @clip_skip-th layer from the end (1 is the last), optionally with the final norm."""
    text = getattr(model, "text_model", model)
    kept = []
    layer = text.encoder.layers[len(text.encoder.layers) - clip_skip]
    hook = layer.register_forward_hook(lambda _m, _a, out: kept.append(out[0] if isinstance(out, tuple) else out))
    model(ids)
    hook.remove()
    return text.final_layer_norm(kept[0]) if final_norm else kept[0]


def emphasise(z, weights, how, z_empty=None):
    """Token weights on encoder output z (n, 77, C). "a1111" restores the mean of each chunk."""
    w = weights[..., None]
    if how == "a1111":
        return torch.stack([zi * wi * (zi.mean() / (zi * wi).mean()) for zi, wi in zip(z, w)])
    if how == "no-norm":
        return z * w
    return z_empty + (z - z_empty) * w


def encode(folder, prompt, n_chunks=1, clip_skip=None, how="a1111"):
    """Conditioning of one prompt for a model folder: context (1, 77 n, C), pooled (1, P) or None, ids."""
    is_xl = folder.startswith("sdxl")
    clip_skip = clip_skip or (2 if is_xl else 1)
    contexts, pooled, tokens = [], None, {}
    for suffix in ("", "_2") if is_xl else ("",):
        model = encoder(f"{folder}/text_encoder{suffix}")
        ids, weights = chunks(f"{folder}/tokenizer{suffix}", prompt, n_chunks)
        z = hidden_state(model, ids, clip_skip, final_norm=not is_xl)
        empty = chunks(f"{folder}/tokenizer{suffix}", "")[0]
        z = emphasise(z, weights, how, hidden_state(model, empty, clip_skip, final_norm=not is_xl))
        contexts.append(z.flatten(0, 1)[None])
        tokens["ids" + suffix], tokens["weights"] = ids.int(), weights
        if suffix:
            pooled = model(ids[:1]).text_embeds
    return torch.cat(contexts, 2), pooled, tokens


def count_chunks(folder, prompt):
    return len(chunks(f"{folder}/tokenizer", prompt)[0])
