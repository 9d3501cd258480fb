/* SPDX-License-Identifier: MPL-2.0
 * gesso-scanner.h - the thread that brings the index up to date with the disk.
 *
 * A folder whose disk does not answer holds up no other: the thread that waits for it is left to
 * wait, and another goes on.  When the disk answers, the first ends what it began.
 *
 * Signals, in the main context of its making: "written" (rows changed), "scanned" (a scan is
 * done; gesso_scanner_steal_folders says what it read), "silence" (a folder's disk does not answer,
 * or answers again).
 */
#pragma once

#include "library/gesso-database.h"
#include "library/gesso-index.h"

G_BEGIN_DECLS

#define GESSO_TYPE_SCANNER (gesso_scanner_get_type ())
G_DECLARE_FINAL_TYPE (GessoScanner, gesso_scanner, GESSO, SCANNER, GObject)

/* @bundled_dir: models that ship, or NULL */
GessoScanner *gesso_scanner_new (GessoDatabase *database, const char *bundled_dir);
/* Waits for the threads; a scan in progress is broken off and leaves what it has written. */
void gesso_scanner_stop (GessoScanner *self);

/* Every folder the user named, with all below. */
void gesso_scanner_scan_all (GessoScanner *self);
/* These folders of the last whole scan, without the sub-folders that were known then. */
void gesso_scanner_scan_folders (GessoScanner *self, const char *const *folders);
/* How long a thread may stand still before its disk is taken for one that does not answer: 3 s. */
void gesso_scanner_set_patience (GessoScanner *self, int patience_ms);
/* A thread waits for the disk of @folder, which the user named. */
gboolean gesso_scanner_is_silent (GessoScanner *self, const char *folder);
/* Something is to be done, or being done; but for what waits for a disk. */
gboolean gesso_scanner_is_busy (GessoScanner *self);

/* @all: these are all folders, those of older calls count no more.
 * Returns: (transfer full) folders that the last scans read, NULL when there is no news */
GHashTable *gesso_scanner_steal_folders (GessoScanner *self, gboolean *all);
/* Returns: (transfer full) (element-type gint64) pictures whose rows were written, or NULL */
GArray *gesso_scanner_steal_pictures (GessoScanner *self);

G_END_DECLS
