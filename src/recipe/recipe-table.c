/* SPDX-License-Identifier: MPL-2.0
 * recipe-table.c - the declared parameters of a recipe.
 */
#include <string.h>

#include "recipe/recipe.h"

/* Choices stand in the order of their enums in recipe.h. */
static const char *const samplers[] = { "auto",
                                        "euler",
                                        "euler_a",
                                        "heun",
                                        "dpm_2",
                                        "dpm_2_a",
                                        "lms",
                                        "ddim",
                                        "ddpm",
                                        "dpmpp_2s_a",
                                        "dpmpp_2m",
                                        "dpmpp_2m_sde",
                                        "dpmpp_2m_sde_heun",
                                        "dpmpp_sde",
                                        "dpmpp_3m_sde",
                                        "res_multistep",
                                        "unipc",
                                        "unipc_bh2",
                                        "lcm",
                                        "tcd",
                                        NULL };
static const char *const schedules[] = {
  "auto",        "normal",       "karras",  "exponential", "polyexponential",
  "sgm_uniform", "simple",       "beta",    "kl_optimal",  "linear_quadratic",
  "ays",         "ddim_uniform", "leading", "trailing",    "linspace",
  NULL
};
static const char *const inpaint_fills[] = { "original", "latent_noise", "latent_nothing", "fill",
                                             NULL };
static const char *const inpaint_areas[] = { "whole", "masked", NULL };
static const char *const reference_places[] = { "offset", "index", "uxo", NULL };
static const char *const noises[] = { "cpu", "nv", NULL };
static const char *const weightings[] = {
  "auto", "a1111", "a1111_no_norm", "comfyui", "none", NULL
};
static const char *const empty_negatives[] = { "auto", "zeros", "encode", NULL };
static const char *const conventions[] = { "auto", "comfyui", "diffusers", NULL };
static const char *const predictions[] = { "auto", "epsilon", "v", NULL };
static const char *const snr_modes[] = { "auto", "on", "off", NULL };
static const char *const precisions[] = { "auto", "f32", "bf16", "fp8", NULL };

/* param_set() stores an enum through an int. */
_Static_assert(sizeof (RecipeSampler) == sizeof (int), "enums of a recipe are ints");

const char *const recipe_reference_keys[RECIPE_MAX_REFERENCES] = {
  "reference_image", "reference_image_2", "reference_image_3", "reference_image_4"
};

/* Marks a text for translation: who shows it translates it. */
#define N_(text) text
#define AT(name) .key = #name, .offset = offsetof (Recipe, name)

static const RecipeParam table[] = {
  { AT (model), .type = PARAM_PATH, .default_text = "", .letter = 'm', .flag = "model",
    .label = N_ ("Model"), .help = N_ ("The checkpoint file or model folder to draw with."),
    .since = 1 },
  { AT (model_2), .type = PARAM_PATH, .default_text = "", .flag = "model-2",
    .label = N_ ("Second expert"),
    .help = N_ ("The file of Wan 2.2's low-noise expert when the model is the high-noise one; "
                "empty for one found beside it."),
    .since = 5, .families = PARAM_FOR_WAN },
  { AT (vae), .type = PARAM_PATH, .default_text = "", .flag = "vae", .label = N_ ("VAE"),
    .help = N_ ("A file whose VAE replaces the model's own; empty for the model's own."),
    .since = 1 },
  { AT (text_encoder), .type = PARAM_PATH, .default_text = "", .flag = "text-encoder",
    .label = N_ ("Text encoder"),
    .help = N_ ("A file whose CLIP-L replaces the model's own; empty for the model's own, or one "
                "found beside it."),
    .since = 3 },
  { AT (text_encoder_2), .type = PARAM_PATH, .default_text = "", .flag = "text-encoder-2",
    .label = N_ ("Text encoder 2"),
    .help = N_ ("A file whose T5 (FLUX) or bigG (SDXL) replaces the model's own; empty for the "
                "model's own, or one found beside it."),
    .since = 3 },
  { AT (image_encoder), .type = PARAM_PATH, .default_text = "", .flag = "image-encoder",
    .label = N_ ("Image encoder"),
    .help = N_ ("A file whose CLIP-H shows Wan 2.1's image-to-video models the first frame; empty "
                "for the model's own, or one found beside it."),
    .since = 6, .families = PARAM_FOR_WAN },
  { AT (tiny_vae), .type = PARAM_PATH, .default_text = "", .flag = "tiny-vae",
    .label = N_ ("Preview decoder"),
    .help = N_ ("A tiny decoder (TAESD) for previews while the picture forms; empty for the "
                "model's own, or "
                "one found beside it, else plain colours."),
    .since = 1 },
  { AT (prompt), .type = PARAM_STRING, .default_text = "", .letter = 'p', .flag = "prompt",
    .label = N_ ("Prompt"), .help = N_ ("What the picture shows."), .since = 1 },
  { AT (negative_prompt), .type = PARAM_STRING, .default_text = "", .letter = 'n',
    .flag = "negative-prompt", .label = N_ ("Negative prompt"),
    .help = N_ ("What the picture is steered away from."), .since = 1 },
  { AT (adapters), .type = PARAM_LIST, .default_text = "", .flag = "adapters",
    .label = N_ ("Adapters"),
    .help = N_ ("LoRAs and their kin that change the model, as a JSON list."), .since = 4 },
  { AT (seed), .type = PARAM_U64, .default_text = "0", .step = 1, .letter = 's', .flag = "seed",
    .label = N_ ("Seed"),
    .help = N_ (
        "Which noise the first picture starts from; picture i of a batch starts from seed + i."),
    .since = 1 },
  { AT (width), .type = PARAM_INT, .default_text = "0", .max = 16384, .step = 8, .unit = "px",
    .letter = 'W', .flag = "width", .label = N_ ("Width"),
    .help = N_ ("Width of the picture, a multiple of 8; 0 for the model's own."), .since = 1 },
  { AT (height), .type = PARAM_INT, .default_text = "0", .max = 16384, .step = 8, .unit = "px",
    .letter = 'H', .flag = "height", .label = N_ ("Height"),
    .help = N_ ("Height of the picture, a multiple of 8; 0 for the model's own."), .since = 1 },
  { AT (steps), .type = PARAM_INT, .default_text = "0", .max = 1000, .step = 1, .letter = 'S',
    .flag = "steps", .label = N_ ("Steps"), .help = N_ ("Denoising steps; 0 for the model's own."),
    .since = 1 },
  { AT (sampler), .type = PARAM_ENUM, .default_text = "auto", .flag = "sampler",
    .label = N_ ("Sampler"),
    .help = N_ ("How one step goes from more noise to less; auto for what the model expects."),
    .since = 1, .choices = samplers },
  { AT (schedule), .type = PARAM_ENUM, .default_text = "auto", .flag = "schedule",
    .label = N_ ("Schedule"),
    .help = N_ ("Which noise levels the steps visit; auto for what the model and sampler expect."),
    .since = 1, .choices = schedules },
  { AT (guidance_scale), .type = PARAM_FLOAT, .default_text = "0", .max = 100, .step = 0.5,
    .letter = 'g', .flag = "guidance", .label = N_ ("Guidance"),
    .help =
        N_ ("How strongly the prompt steers (CFG scale), 1 for not at all; 0 for the model's own."),
    .since = 1 },
  { AT (guidance_rescale), .type = PARAM_FLOAT, .default_text = "0", .max = 1, .step = 0.05,
    .flag = "guidance-rescale", .label = N_ ("Guidance rescale"),
    .help = N_ ("How much of the overexposure of strong guidance is taken back."), .since = 1 },
  { AT (distilled_guidance), .type = PARAM_FLOAT, .default_text = "0", .max = 100, .step = 0.5,
    .flag = "distilled-guidance", .label = N_ ("Distilled guidance"),
    .help = N_ ("What FLUX.1 dev and its kin are told about how closely to follow the prompt; 0 "
                "for the model's own."),
    .since = 3, .families = PARAM_FOR_FLUX },
  { AT (flow_shift), .type = PARAM_FLOAT, .default_text = "-1", .min = -1, .max = 10, .step = 0.05,
    .flag = "flow-shift", .label = N_ ("Shift"),
    .help = N_ ("How far the noise levels are moved towards noise (mu): 1.15 suits 1024 x 1024; -1 "
                "for the model's own."),
    .since = 3, .families = PARAM_FOR_FLUX },
  { AT (max_tokens), .type = PARAM_INT, .default_text = "0", .max = 4096, .step = 64,
    .unit = "tokens", .flag = "max-tokens", .label = N_ ("T5 tokens"),
    .help = N_ ("How many tokens of the prompt T5 reads, padding included; 0 for the model's own."),
    .since = 3, .families = PARAM_FOR_FLUX },
  { AT (frames), .type = PARAM_INT, .default_text = "0", .max = 4097, .step = 4, .unit = "frames",
    .flag = "frames", .label = N_ ("Frames"),
    .help =
        N_ ("How many frames a clip has, one more than a multiple of 4; when a clip is extended, "
            "those of the overlap count, too; 0 for the model's own."),
    .since = 5, .families = PARAM_FOR_WAN },
  { AT (fps), .type = PARAM_FLOAT, .default_text = "0", .max = 240, .step = 1, .unit = "fps",
    .flag = "fps", .label = N_ ("Frame rate"),
    .help = N_ ("How many frames a clip shows a second; 0 for the model's own."), .since = 5,
    .families = PARAM_FOR_WAN },
  { AT (shift), .type = PARAM_FLOAT, .default_text = "0", .max = 100, .step = 0.5, .flag = "shift",
    .label = N_ ("Clip shift"),
    .help = N_ ("How far a clip's noise levels are moved towards noise: 5 and 8 are usual, 1 for "
                "not at all; 0 for the model's own."),
    .since = 5, .families = PARAM_FOR_WAN },
  { AT (guidance_scale_2), .type = PARAM_FLOAT, .default_text = "0", .max = 100, .step = 0.5,
    .flag = "guidance-2", .label = N_ ("Second guidance"),
    .help = N_ ("How strongly the prompt steers the low-noise expert of Wan 2.2; 0 for the model's "
                "own."),
    .since = 5, .families = PARAM_FOR_WAN },
  { AT (boundary), .type = PARAM_FLOAT, .default_text = "-1", .min = -1, .max = 1, .step = 0.025,
    .flag = "boundary", .label = N_ ("Boundary"),
    .help = N_ ("Below which noise level Wan 2.2's low-noise expert takes over, from 0 to 1; -1 "
                "for the model's own."),
    .since = 5, .families = PARAM_FOR_WAN },
  { AT (clip_skip), .type = PARAM_INT, .default_text = "0", .max = 12, .step = 1,
    .flag = "clip-skip", .label = N_ ("CLIP skip"),
    .help = N_ (
        "Which layer of the text encoder is read, counted from the last as 1; 0 for the model's "
        "own."),
    .since = 1, .families = PARAM_FOR_SD },
  { AT (denoise), .type = PARAM_FLOAT, .default_text = "1", .max = 1, .step = 0.05, .letter = 'd',
    .flag = "denoise", .label = N_ ("Denoise"),
    .help = N_ ("How much of the initial image is drawn anew: near 0 keeps it, 1 ignores it."),
    .since = 1 },
  { AT (init_image), .type = PARAM_PATH, .default_text = "", .letter = 'i', .flag = "init-image",
    .label = N_ ("Initial image"),
    .help = N_ ("A PNG or JPEG picture to start from; empty for pure noise."), .since = 1 },
  { AT (mask_image), .type = PARAM_PATH, .default_text = "", .flag = "mask-image",
    .label = N_ ("Mask"),
    .help =
        N_ ("A picture that is white (or opaque, if it has transparency) where the initial image "
            "is painted anew; empty for everywhere."),
    .since = 2 },
  { AT (mask_blur), .type = PARAM_INT, .default_text = "4", .max = 64, .step = 1, .unit = "px",
    .flag = "mask-blur", .label = N_ ("Mask blur"),
    .help = N_ ("How softly the mask's edge fades."), .since = 2 },
  { AT (inpaint_fill), .type = PARAM_ENUM, .default_text = "original", .flag = "inpaint-fill",
    .label = N_ ("Masked content"),
    .help =
        N_ ("What the masked part starts from: the image, noise, nothing, or colours around it."),
    .since = 2, .choices = inpaint_fills },
  { AT (inpaint_area), .type = PARAM_ENUM, .default_text = "whole", .flag = "inpaint-area",
    .label = N_ ("Inpaint area"),
    .help = N_ (
        "Whether the whole image is drawn, or its masked part alone at full size and put back."),
    .since = 2, .choices = inpaint_areas },
  { AT (inpaint_padding), .type = PARAM_INT, .default_text = "32", .max = 1024, .step = 4,
    .unit = "px", .flag = "inpaint-padding", .label = N_ ("Masked padding"),
    .help = N_ ("How much around the masked part is seen when it is drawn alone."), .since = 2 },
  { AT (reference_image), .type = PARAM_PATH, .default_text = "", .flag = "reference-image",
    .label = N_ ("Reference image"),
    .help = N_ ("A picture that FLUX.1 Kontext changes as the prompt says; empty for none. Given "
                "again on the command line, it is one more."),
    .since = 3, .families = PARAM_FOR_FLUX },
  { AT (reference_image_2), .type = PARAM_PATH, .default_text = "", .flag = "reference-image-2",
    .label = N_ ("Reference image 2"),
    .help = N_ ("A second picture for FLUX.1 Kontext; empty for none."), .since = 6,
    .families = PARAM_FOR_FLUX },
  { AT (reference_image_3), .type = PARAM_PATH, .default_text = "", .flag = "reference-image-3",
    .label = N_ ("Reference image 3"),
    .help = N_ ("A third picture for FLUX.1 Kontext; empty for none."), .since = 6,
    .families = PARAM_FOR_FLUX },
  { AT (reference_image_4), .type = PARAM_PATH, .default_text = "", .flag = "reference-image-4",
    .label = N_ ("Reference image 4"),
    .help = N_ ("A fourth picture for FLUX.1 Kontext; empty for none."), .since = 6,
    .families = PARAM_FOR_FLUX },
  { AT (reference_places), .type = PARAM_ENUM, .default_text = "offset", .flag = "reference-places",
    .label = N_ ("Reference places"),
    .help = N_ ("Where several reference images lie for the network, named as in ComfyUI: offset "
                "side by side, index one behind the other, uxo for the LoRAs UNO and USO."),
    .since = 6, .choices = reference_places, .families = PARAM_FOR_FLUX },
  { AT (control_image), .type = PARAM_PATH, .default_text = "", .flag = "control-image",
    .label = N_ ("Control image"),
    .help = N_ ("Edges or depths that FLUX.1 Canny or Depth, or their LoRAs, follow as they read "
                "them; empty for none."),
    .since = 3, .families = PARAM_FOR_FLUX },
  { AT (controls), .type = PARAM_LIST, .default_text = "", .flag = "controls",
    .label = N_ ("ControlNets"),
    .help = N_ ("ControlNets that guide SD 1.5 or SDXL by a picture, as a JSON list."), .since = 7,
    .families = PARAM_FOR_SD },
  { AT (first_frame), .type = PARAM_PATH, .default_text = "", .flag = "first-frame",
    .label = N_ ("First frame"), .help = N_ ("A picture that a clip begins with; empty for none."),
    .since = 5, .families = PARAM_FOR_WAN },
  { AT (last_frame), .type = PARAM_PATH, .default_text = "", .flag = "last-frame",
    .label = N_ ("Last frame"), .help = N_ ("A picture that a clip ends with; empty for none."),
    .since = 5, .families = PARAM_FOR_WAN },
  { AT (extend), .type = PARAM_PATH, .default_text = "", .flag = "extend",
    .label = N_ ("Clip to extend"),
    .help = N_ ("A clip (.gclip) or film to go on from, whose frames come first in the result; "
                "empty for a clip of its own."),
    .since = 6, .families = PARAM_FOR_WAN },
  { AT (overlap), .type = PARAM_INT, .default_text = "0", .max = 64, .step = 1,
    .unit = "latent frames", .flag = "overlap", .label = N_ ("Overlap"),
    .help = N_ ("How many latent frames, of 4 frames each, are seen of what is before when a clip "
                "is extended or made in windows; 0 for the usual: 5, or half of a short window."),
    .since = 6, .families = PARAM_FOR_WAN },
  { AT (window), .type = PARAM_INT, .default_text = "0", .max = 1025, .step = 4, .unit = "frames",
    .flag = "window", .label = N_ ("Window"),
    .help = N_ ("Clips of more frames are made in windows of so many, one after the other, one "
                "more than a multiple of 4; 0 for the length that the model was trained for."),
    .since = 6, .families = PARAM_FOR_WAN },
  { AT (batch_count), .type = PARAM_INT, .default_text = "1", .min = 1, .max = 10000, .step = 1,
    .unit = "batches", .letter = 'c', .flag = "batch-count", .label = N_ ("Batches"),
    .help = N_ ("How many batches are drawn one after the other."), .since = 1 },
  { AT (batch_size), .type = PARAM_INT, .default_text = "1", .min = 1, .max = 64, .step = 1,
    .unit = "pictures", .letter = 'b', .flag = "batch-size", .label = N_ ("Batch size"),
    .help = N_ ("How many pictures are drawn at once."), .since = 1 },
  { AT (noise), .type = PARAM_ENUM, .default_text = "cpu", .flag = "noise", .label = N_ ("Noise"),
    .help =
        N_ ("Whose random numbers a seed means: cpu as in ComfyUI and diffusers, nv as in A1111's "
            "GPU and NV modes."),
    .since = 1, .choices = noises },
  { AT (weighting), .type = PARAM_ENUM, .default_text = "auto", .flag = "weighting",
    .label = N_ ("Prompt weighting"),
    .help = N_ ("How (words:1.2) in a prompt are applied; none takes brackets literally, auto is "
                "a1111 for SD and none for FLUX."),
    .since = 1, .choices = weightings },
  { AT (empty_negative), .type = PARAM_ENUM, .default_text = "auto", .flag = "empty-negative",
    .label = N_ ("Empty negative prompt"),
    .help =
        N_ ("Whether an empty negative prompt is encoded or becomes zeros; auto for what the model "
            "was made with."),
    .since = 1, .choices = empty_negatives, .families = PARAM_FOR_SD },
  { AT (convention), .type = PARAM_ENUM, .default_text = "auto", .flag = "convention",
    .label = N_ ("Convention"),
    .help = N_ ("Whose reading of schedules and initial noise is followed where programs differ."),
    .since = 1, .choices = conventions },
  { AT (prediction), .type = PARAM_ENUM, .default_text = "auto", .flag = "prediction",
    .label = N_ ("Prediction"),
    .help = N_ ("What the network predicts; auto reads it from the model file."), .since = 1,
    .choices = predictions, .families = PARAM_FOR_SD },
  { AT (zero_terminal_snr), .type = PARAM_ENUM, .default_text = "auto", .flag = "zero-terminal-snr",
    .label = N_ ("Zero terminal SNR"),
    .help = N_ ("Whether the noise levels end in pure noise; auto reads it from the model file."),
    .since = 1, .choices = snr_modes, .families = PARAM_FOR_SD },
  { AT (eta), .type = PARAM_FLOAT, .default_text = "-1", .min = -1, .max = 10, .step = 0.1,
    .flag = "eta", .label = N_ ("Eta"),
    .help = N_ ("How much fresh noise each step adds, from 0; -1 for the sampler's own."),
    .since = 1 },
  { AT (precision), .type = PARAM_ENUM, .default_text = "auto", .flag = "precision",
    .label = N_ ("Precision"),
    .help =
        N_ ("The numbers to compute with; auto for the fastest that the device does well, fp8 for "
            "layers that the model file stores in fp8: faster on a card, and less exact."),
    .since = 1, .choices = precisions },
  { AT (vae_tile), .type = PARAM_INT, .default_text = "0", .max = 8192, .step = 64, .unit = "px",
    .flag = "vae-tile", .label = N_ ("VAE tile"),
    .help = N_ ("Side of the tiles the picture is decoded in, a multiple of 8; 0 to tile only when "
                "memory is short."),
    .since = 1 },
  { AT (model_hash), .type = PARAM_STRING, .default_text = "", .flag = "model-hash",
    .label = N_ ("Model hash"),
    .help = N_ ("The model file's SHA-256 or its beginning, to find the file when it has moved."),
    .since = 1 },
};

const RecipeParam *
recipe_table (void)
{
  return table;
}

int
recipe_table_count (void)
{
  return (int) (sizeof table / sizeof table[0]);
}

const RecipeParam *
recipe_find_param (const char *key)
{
  for (int i = 0; i < recipe_table_count (); i++)
    if (strcmp (table[i].key, key) == 0)
      return &table[i];
  return NULL;
}
