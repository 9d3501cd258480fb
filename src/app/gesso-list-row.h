/* SPDX-License-Identifier: MPL-2.0
 * gesso-list-row.h - what rows of the recipe's lists have in common: LoRAs, ControlNets.
 *
 * A list keeps its items in the form's JSON and makes a row of widgets for each; what an item is,
 * and how it is read and written, is the list's own.
 */
#pragma once

#include <adwaita.h>

#include "library/gesso-library.h"

G_BEGIN_DECLS

#define GESSO_LIST_ROW_STEP 0.05 /* of weights */
#define GESSO_LIST_ROW_GAP 6     /* pixels between what stands side by side */

/* Where a row stands; what its callbacks get. */
typedef struct
{
  GtkWidget *list; /* which owns the row */
  gsize index;     /* of its item */
  gpointer row;    /* what else the list's callbacks need, as long-lived as the row; may be NULL */
} GessoListPlace;

/* @callback: gets a copy of @place as its user data, as long as @object lives */
void gesso_list_row_connect (GessoListPlace place,
                             gpointer object,
                             const char *signal,
                             GCallback callback);

/* gesso_list_row_new_button:
 * @name: of what it does, as it is read out and shown
 * @clicked: gets a copy of @place once the signal is over, when rows may be made anew; .row is
 *   NULL then
 */
GtkWidget *gesso_list_row_new_button (GessoListPlace place,
                                      const char *icon,
                                      const char *name,
                                      GSourceFunc clicked);

typedef struct
{
  const char *name, *path; /* of the item; no path: no tooltip */
  gboolean is_on, can_be_on;
  GCallback on_cb;    /* "notify::active" of the switch */
  GSourceFunc remove; /* as of gesso_list_row_new_button */
} GessoListHead;

/* Switch, name, the button that removes; in this order. */
GtkWidget *gesso_list_row_new_head (GessoListPlace place, const GessoListHead *head);
GtkWidget *gesso_list_row_new_caption (const char *text);
/* @spoken: what is read out */
GtkWidget *gesso_list_row_new_spin (GtkAdjustment *adjustment, const char *spoken);

/* gesso_list_row_new_weight:
 * @least, @largest: of the scale; a value beyond them makes it longer
 * @adjustment: receives what both show, borrowed
 *
 * Returns: a number with a caption and a slider before it
 */
GtkWidget *gesso_list_row_new_weight (const char *caption,
                                      double value,
                                      double least,
                                      double largest,
                                      const char *spoken,
                                      GtkAdjustment **adjustment);

/* A line that says what is wrong; hidden while that is "" or NULL. */
GtkWidget *gesso_list_row_new_warning (const char *text);
void gesso_list_row_warn (GtkWidget *warning, const char *text);
/* Says, once it is known, when there is no file at @path any more; NULL: says nothing. */
void gesso_list_row_warn_of_missing (GtkWidget *warning, const char *path);

/* gesso_list_row_new_group:
 * @hint: of an empty list
 * @rows, @label: receive the box for rows and the label with the hint, borrowed
 */
GtkWidget *gesso_list_row_new_group (
    const char *title, GtkWidget *picker, const char *hint, GtkWidget **rows, GtkWidget **label);

/* Returns: what the library calls the file at @path; NULL when it has none there */
char *gesso_list_row_dup_title (GessoLibrary *library, GessoFileKind kind, const char *path);

G_END_DECLS
