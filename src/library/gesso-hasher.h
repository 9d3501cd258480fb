/* SPDX-License-Identifier: MPL-2.0
 * gesso-hasher.h - SHA-256 of model files, one at a time, when nothing else is to be done.
 *
 * Signal "hashed", in the main context of its making: a hash was written to the database.
 */
#pragma once

#include "library/gesso-database.h"

G_BEGIN_DECLS

#define GESSO_TYPE_HASHER (gesso_hasher_get_type ())
G_DECLARE_FINAL_TYPE (GessoHasher, gesso_hasher, GESSO, HASHER, GObject)

GessoHasher *gesso_hasher_new (GessoDatabase *database);
/* Breaks off the file in hand and waits for the thread. */
void gesso_hasher_stop (GessoHasher *self);
/* Models may have come: look for one without a hash. */
void gesso_hasher_wake (GessoHasher *self);
/* While @paused nothing is begun, and the file in hand waits. */
void gesso_hasher_set_paused (GessoHasher *self, gboolean paused);

G_END_DECLS
