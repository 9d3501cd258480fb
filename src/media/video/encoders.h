/* SPDX-License-Identifier: MPL-2.0
 * encoders.h - which encoder makes a format, by a rank of our own.
 */
#pragma once

#include <gst/gst.h>

#include "media/film.h"
#include "media/yuv.h"

typedef struct
{
  const char *factory;
  bool hardware;        /* believed only after a few frames came through */
  bool odd_sizes;       /* takes them; else both sides have to be even where chroma is halved */
  YuvLayout half, full; /* planes for 4:2:0 (ProRes: 4:2:2) and for 4:4:4; YUV_NONE: cannot */
  const char *properties[FILM_N_QUALITIES]; /* "name=value ..."; what an element lacks is passed */
  int sure_px; /* with a shorter side believed as little as hardware; 0: always sure */
} EncoderChoice;

typedef struct
{
  const EncoderChoice *choices; /* best first, up to one without a factory */
  const char *parser;           /* between encoder and muxer, where it is installed; or NULL */
  const char *parsed_caps;      /* what the muxer should get; or NULL */
  const char *muxer;
  const char *muxer_properties;
  const char *package; /* where encoder and muxer come from */
  const char *title;   /* of the encoder, for sentences */
} EncoderSet;

const EncoderSet *encoder_set (FilmFormat format);

/* encoder_choose:
 * @width, @height: of the planes to come
 *
 * The first of @choices that is installed, has the layout and, if that is not sure, encodes a few
 * frames of this size now; that is remembered as long as the program runs.
 *
 * Returns: NULL when there is none
 */
const EncoderChoice *
encoder_choose (const EncoderChoice *choices, bool full_chroma, int width, int height);

/* A card's encoder has failed after all: encoder_choose passes it over for this size, of planes, as
 * long as the program runs. */
void encoder_rule_out (const EncoderChoice *choice, bool full_chroma, int width, int height);

YuvLayout encoder_layout (const EncoderChoice *choice, bool full_chroma);
/* Caps of raw frames for an encoder. */
GstCaps *encoder_caps (YuvLayout layout, int width, int height, FrameRate rate);
/* "name=value" pairs separated by spaces; names that @element lacks are passed over. */
void encoder_set_properties (GstElement *element, const char *properties);
