/* SPDX-License-Identifier: MPL-2.0
 * gesso-scan.h - one folder against the index; for gesso-scanner.c, on its thread.
 */
#pragma once

#include "library/gesso-database.h"
#include "library/gesso-index.h"
#include "library/gesso-walk.h"

G_BEGIN_DECLS

typedef struct
{
  /* filled in by the caller */
  GessoDatabase *database;
  /* Whether a folder was read before; others are walked in any case. */
  gboolean (*is_known) (const char *folder, gpointer data);
  /* A batch of rows was written; @entries: those that were put, NULL when the disk refused. */
  void (*written) (const GPtrArray *entries, gpointer data);
  gpointer data;
  /* private */
  GHashTable *known;  /* path -> GessoKnown, below the folder */
  GPtrArray *entries; /* to put */
  GArray *removed;
  GArray *hidden; /* ids */
  GArray *shown;
  gint64 last_write_us;
} GessoScan;

/* gesso_scan_begin:
 * @folder: what the index knows below it is loaded; NULL for all
 *
 * Returns: FALSE, with a message in the log, when the index cannot be read; then there is no end
 */
gboolean gesso_scan_begin (GessoScan *scan, const char *folder);
/* Writes what is left. */
void gesso_scan_end (GessoScan *scan);

/* gesso_scan_folder:
 * @walk: begun, with what to look for; says afterwards which folders it read
 *
 * Notes what is new in @folder and forgets what is gone.
 */
void gesso_scan_folder (GessoScan *scan, GessoWalk *walk, const char *folder);

/* Forgets what lies below none of @roots: the user took it out of the library.  A picture that was
 * added by itself stays as long as its file, a hidden one in any case. */
void gesso_scan_forget_outside (GessoScan *scan, GPtrArray *roots);

/* gesso_scan_read_file:
 * @thumbnail: of a model, "" for none
 *
 * Reads one file's header; any thread.  Returns: an entry to put
 */
GessoEntry *gesso_scan_read_file (const char *path,
                                  const GessoIdentity *identity,
                                  gboolean is_picture,
                                  GessoFileKind hint,
                                  const char *thumbnail);

gboolean gesso_scan_is_below (const char *path, const char *folder);
/* Which sub-folder of @folder @path lies in, NULL when it lies in @folder itself. */
char *gesso_scan_dup_sub_folder (const char *path, const char *folder);

G_END_DECLS
