/* SPDX-License-Identifier: MPL-2.0
 * published.h - files of FLUX.1 and Wan as they are published: all names and shapes, no values.
 *
 * Source: Black Forest Labs' flux1-dev, flux1-schnell and flux2-dev, Wan-AI's Wan2.1 and Wan2.2,
 * and Comfy-Org's and city96's forms of them.  The tensors' bytes are a hole in the file.
 */
#pragma once

#include <glib.h>

typedef enum
{
  PUBLISHED_SAFETENSORS,
  PUBLISHED_GGUF
} PublishedContainer;

/* A model's tensors, in a file's order. */
typedef struct PublishedModel PublishedModel;

PublishedModel *published_new (void);
void published_free (PublishedModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PublishedModel, published_free)

/* @prefix: of all names, "" or "model.diffusion_model." */
void published_add_flux (PublishedModel *m, const char *prefix, gboolean has_guidance);
void published_add_flux_diffusers (PublishedModel *m, const char *prefix, gboolean has_guidance);
void published_add_flux2 (PublishedModel *m, const char *prefix);
/* CLIP-L, T5 v1.1 XXL and the VAE under the names of ComfyUI's all-in-one files. */
void published_add_flux_parts (PublishedModel *m);

typedef struct
{
  int dim, mlp_dim, n_layers, in_channels, out_channels;
  gboolean has_image; /* 2.1's image-to-video models look at CLIP-H */
} PublishedWan;

void published_add_wan (PublishedModel *m, const char *prefix, const PublishedWan *wan);
void published_add_wan21_vae (PublishedModel *m);
void published_add_wan22_vae (PublishedModel *m);

/* Returns: DIR/NAME, to g_free */
char *published_write (const PublishedModel *m,
                       const char *dir,
                       const char *name,
                       PublishedContainer container);
