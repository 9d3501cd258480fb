/* SPDX-License-Identifier: MPL-2.0
 * gesso-frame-link.c - keeps the form's size and the canvas's generation frame in step.
 *
 * On an empty canvas the frame is the picture to be made, pixel for pixel.  Over a picture the
 * frame is a part of it, of any size, and the job's size is that frame's shape at an area the model
 * can draw; of a clip, which begins with the picture, at the model's own area.
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
  int native, step;
  gboolean animates;
  gboolean by_hand; /* the form's size was not set by us */
  GessoRect bounds; /* of the picture, as last seen: others are another picture's */
  gboolean busy;    /* a change that we make ourselves is no news */
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

/* Returns: whether a size that was set by hand goes on to be the clip's: the frame has its shape,
 * as much of the new picture as that is */
static gboolean
keep_size (GessoFrameLink *self)
{
  GessoRect bounds = gesso_document_get_bounds (self->document), f = bounds;
  gboolean is_new = !gesso_rect_equal (&bounds, &self->bounds);
  int width, height;
  self->bounds = bounds;
  if (!is_new || !self->animates || !self->by_hand || !gesso_document_has_picture (self->document))
    return FALSE;
  gesso_generate_get_size (self->form, &width, &height);
  double ratio = (double) width / height;
  if (bounds.width > bounds.height * ratio)
    f.width = (int) lround (bounds.height * ratio);
  else
    f.height = (int) lround (bounds.width / ratio);
  f.x += (bounds.width - f.width) / 2;
  f.y += (bounds.height - f.height) / 2;
  self->busy = TRUE;
  gesso_document_set_frame (self->document, &f);
  self->busy = FALSE;
  return TRUE;
}

/* A frame that comes out of a file comes with the form that was saved beside it. */
static void
frame_changed_cb (GessoFrameLink *self)
{
  if (self->busy || gesso_document_is_restoring (self->document) || keep_size (self))
    return;
  GessoRect frame = gesso_document_get_frame (self->document);
  int width = frame.width, height = frame.height;
  double share = self->native ? sqrt ((double) width * height) / self->native : 1;
  if (self->native && (self->animates || share < LEAST_SHARE || share > LARGEST_SHARE))
    gesso_shape_fit ((double) width / height, self->native, self->step, &width, &height);
  int old_width, old_height;
  gesso_generate_get_size (self->form, &old_width, &old_height);
  if (width == old_width && height == old_height)
    return; /* the model's own size, when it is in force, stays the model's */
  self->busy = TRUE;
  set_number (self->form, "width", width);
  set_number (self->form, "height", height);
  self->busy = FALSE;
}

/* Of the form, by the user or a recipe; neither side set is the model's own size. */
static void
size_set_cb (GessoFrameLink *self)
{
  if (self->busy)
    return;
  self->by_hand =
      !gesso_form_is_default (self->form, "width") || !gesso_form_is_default (self->form, "height");
  size_changed_cb (self);
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
  self->bounds = gesso_document_get_bounds (document);
  g_signal_connect_object (form, "changed::width", G_CALLBACK (size_set_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (form, "changed::height", G_CALLBACK (size_set_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (form, "filled", G_CALLBACK (size_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (document, "frame-changed", G_CALLBACK (frame_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (document, "changed", G_CALLBACK (pixels_changed_cb), self,
                           G_CONNECT_SWAPPED);
  return self;
}

void
gesso_frame_link_set_model (GessoFrameLink *self, int side, int step, gboolean animates)
{
  g_return_if_fail (GESSO_IS_FRAME_LINK (self));
  gboolean is_new = side != self->native || step != self->step || animates != self->animates;
  gboolean clips = animates || self->animates;
  self->native = side;
  self->step = step;
  self->animates = animates;
  gboolean extends = animates && !gesso_form_is_default (self->form, "extend");
  if (is_new && clips && side > 0 && !self->by_hand && !extends &&
      gesso_document_has_picture (self->document))
    frame_changed_cb (self);
}
