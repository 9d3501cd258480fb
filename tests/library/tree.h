/* SPDX-License-Identifier: MPL-2.0
 * tree.h - folders full of small model files and pictures, for the library's tests.
 */
#pragma once

#include <gio/gio.h>

#include "library/gesso-library.h"

/* A new temporary folder; free with tree_remove. */
char *tree_new (void);
void tree_remove (char *path);

/* @name with its folders, below @dir. */
char *tree_write (const char *dir, const char *name, const char *text);
char *tree_mkdir (const char *dir, const char *name);

/* tree_safetensors:
 * @tensors: "NAME:TYPE:SHAPE" each, NULL-terminated: "emb_params:F32:4,768"
 *
 * The tensors' bytes are a hole in the file.
 */
char *tree_safetensors (const char *dir, const char *name, const char *const *tensors);
char *tree_safetensors_with_metadata (const char *dir,
                                      const char *name,
                                      const char *metadata,
                                      const char *const *tensors);
/* A LoRA for text embeddings of @width, an embedding; SD 1.5's VAE and text encoder. */
char *tree_lora (const char *dir, const char *name, int width);
char *tree_embedding (const char *dir, const char *name);
char *tree_vae (const char *dir, const char *name);
char *tree_clip_l (const char *dir, const char *name);
/* A whole SD 1.5 checkpoint in LDM layout, 4 GB of hole. */
char *tree_checkpoint (const char *dir, const char *name);
/* Drops the last @n_bytes. */
void tree_cut (const char *path, gint64 n_bytes);

/* @parameters: A1111's text, or NULL; @seed decides on the colour */
char *tree_picture (
    const char *dir, const char *name, int width, int height, int seed, const char *parameters);

/* A clip of one frame, and what a film by this program says of itself, with a recipe. */
char *tree_clip (const char *dir, const char *name, const char *recipe);
char *tree_film (const char *dir, const char *name, const char *recipe);

/* Iterates the main loop until @done; fails the test when that takes minutes. */
typedef gboolean (*TreeDone) (gpointer data);
void tree_wait (TreeDone done, gpointer data);
/* Until scans, watches and lists have come to rest. */
void tree_settle (GessoLibrary *library);
GessoModelFile *tree_find (GessoLibrary *library, GessoFileKind kind, const char *name);
