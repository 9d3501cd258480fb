# SPDX-License-Identifier: MPL-2.0
"""Quantised tensors and what the formats' own programs read from them.

`formats/blocks.safetensors`: blocks of every GGML type (`TYPE.blocks`), random but for their f16
fields, and fp8 codes, with their values (`TYPE.values`).  Then files as users have them, with one
small layer each; what their tensors hold is in `formats/expect.safetensors` under FILE:NAME.
"""

import json

import numpy
import torch

import common

# type -> where the f16 fields of a block lie
BLOCKS = {
    "Q8_0": [0], "Q6_K": [208], "Q5_K": [0, 2], "Q5_1": [0, 2], "Q5_0": [0], "Q4_K": [0, 2], "Q4_1": [0, 2],
    "Q4_0": [0], "Q3_K": [108], "Q2_K": [80, 82],
}
HALVES = [0.0, -0.0, 2.0**-24, -(2.0**-15), 65504.0, 0.0123, -0.0567, 1.0]


def random_bytes(name, *shape):
    return torch.randint(0, 256, shape, generator=common.generator(name), dtype=torch.uint8).numpy()


def random_blocks(kind, n):
    """@n blocks of a GGML type; the first few have zero, denormal and largest scales."""
    import gguf

    _, n_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    blocks = random_bytes(f"blocks.{kind}", n, n_bytes)
    scales = common.normal(f"scales.{kind}", n, 2).numpy() / 16
    for i in range(n):
        for k, at in enumerate(BLOCKS[kind]):
            scale = HALVES[(i + 3 * k) % len(HALVES)] if i < len(HALVES) else scales[i, k]
            blocks[i, at : at + 2] = numpy.array([scale], numpy.float16).view(numpy.uint8)
    return blocks


def dequantize(blocks, kind):
    import gguf

    return torch.from_numpy(gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[kind]).astype(numpy.float32))


def encoded():
    """Numbers, ties and extremes among them, and what gguf and torch make of them."""
    import gguf

    values = common.normal("encode", 512)
    values[32:64] = 0
    values[64:96] = torch.arange(32) / 512 - 0.03  # denormal in e4m3, with ties
    values[96:128] = (torch.arange(32) + 16.5) * 16  # beyond 448, ties between codes
    values[100] = -0.0
    q8_0 = gguf.quants.quantize(values.numpy(), gguf.GGMLQuantizationType.Q8_0)
    e4m3 = values.clamp(-448, 448).to(torch.float8_e4m3fn).view(torch.uint8)
    return {"encode.values": values, "encode.q8_0": torch.from_numpy(q8_0), "encode.f8_e4m3": e4m3}


def export_blocks():
    tensors = {}
    for kind in BLOCKS:
        blocks = random_blocks(kind, 12)
        tensors[f"{kind.lower()}.blocks"] = torch.from_numpy(blocks)
        tensors[f"{kind.lower()}.values"] = dequantize(blocks, kind)
    codes = torch.arange(256, dtype=torch.uint8)
    for name, dtype in (("f8_e4m3", torch.float8_e4m3fn), ("f8_e5m2", torch.float8_e5m2)):
        tensors[f"{name}.blocks"] = codes
        tensors[f"{name}.values"] = codes.view(dtype).float()
    tensors |= encoded()
    common.save_tensors("formats/blocks.safetensors", tensors)


def add_layer(writer, expect, file, name, kind, shape):
    """A weight of random blocks; where rows are no whole blocks it is reshaped as ComfyUI-GGUF does."""
    import gguf

    size, _ = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    blocks = random_blocks(kind, int(numpy.prod(shape)) // size)
    stored = shape
    if shape[-1] % size:
        stored = (int(numpy.prod(shape)) // size, size)
        writer.add_array(f"comfy.gguf.orig_shape.{name}", [int(n) for n in shape])
    rows = blocks.reshape(*stored[:-1], -1)
    writer.add_tensor(name, rows, raw_dtype=gguf.GGMLQuantizationType[kind])
    expect[f"{file}:{name}"] = dequantize(blocks, kind).reshape(shape)


def export_gguf(expect):
    import gguf

    path = common.FIXTURES / "formats/layers.gguf"
    writer = gguf.GGUFWriter(str(path), "sdxl")
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for kind in BLOCKS:
        add_layer(writer, expect, path.name, f"layer.{kind.lower()}.weight", kind, (3, 512))
    add_layer(writer, expect, path.name, "reshaped.weight", "Q4_K", (16, 4, 4, 4))
    add_layer(writer, expect, path.name, "fused.weight", "Q5_K", (48, 80))
    values = common.normal("gguf.plain", 5, 7)
    for name, array, kind in (
        ("plain.f32", values.numpy(), None),
        ("plain.f16", values.half().numpy(), None),
        ("plain.bf16", values.bfloat16().view(torch.uint8).numpy(), gguf.GGMLQuantizationType.BF16),
    ):
        writer.add_tensor(name, array, raw_dtype=kind)
        expect[f"{path.name}:{name}"] = values.to(
            {"plain.f32": torch.float32, "plain.f16": torch.float16, "plain.bf16": torch.bfloat16}[name]
        ).float()
    write(writer)


T5_PIECES = ["<pad>", "</s>", "<unk>", "▁", "▁a", "b", "ab"]


def export_t5(expect):
    """llama.cpp's names of T5, with a tokenizer in the metadata."""
    import gguf

    path = common.FIXTURES / "formats/t5.gguf"
    writer = gguf.GGUFWriter(str(path), "t5encoder")
    writer.add_tokenizer_model("t5")
    writer.add_token_list(T5_PIECES)
    writer.add_token_scores([0.0, 0.0, 0.0, -2.5, -3.25, -4.0, -5.5])
    writer.add_token_types([3, 3, 2, 1, 1, 1, 1])
    names = {
        "token_embd.weight": ("shared.weight", (7, 32)),
        "enc.blk.0.attn_q.weight": ("encoder.block.0.layer.0.SelfAttention.q.weight", (32, 32)),
        "enc.blk.0.attn_rel_b.weight": (
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", (32, 2)),
        "enc.blk.0.attn_norm.weight": ("encoder.block.0.layer.0.layer_norm.weight", (32,)),
        "enc.blk.0.ffn_gate.weight": ("encoder.block.0.layer.1.DenseReluDense.wi_0.weight", (64, 32)),
        "enc.blk.0.ffn_up.weight": ("encoder.block.0.layer.1.DenseReluDense.wi_1.weight", (64, 32)),
        "enc.blk.0.ffn_down.weight": ("encoder.block.0.layer.1.DenseReluDense.wo.weight", (32, 64)),
        "enc.blk.0.ffn_norm.weight": ("encoder.block.0.layer.1.layer_norm.weight", (32,)),
        "enc.output_norm.weight": ("encoder.final_layer_norm.weight", (32,)),
    }
    for name, (canonical, shape) in names.items():
        values = common.normal(f"t5.{name}", *shape).numpy()
        if len(shape) > 1 and shape[-1] % 32 == 0:
            kind = gguf.GGMLQuantizationType.Q8_0
            blocks = gguf.quants.quantize(values, kind)
            writer.add_tensor(name, blocks, raw_dtype=kind)
            values = gguf.quants.dequantize(blocks, kind)
        else:
            writer.add_tensor(name, values)
        expect[f"{path.name}:{canonical}"] = torch.from_numpy(numpy.ascontiguousarray(values))
    write(writer)


def write(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def export_bitsandbytes(expect, kind, nested):
    """A linear layer as bitsandbytes saves it, and once more with its rows cut off inside a byte's blocks."""
    import bitsandbytes.functional as bnb

    path = common.FIXTURES / f"formats/bnb-{kind}{'-nested' if nested else ''}.safetensors"
    weights = common.normal(f"bnb.{kind}.{nested}", 150, 120)  # 282 scales: more than a nested block
    codes, state = bnb.quantize_4bit(weights, blocksize=64, quant_type=kind, compress_statistics=nested)
    tensors = {"layer.weight": codes, "layer.bias": common.normal("bnb.bias", 150)}
    packed = state.as_dict(packed=True)
    for name, value in packed.items():
        tensors[f"layer.weight.{name}"] = value
    common.save_tensors(path, tensors)
    values = bnb.dequantize_4bit(codes, state).float()
    expect[f"{path.name}:layer.weight"] = values.reshape(150, 120)
    expect[f"{path.name}:layer.bias"] = tensors["layer.bias"]


def export_fp8(expect):
    """ComfyUI's spellings of scaled fp8: value = code * scale, in f32."""
    path = common.FIXTURES / "formats/fp8-scaled.safetensors"
    tensors = {"scaled_fp8": torch.zeros(0, dtype=torch.float8_e4m3fn)}

    def add(layer, dtype, scale_name, scale, marker=None):
        codes = common.normal(f"fp8.{layer}", 6, 40).to(dtype)
        tensors[f"{layer}.weight"] = codes
        if scale is not None:
            tensors[f"{layer}.{scale_name}"] = scale
        if marker:
            tensors[f"{layer}.comfy_quant"] = torch.tensor(list(json.dumps(marker).encode()), dtype=torch.uint8)
        factor = 1 if scale is None else scale.float().reshape(-1, 1) if scale.numel() > 1 else scale.float()
        expect[f"{path.name}:{layer}.weight"] = codes.float() * factor

    e4m3, e5m2 = torch.float8_e4m3fn, torch.float8_e5m2
    add("comfy", e4m3, "scale_weight", torch.tensor(0.0371))
    tensors["comfy.scale_input"] = torch.tensor(1.0)
    add("one", e5m2, "scale_weight", torch.tensor([0.173]))
    add("row", e4m3, "weight_scale", common.normal("fp8.scales", 6, 1).abs() + 0.01)
    add("half", e4m3, "weight_scale", torch.tensor(0.0625, dtype=torch.bfloat16))
    add("marked", e4m3, "weight_scale", torch.tensor(0.21), {"format": "float8_e4m3fn"})
    tensors["marked.input_scale"] = torch.tensor(0.5)
    add("plain", e4m3, None, None)
    common.save_tensors(path, tensors)


def export():
    (common.FIXTURES / "formats").mkdir(parents=True, exist_ok=True)
    export_blocks()
    expect = {}
    export_gguf(expect)
    export_t5(expect)
    for kind, nested in (("nf4", False), ("nf4", True), ("fp4", False)):
        export_bitsandbytes(expect, kind, nested)
    export_fp8(expect)
    common.save_tensors("formats/expect.safetensors", expect)
