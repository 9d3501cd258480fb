/* SPDX-License-Identifier: MPL-2.0
 * sparse.h - files of published models in their real size, without values: names, shapes, and holes
 * that take no room on the disk.
 */
#pragma once

#include "weights/weights.h"

/* What the file calls a weight, and its shape there ("5120,16,1,2,2"); the caller's to g_free. */
typedef char *(*SparseName) (const char *canonical);
typedef char *(*SparseShape) (const Weight *w, const void *config);

/* sparse_safetensors:
 * @set: declared; tensors become F16
 * @part, @n_parts: which share of the tensors, as shards have them; 0 of 1: all
 */
void sparse_safetensors (const char *path,
                         const WeightSet *set,
                         SparseName name,
                         SparseShape shape,
                         const void *config,
                         int part,
                         int n_parts);

/* FOLDER/NAME-0000i-of-0000n.safetensors and the index that names them. */
void sparse_shards (const char *folder,
                    const char *name,
                    const WeightSet *set,
                    SparseName name_of,
                    SparseShape shape,
                    const void *config,
                    int n_parts);

/* A dictionary of half tensors, as torch.save writes it. */
void sparse_pickle (
    const char *path, const WeightSet *set, SparseName name, SparseShape shape, const void *config);

/* The shape that the weight has here. */
char *sparse_own_shape (const Weight *w, const void *config);
