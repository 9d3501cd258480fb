/* SPDX-License-Identifier: MPL-2.0
 * gesso-adapter-list.h - the LoRAs of the recipe: which, how strong, on or off.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-form.h"
#include "library/gesso-library.h"

G_BEGIN_DECLS

#define GESSO_TYPE_ADAPTER_LIST (gesso_adapter_list_get_type ())
G_DECLARE_FINAL_TYPE (GessoAdapterList, gesso_adapter_list, GESSO, ADAPTER_LIST, AdwBin)

/* Shows and sets the list under the key "adapters" of @form.  What tags of the prompt bring
 * (<lora:name:1>) stays in the prompt.  Signal: "message" (string for a toast). */
GtkWidget *gesso_adapter_list_new (GessoForm *form, GessoLibrary *library);
/* Adds the file at @path with full weight, unless it is in the list. */
void gesso_adapter_list_add (GessoAdapterList *self, const char *path);
/* The same where there is only the form.  Fails: G_IO_ERROR_FAILED without memory */
gboolean gesso_adapters_add (GessoForm *form, const char *path, GError **error);

G_END_DECLS
