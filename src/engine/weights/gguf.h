/* SPDX-License-Identifier: MPL-2.0
 * gguf.h - tensors and metadata of a GGUF file.
 *
 * Shapes come out in PyTorch's order, and as they were before ComfyUI-GGUF's converter reshaped
 * them.  llama.cpp's names of a T5 encoder are turned into Hugging Face's.
 */
#pragma once

#include "weights/tensor-table.h"

/* gguf_t5_name:
 * @hf: a Hugging Face name of a T5 encoder's tensor
 *
 * llama.cpp's name of it.  Returns: false when there is none, or @size is too small
 */
bool gguf_t5_name (const char *hf, char *out, size_t size);

bool gguf_sniff (const void *data, size_t size);

/* gguf_parse:
 * @data: the whole file; tensors and arrays of @table point into it
 * @label: the file's name, for messages
 *
 * Single values of the metadata become texts ("general.architecture" is "flux"), arrays go to
 * table->arrays.  Types without a decoder are kept by name only.
 *
 * Fails: FORMAT (damaged), UNSUPPORTED (a version or type that nobody here knows), NO_MEMORY
 */
bool
gguf_parse (TensorTable *table, const void *data, size_t size, const char *label, Status *status);
