/* SPDX-License-Identifier: MPL-2.0
 * gesso-walk.h - what lies in a folder: model files, model folders, pictures.
 */
#pragma once

#include "library/gesso-index.h"

G_BEGIN_DECLS

/* A file worth knowing.  Borrowed for the call. */
typedef struct
{
  const char *path; /* in the file system's encoding */
  GessoIdentity identity;
  gboolean is_picture;
  GessoFileKind hint;
  const char *thumbnail; /* picture beside a model, "" */
} GessoFound;

typedef struct
{
  /* what to look for */
  gboolean pictures;
  GessoFileKind hint;
  gboolean recursive; /* else sub-folders are entered only when @is_new says so */
  gboolean (*is_new) (const char *folder, gpointer data);
  void (*found) (const GessoFound *found, gpointer data);
  gpointer data;
  GCancellable *cancellable;
  int *n_steps; /* atomic: goes up with each name, so that others see that the disk answers */
  /* what the walk says, made by the caller */
  GHashTable *folders;     /* set of folders that were read */
  GHashTable *sub_folders; /* set of sub-folders seen, entered or not */
  GHashTable *unreadable;  /* set of folders that exist but cannot be read */
  GHashTable *visited;     /* set of device and inode: links may lead back up */
} GessoWalk;

void gesso_walk_init (GessoWalk *walk);
void gesso_walk_clear (GessoWalk *walk);

/* gesso_walk_folder:
 *
 * Follows links, each folder once.  Hidden files and folders are left out.  A folder with
 * model_index.json is one model and not entered.
 *
 * Returns: FALSE when @path itself cannot be read, or the walk was cancelled
 */
gboolean gesso_walk_folder (GessoWalk *walk, const char *path);

/* Identity of a file, or of a model folder: all its files together.  FALSE when it is gone. */
gboolean gesso_walk_identify (const char *path, GessoIdentity *identity);
/* TRUE for names that a folder of pictures lists. */
gboolean gesso_walk_is_picture (const char *name);
/* What a model is called: its name without suffix, valid UTF-8; the folder's for names that all
 * models share ("diffusion_pytorch_model"). */
char *gesso_walk_dup_model_name (const char *path);

G_END_DECLS
