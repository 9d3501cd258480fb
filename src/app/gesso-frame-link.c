/* SPDX-License-Identifier: MPL-2.0
 * gesso-frame-link.c - keeps the form's size and the canvas's generation frame in step.
 *
 * On an empty canvas the frame is the picture to be made, pixel for pixel.  Over a picture the
 * frame is a part of it, of any size, and the job's size is that frame's shape at an area the model
 * can draw.
 */
#include "app/gesso-frame-link.h"

#include <math.h>

#include "app/gesso-generate.h"
#include "app/gesso-shape.h"

/* A frame between these shares of the model's own side is drawn at its own size. */
#define LEAST_SHARE 0.5
#define LARGEST_SHARE 1.5

struct _GessoFrameLink
{
  GObject parent_instance;
  GessoForm *form;
  GessoDocument *document;
  int native;
  gboolean busy; /* a change that we make ourselves is no news */
  gboolean had_pixels;
};

G_DEFINE_FINAL_TYPE (GessoFrameLink, gesso_frame_link, G_TYPE_OBJECT)

static void
set_number (GessoForm *form, const char *key, int value)
{
  g_autofree char *text = g_strdup_printf ("%d", value);
  gesso_form_set_text (form, key, text, NULL);
}

/* Over a picture the frame keeps its area and takes the new shape. */
static void
size_changed_cb (GessoFrameLink *self)
{
  if (self->busy)
    return;
  int width, height;
  gesso_generate_get_size (self->form, &width, &height);
  GessoRect frame = gesso_document_get_frame (self->document);
  double scale = sqrt ((double) frame.width * frame.height / ((double) width * height));
  gboolean exact = !gesso_document_has_picture (self->document) || fabs (scale - 1) < 0.1;
  self->busy = TRUE;
  gesso_document_set_frame_size (self->document, exact ? width : (int) lround (width * scale),
                                 exact ? height : (int) lround (height * scale));
  self->busy = FALSE;
}

/* A frame that comes out of a file comes with the form that was saved beside it. */
static void
frame_changed_cb (GessoFrameLink *self)
{
  if (self->busy || gesso_document_is_restoring (self->document))
    return;
  GessoRect frame = gesso_document_get_frame (self->document);
  int width = frame.width, height = frame.height;
  double share = self->native ? sqrt ((double) width * height) / self->native : 1;
  if (share < LEAST_SHARE || share > LARGEST_SHARE)
    gesso_shape_fit ((double) width / height, self->native, &width, &height);
  int old_width, old_height;
  gesso_generate_get_size (self->form, &old_width, &old_height);
  if (width == old_width && height == old_height)
    return; /* the model's own size, when it is in force, stays the model's */
  self->busy = TRUE;
  set_number (self->form, "width", width);
  set_number (self->form, "height", height);
  self->busy = FALSE;
}

static void
pixels_changed_cb (GessoFrameLink *self)
{
  gboolean has_pixels = gesso_document_frame_has_picture (self->document);
  if (has_pixels == self->had_pixels)
    return;
  self->had_pixels = has_pixels;
  if (has_pixels && gesso_form_is_default (self->form, "denoise"))
    gesso_form_set_text (self->form, "denoise", GESSO_DEFAULT_STRENGTH, NULL);
  else if (!has_pixels)
    gesso_form_reset (self->form, "denoise");
}

static void
gesso_frame_link_dispose (GObject *object)
{
  GessoFrameLink *self = GESSO_FRAME_LINK (object);
  g_clear_object (&self->form);
  g_clear_object (&self->document);
  G_OBJECT_CLASS (gesso_frame_link_parent_class)->dispose (object);
}

static void
gesso_frame_link_class_init (GessoFrameLinkClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_frame_link_dispose;
}

static void
gesso_frame_link_init (GessoFrameLink *self)
{
}

GessoFrameLink *
gesso_frame_link_new (GessoForm *form, GessoDocument *document)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && GESSO_IS_DOCUMENT (document), NULL);
  GessoFrameLink *self = g_object_new (GESSO_TYPE_FRAME_LINK, NULL);
  self->form = g_object_ref (form);
  self->document = g_object_ref (document);
  static const char *const sizes[] = { "changed::width", "changed::height", "filled" };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    g_signal_connect_object (form, sizes[i], G_CALLBACK (size_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (document, "frame-changed", G_CALLBACK (frame_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (document, "changed", G_CALLBACK (pixels_changed_cb), self,
                           G_CONNECT_SWAPPED);
  return self;
}

void
gesso_frame_link_set_native (GessoFrameLink *self, int side)
{
  g_return_if_fail (GESSO_IS_FRAME_LINK (self));
  self->native = side;
}
