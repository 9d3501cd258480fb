/* SPDX-License-Identifier: MPL-2.0
 * decode-pipeline.h - filesrc, demuxer, decodebin, conversion to RGB, appsink; and what went wrong
 * there.
 *
 * RGB of 16 bits: to 8 bits GStreamer converts by shorter sums, which are up to 5 off.
 */
#pragma once

#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <stdatomic.h>

#include "core/status.h"
#include "media/film-file.h"

typedef struct
{
  const char *path; /* borrowed */
  FilmFileKind kind;
  int64_t max_pixels;
  GstElement *pipeline, *demuxer, *decoders, *first; /* first: of the conversion */
  GstAppSink *sink;
  GstBus *bus;
  atomic_uint_fast64_t n_reads;  /* of the file: who reads is not stuck */
  atomic_int orientation;        /* of EXIF, as the film's tags say */
  atomic_int too_wide, too_high; /* the size that was refused; 0 for none */
  atomic_bool hdr;               /* PQ or HLG: shown as it is it would look grey */
  atomic_bool no_video;          /* the file has no pictures */
  char missing[128];             /* what no decoder is there for; "" for none */
} DecodePipeline;

/* Fails: UNSUPPORTED, with the package to install */
bool decode_pipeline_start (DecodePipeline *p, Status *status);
/* Leaves @p as it was before decode_pipeline_start. */
void decode_pipeline_stop (DecodePipeline *p);
/* decode_pipeline_check:
 *
 * Reads the messages that have come in.  Returns: false and a status once it has failed
 */
bool decode_pipeline_check (DecodePipeline *p, Status *status);
