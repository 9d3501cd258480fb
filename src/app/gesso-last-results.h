/* SPDX-License-Identifier: MPL-2.0
 * gesso-last-results.h - the filmstrip as it was when the program ended, also by a crash.
 */
#pragma once

#include "app/gesso-results.h"
#include "session/gesso-session.h"

G_BEGIN_DECLS

#define GESSO_TYPE_LAST_RESULTS (gesso_last_results_get_type ())
G_DECLARE_FINAL_TYPE (GessoLastResults, gesso_last_results, GESSO, LAST_RESULTS, GObject)

/* Puts the newest results of the last time into @filmstrip, as soon as a thread has found out which
 * of their files are there still, behind what has come meanwhile; and keeps what is in it from then
 * on.  Nothing is selected. */
GessoLastResults *gesso_last_results_new (GessoSession *session,
                                          GessoFilmstrip *filmstrip,
                                          GessoResults *results);

G_END_DECLS
