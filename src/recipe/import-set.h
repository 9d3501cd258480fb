/* SPDX-License-Identifier: MPL-2.0
 * import-set.h - filling a recipe from values that strangers wrote: what does not fit becomes a
 * note.
 */
#pragma once

#include <json-c/json.h>

#include "recipe/recipe.h"

/* What every reader of foreign metadata works on; all borrowed. */
typedef struct
{
  Recipe *recipe;
  Notes *notes;
  Status *status;
  bool adapters_full; /* and noted */
} Import;

/* Sets @key; a value that does not fit adds a note.  Returns: false only when memory ran out. */
bool import_set (Import *im, const char *key, const char *text);
/* The same with a JSON text or number; NULL and null set nothing. */
bool import_set_json (Import *im, const char *key, struct json_object *value);
bool import_set_choice (Import *im, const char *key, int choice);

enum
{
  IMPORT_NAME_SIZE = 1024 /* a model's longer name is left out */
};

/* import_stem:
 * @name: of a model's file, perhaps with folders of another system
 *
 * Returns: @name with slashes and without extension, the caller's to mem_free; NULL and the status
 * set
 */
char *import_stem (Import *im, const char *name);

/* Notes "<what> is left out". */
bool import_left_out (Import *im, const char *what);
/* Notes that @name had the weight @said, which a recipe cannot hold, and has @used. */
bool import_note_weight (Import *im, const char *name, const char *said, double used);
/* Notes the choice @name of parameter @key, which Gesso does not have; the recipe keeps its own. */
bool import_unknown_name (Import *im, const char *key, const char *name);
/* Adds the LoRA @name, which may be a path or a file's name; @weight and @text_weight as text, NULL
 * for 1 and for @weight.  Once the list is full, one note says that it is. */
bool import_adapter (Import *im, const char *name, const char *weight, const char *text_weight);
/* Adds what is known of an adapter that a tag of the prompt names. */
bool import_adapter_hash (Import *im, const char *name, const char *autov3);
/* The same of an embedding; @hash: the first digits of its file's SHA-256 */
bool import_embedding_hash (Import *im, const char *name, const char *hash);
/* Notes each hypernetwork that the prompts name. */
bool import_note_extra_networks (Import *im);
/* Notes that the picture was made from another one, which is not in it. */
bool import_note_initial_image (Import *im);

/* Sets recipe keys from members: @fields are {member, recipe key}.  Absent ones set nothing. */
bool import_set_fields (Import *im,
                        struct json_object *from,
                        const char *const fields[][2],
                        size_t n_fields);
/* True for null, false and an empty array. */
bool import_is_nothing (struct json_object *value);
/* Notes every member that says something and is not in the NULL-terminated list @read. */
bool import_note_rest (Import *im, struct json_object *object, const char *const *read);
