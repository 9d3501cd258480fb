/* SPDX-License-Identifier: MPL-2.0
 * icc.c - profiles by Little CMS, which takes its working memory from the C library itself.
 */
#include "media/icc.h"

#include <stdlib.h>
#include <string.h>

#include <lcms2.h>

enum
{
  GREYS = 256,
  PROBE_STEPS = 9, /* of each channel: 729 colours tell whether a profile is sRGB */
  N_PROBES = PROBE_STEPS * PROBE_STEPS * PROBE_STEPS,
  ROW_PIXELS = 1 << 16 /* Little CMS counts pixels in 32 bits */
};

typedef struct
{
  cmsContext context;
  cmsHPROFILE from, to;
  cmsHTRANSFORM transform;
  bool grey;
} Icc;

static cmsUInt32Number
pixel_type (const Icc *icc, int n_channels)
{
  return icc->grey ? TYPE_GRAY_8 : n_channels == 4 ? TYPE_RGBA_8 : TYPE_RGB_8;
}

static bool
icc_open (Icc *icc, int n_channels, const void *profile, size_t n_bytes)
{
  icc->context = cmsCreateContext (NULL, NULL);
  if (!icc->context || n_bytes > UINT32_MAX)
    return false;
  icc->from = cmsOpenProfileFromMemTHR (icc->context, profile, (cmsUInt32Number) n_bytes);
  icc->to = cmsCreate_sRGBProfileTHR (icc->context);
  if (!icc->from || !icc->to)
    return false;
  cmsColorSpaceSignature space = cmsGetColorSpace (icc->from);
  icc->grey = space == cmsSigGrayData;
  if (space != cmsSigRgbData && !icc->grey)
    return false;
  cmsUInt32Number in = pixel_type (icc, n_channels);
  cmsUInt32Number out = icc->grey ? TYPE_RGB_8 : in;
  icc->transform = cmsCreateTransformTHR (icc->context, icc->from, in, icc->to, out,
                                          INTENT_RELATIVE_COLORIMETRIC,
                                          cmsFLAGS_COPY_ALPHA | cmsFLAGS_BLACKPOINTCOMPENSATION);
  return icc->transform != NULL;
}

static void
icc_close (Icc *icc)
{
  if (icc->transform)
    cmsDeleteTransform (icc->transform);
  if (icc->from)
    cmsCloseProfile (icc->from);
  if (icc->to)
    cmsCloseProfile (icc->to);
  if (icc->context)
    cmsDeleteContext (icc->context);
}

static bool
is_srgb (const Icc *icc, int n_channels)
{
  uint8_t in[N_PROBES * 4], out[N_PROBES * 4];
  size_t n = 0;
  for (int i = 0; i < N_PROBES; i++)
    {
      int step[4] = { i % PROBE_STEPS, i / PROBE_STEPS % PROBE_STEPS,
                      i / (PROBE_STEPS * PROBE_STEPS), PROBE_STEPS - 1 };
      for (int c = 0; c < n_channels; c++)
        in[n++] = (uint8_t) (step[c] * 255 / (PROBE_STEPS - 1));
    }
  cmsDoTransform (icc->transform, in, out, N_PROBES);
  for (size_t i = 0; i < n; i++)
    if (abs (in[i] - out[i]) > 1)
      return false;
  return true;
}

static bool
convert_grey (const Icc *icc, uint8_t *pixels, size_t n_pixels, int n_channels)
{
  uint8_t greys[GREYS], colours[GREYS][3];
  bool changes = false;
  for (int i = 0; i < GREYS; i++)
    greys[i] = (uint8_t) i;
  cmsDoTransform (icc->transform, greys, colours, GREYS);
  for (int i = 0; i < GREYS; i++)
    changes |= abs (colours[i][1] - i) > 1;
  for (size_t i = 0; changes && i < n_pixels; i++)
    memcpy (pixels + i * (size_t) n_channels, colours[pixels[i * (size_t) n_channels]], 3);
  return changes;
}

bool
icc_to_srgb (uint8_t *pixels, size_t n_pixels, int n_channels, const void *profile, size_t n_bytes)
{
  Icc icc = { 0 };
  bool changed = icc_open (&icc, n_channels, profile, n_bytes);
  if (changed && icc.grey)
    changed = convert_grey (&icc, pixels, n_pixels, n_channels);
  else if (changed && !is_srgb (&icc, n_channels))
    for (size_t i = 0; i < n_pixels; i += ROW_PIXELS)
      {
        size_t n = n_pixels - i < ROW_PIXELS ? n_pixels - i : ROW_PIXELS;
        uint8_t *p = pixels + i * (size_t) n_channels;
        cmsDoTransform (icc.transform, p, p, (cmsUInt32Number) n);
      }
  else
    changed = false;
  icc_close (&icc);
  return changed;
}
