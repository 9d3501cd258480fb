/* SPDX-License-Identifier: MPL-2.0
 * gesso-layouts.h - where other programs keep their models.
 */
#pragma once

#include "library/gesso-library.h"

G_BEGIN_DECLS

/* A folder to scan with all its sub-folders. */
typedef struct
{
  char *path;
  GessoFileKind hint; /* what its files are when they do not tell; UNKNOWN: anything */
} GessoScanFolder;

GessoScanFolder *gesso_scan_folder_new (const char *path, GessoFileKind hint);
void gesso_scan_folder_free (GessoScanFolder *folder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoScanFolder, gesso_scan_folder_free)

/* gesso_layouts_resolve:
 * @path: what the user named
 *
 * ComfyUI, Forge, A1111 and SwarmUI are known by their folders; their extra_model_paths.yaml is
 * followed.  Any other folder stands for itself.  Blocking; any thread.
 *
 * Returns: (element-type GessoScanFolder) folders that exist, each once; @path itself when it does
 * not exist (now)
 */
GPtrArray *gesso_layouts_resolve (const char *path);

/* Adds what extra_model_paths.yaml at @path names; a damaged file adds what stands before the
 * damage, and is said in the log. */
void gesso_layouts_add_yaml (GPtrArray *folders, const char *path);

/* For both: the folder @dir/@relative when it exists and is not there already. */
void
gesso_layouts_add (GPtrArray *folders, const char *dir, const char *relative, GessoFileKind hint);
/* The kind of ComfyUI's folder name ("loras"); FALSE for folders without models of ours. */
gboolean gesso_layouts_kind_of (const char *name, GessoFileKind *kind);
/* Whether any program keeps a kind of its files in folders of this name. */
gboolean gesso_layouts_is_folder_name (const char *name);

G_END_DECLS
