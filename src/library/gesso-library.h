/* SPDX-License-Identifier: MPL-2.0
 * gesso-library.h - the index of the user's models and pictures, in library.db.
 *
 * Folders are scanned on a thread, headers read, files never copied or changed; folders are
 * watched, hashes made in idle time.  Property "scanning" (boolean), "n-models", "n-pictures"
 * (int). Signals "changed": models or pictures came, went or changed (at most a few times a
 * second); "starred" (GessoPicture).
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef enum
{
  GESSO_FILE_CHECKPOINT,
  GESSO_FILE_LORA,
  GESSO_FILE_EMBEDDING,
  GESSO_FILE_VAE,
  GESSO_FILE_TINY_VAE, /* TAESD: for previews */
  GESSO_FILE_CONTROLNET,
  GESSO_FILE_TEXT_ENCODER,
  GESSO_FILE_IMAGE_ENCODER, /* CLIP's vision */
  GESSO_FILE_UPSCALER,
  GESSO_FILE_PICTURE,
  GESSO_FILE_UNKNOWN
} GessoFileKind;
GType gesso_file_kind_get_type (void);
#define GESSO_TYPE_FILE_KIND (gesso_file_kind_get_type ())

/* A model file, LoRA, embedding...: immutable once made.  Properties: id (int64), kind, path, name
 * (without suffix), family ("SD 1.5", "SDXL", ..., "" when not known), format ("safetensors, f16"),
 * size (int64 bytes), modified (int64), hash (SHA-256 in hex or ""), problem (string: why it cannot
 * be used, or ""), thumbnail (path of a picture beside it, or "") */
#define GESSO_TYPE_MODEL_FILE (gesso_model_file_get_type ())
G_DECLARE_FINAL_TYPE (GessoModelFile, gesso_model_file, GESSO, MODEL_FILE, GObject)
gint64 gesso_model_file_get_id (GessoModelFile *self);
GessoFileKind gesso_model_file_get_kind (GessoModelFile *self);
const char *gesso_model_file_get_path (GessoModelFile *self);
const char *gesso_model_file_get_name (GessoModelFile *self);
const char *gesso_model_file_get_family (GessoModelFile *self);
const char *gesso_model_file_get_format (GessoModelFile *self);
/* What a LoRA was trained on, as gesso_trigger_words_read() says it; "" when not known. */
const char *gesso_model_file_get_words (GessoModelFile *self);
const char *gesso_model_file_get_problem (GessoModelFile *self);
const char *gesso_model_file_get_hash (GessoModelFile *self);
gint64 gesso_model_file_get_size (GessoModelFile *self);
/* The folders between that of its kind ("loras", "checkpoints", ...) and the file: "styles/ink"; ""
 * where there are none or no such folder.  The caller frees it. */
char *gesso_model_file_dup_place (GessoModelFile *self);
/* Name, family, place and words, case-folded.  Main thread. */
const char *gesso_model_file_peek_search_text (GessoModelFile *self);

/* A picture.  Properties: id, path, width, height, created (int64, Unix seconds), starred (boolean,
 * may change and notifies), prompt, model (strings) */
#define GESSO_TYPE_PICTURE (gesso_picture_get_type ())
G_DECLARE_FINAL_TYPE (GessoPicture, gesso_picture, GESSO, PICTURE, GObject)
gint64 gesso_picture_get_id (GessoPicture *self);
const char *gesso_picture_get_path (GessoPicture *self);
int gesso_picture_get_width (GessoPicture *self);
int gesso_picture_get_height (GessoPicture *self);
/* ms; 0 for what does not move */
int gesso_picture_get_duration (GessoPicture *self);
gint64 gesso_picture_get_created (GessoPicture *self);
gboolean gesso_picture_get_starred (GessoPicture *self);
const char *gesso_picture_get_prompt (GessoPicture *self);

#define GESSO_TYPE_LIBRARY (gesso_library_get_type ())
G_DECLARE_FINAL_TYPE (GessoLibrary, gesso_library, GESSO, LIBRARY, GObject)

/* @path: of library.db, NULL for $XDG_DATA_HOME/gesso/library.db; @cache_dir: thumbnails, NULL for
 * $XDG_CACHE_HOME/gesso; @bundled_dir: models that ship, always listed */
GessoLibrary *gesso_library_new (const char *path,
                                 const char *cache_dir,
                                 const char *bundled_dir,
                                 GError **error);
void gesso_library_close (GessoLibrary *self); /* waits for its threads */

/* Folders the user named.  Adding recognises a ComfyUI, Forge/A1111 or SwarmUI installation (and
 * its extra_model_paths.yaml) and takes its model folders; any other folder is taken as it is.  A
 * folder is one of models or one of pictures.  Returns: NULL, or a sentence for the user that says
 * why it cannot be both; then nothing has changed */
const char *gesso_library_add_folder (GessoLibrary *self, const char *path);
/* Stars of pictures are kept for the day when their folder is named again. */
void gesso_library_remove_folder (GessoLibrary *self, const char *path);
char **gesso_library_dup_folders (GessoLibrary *self); /* without those for pictures */
/* The disk of @folder, one that was named, has not answered for seconds; what is known of its files
 * stays.  "changed" tells when that changes. */
gboolean gesso_library_is_silent (GessoLibrary *self, const char *folder);
/* Where pictures are made, by Gesso or another program: watched; PNG, JPEG and WebP files are
 * indexed as they come, and never written.  Kept like the others.  Returns: as add_folder */
const char *gesso_library_add_pictures_folder (GessoLibrary *self, const char *path);
/* As the user names it: an installation stands for the folders that it writes to, which are looked
 * for on a thread.  Returns (finish): as add_folder; NULL, too, when the library was closed */
void gesso_library_add_pictures_async (GessoLibrary *self,
                                       const char *path,
                                       GAsyncReadyCallback callback,
                                       gpointer user_data);
const char *gesso_library_add_pictures_finish (GessoLibrary *self, GAsyncResult *result);
/* The one that Gesso writes to.  It stays one of its own when Gesso writes elsewhere. */
const char *gesso_library_add_own_folder (GessoLibrary *self, const char *path);
char **gesso_library_dup_picture_folders (GessoLibrary *self);
/* Whether @path lies in a folder of other programs' pictures: of the named folders around it the
 * innermost decides.  "", of a picture that is not loaded: whether there are such folders at all */
gboolean gesso_library_is_of_others (GessoLibrary *self, const char *path);
/* gesso_library_find_others_async:
 *
 * Looks for other programs in the usual places (~/ComfyUI and the like); on a thread, as a disk may
 * not answer.
 *
 * Returns (finish): installations whose models could be used, NULL once cancelled; @outputs, unless
 * it is NULL: where they, and those that models are taken from, put their pictures.  Both without
 * what is named already; (transfer full)
 */
void gesso_library_find_others_async (GessoLibrary *self,
                                      GCancellable *cancellable,
                                      GAsyncReadyCallback callback,
                                      gpointer user_data);
char **gesso_library_find_others_finish (GessoLibrary *self, GAsyncResult *result, char ***outputs);
void gesso_library_rescan (GessoLibrary *self);
/* It scans, or its lists do not have yet what was found: they will when "changed" comes. */
gboolean gesso_library_is_behind (GessoLibrary *self);

/* Models of a kind as a live GListModel of GessoModelFile, sorted by name. */
GListModel *gesso_library_get_models (GessoLibrary *self, GessoFileKind kind);
/* By name, path or hash, as a recipe of another program says it; from memory.  NULL when there is
 * none. */
GessoModelFile *gesso_library_find_model (GessoLibrary *self,
                                          GessoFileKind kind,
                                          const char *name,
                                          const char *hash);
/* What lists call @file: its name, with folders in front ("Lightning/high_noise_model") where other
 * models of its kind share it.  Returns: (transfer full) */
char *gesso_library_dup_title (GessoLibrary *self, GessoModelFile *file);

/* A live list of GessoPicture, newest first, loaded in pages as rows are looked at.  Search: words
 * (prefixes) in prompt, negative prompt, model, file name; FTS5. */
#define GESSO_TYPE_PICTURE_LIST (gesso_picture_list_get_type ())
G_DECLARE_FINAL_TYPE (GessoPictureList, gesso_picture_list, GESSO, PICTURE_LIST, GObject)
GessoPictureList *gesso_picture_list_new (GessoLibrary *library);
void gesso_picture_list_set_search (GessoPictureList *self, const char *text);
void gesso_picture_list_set_starred_only (GessoPictureList *self, gboolean starred_only);
/* Properties "search", "starred-only", "loading" */

/* A picture that was just written; it is in the lists when the call is done. */
void gesso_library_add_picture_async (GessoLibrary *self,
                                      const char *path,
                                      GCancellable *cancellable,
                                      GAsyncReadyCallback callback,
                                      gpointer user_data);
GessoPicture *
gesso_library_add_picture_finish (GessoLibrary *self, GAsyncResult *result, GError **error);
void gesso_library_set_starred (GessoLibrary *self, GessoPicture *picture, gboolean starred);
/* Moves the files to the desktop's trash, one by one; undo brings the last ones back, also after a
 * restart. Where the desktop has no trash (memory file systems, containers, some network disks)
 * they go to the folder "trash" beside library.db, laid out like the desktop's.  Nothing is ever
 * deleted.  A file that cannot be moved stays and does not stop the others; _finish then returns
 * the first error. */
void gesso_library_trash_async (GessoLibrary *self,
                                GListModel *pictures,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data);
gboolean gesso_library_trash_finish (GessoLibrary *self, GAsyncResult *result, GError **error);
void gesso_library_untrash_async (GessoLibrary *self,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);
gboolean gesso_library_untrash_finish (GessoLibrary *self, GAsyncResult *result, GError **error);

/* gesso_library_thumbnail_async:
 * @size: longest side in pixels, 96 to 512
 *
 * Result: RGB pixels, cached as small JPEG files; made on one of two threads, newest request first,
 * requests that are cancelled before their turn cost nothing.
 */
void gesso_library_thumbnail_async (GessoLibrary *self,
                                    const char *path,
                                    int size,
                                    GCancellable *cancellable,
                                    GAsyncReadyCallback callback,
                                    gpointer user_data);
/* Returns: (height, width, 3) sRGB */
GBytes *gesso_library_thumbnail_finish (
    GessoLibrary *self, GAsyncResult *result, int *width, int *height, GError **error);

/* gesso_library_read_recipe_async: the recipe inside any picture (Gesso, A1111, ComfyUI, InvokeAI,
 * ...). _finish returns JSON of recipe.h; @source: who wrote it, for the user; @notes: sentences on
 * what could not be taken over, and models that are not in this library by name.
 * Fails: G_IO_ERROR_NOT_FOUND when the picture is there and says nothing */
void gesso_library_read_recipe_async (GessoLibrary *self,
                                      const char *path,
                                      GCancellable *cancellable,
                                      GAsyncReadyCallback callback,
                                      gpointer user_data);
/* Text as programs and sites hand it out for pasting: A1111's parameters, ComfyUI's API format. */
gboolean gesso_library_text_has_settings (const char *text);
/* The same from such a text; it ends with gesso_library_read_recipe_finish, too. */
void gesso_library_read_text_async (GessoLibrary *self,
                                    const char *text,
                                    GCancellable *cancellable,
                                    GAsyncReadyCallback callback,
                                    gpointer user_data);
char *gesso_library_read_recipe_finish (
    GessoLibrary *self, GAsyncResult *result, char **source, char ***notes, GError **error);

G_END_DECLS
