/* SPDX-License-Identifier: MPL-2.0
 * gesso-store-private.h - what the gesso-*-store.c files share.
 */
#pragma once

#include "session/gesso-queue-store.h"

G_BEGIN_DECLS

#define STORE_LIVE "state IN ('waiting', 'running', 'parked')"

/* A place for @n jobs in a row between two numbers. */
typedef struct
{
  int n;
  double lower, step;
} StoreGap;

/* @positions: NULL, or receives what was numbered anew */
gboolean gesso_store_find_gap (sqlite3 *db,
                               GessoQueuePlace place,
                               gint64 running,
                               StoreGap *gap,
                               GArray *positions,
                               GError **error);
double gesso_store_gap_position (const StoreGap *gap, int i);
GessoJobRow *gesso_store_get (sqlite3 *db, gint64 id, GError **error);

G_END_DECLS
