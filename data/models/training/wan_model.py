# SPDX-License-Identifier: MPL-2.0
"""The video model: Wan's architecture in every respect but size, as diffusers builds it."""
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from diffusers.models.autoencoders.autoencoder_kl_wan import WanResample
from transformers import UMT5Config, UMT5EncoderModel

from wan_latents import CHANNELS

VAE = dict(base_dim=16, z_dim=CHANNELS, dim_mult=[1, 2, 4, 4], num_res_blocks=1, attn_scales=[],
           temperal_downsample=[False, True, True], dropout=0.0)

TRANSFORMER = dict(
    patch_size=(1, 2, 2), num_attention_heads=3, attention_head_dim=48, in_channels=CHANNELS,
    out_channels=CHANNELS, text_dim=128, freq_dim=256, ffn_dim=576, num_layers=6,
    cross_attn_norm=True, qk_norm="rms_norm_across_heads", eps=1e-6, rope_max_seq_len=1024)

SHIFT = 3.0             # of the times, in training and in sampling
BOUNDARY = 0.875        # from here up the first expert works, below it the second
SCHEDULER = dict(num_train_timesteps=1000, prediction_type="flow_prediction",
                 use_flow_sigmas=True, flow_shift=SHIFT)

VOCABULARY = 1024
TEXT_TOKENS = 512       # what programs pad the text to
MAX_WORDS = 32          # tokens that training keeps; the last stands for all the padding

TEXT_ENCODER = dict(
    vocab_size=VOCABULARY, d_model=128, d_kv=32, d_ff=256, num_layers=3, num_heads=4,
    relative_attention_num_buckets=32, relative_attention_max_distance=128, dropout_rate=0.0,
    feed_forward_proj="gated-gelu", layer_norm_epsilon=1e-6, pad_token_id=0, eos_token_id=1,
    tie_word_embeddings=False)


class WholeClipResample(WanResample):
    """Resamples a whole clip at once; diffusers does it chunk by chunk, to the same result.

    The first frame is never merged or doubled in time.
    """

    def forward(self, x, feat_cache=None, feat_idx=None):
        if self.mode == "upsample3d" and x.shape[2] > 1:
            y = self.time_conv(x[:, :, 1:])
            y = y.unflatten(1, (2, -1)).permute(0, 2, 3, 1, 4, 5).flatten(2, 3)
            x = torch.cat([x[:, :, :1], y], 2)
        b, c, t, h, w = x.shape
        x = self.resample(x.transpose(1, 2).reshape(b * t, c, h, w))
        x = x.view(b, t, *x.shape[1:]).transpose(1, 2)
        if self.mode == "downsample3d" and x.shape[2] > 1:
            x = torch.cat([x[:, :, :1], self.time_conv(x)], 2)
        return x


def latent_affine(vae):
    """Wan's own mean and deviation of each channel: programs that hard-code them stay right.

    Returns two tensors (CHANNELS, 1, 1, 1).
    """
    names = ("latents_mean", "latents_std")
    return [torch.tensor(vae.config[name]).view(-1, 1, 1, 1) for name in names]


@torch.no_grad()
def build_vae(whole_clip=False):
    """An autoencoder whose residual branches do nothing before any training.

    whole_clip: for training; decode and encode below then take a whole clip in one go.
    """
    vae = AutoencoderKLWan(**VAE)
    for module in vae.modules():
        kind = type(module).__name__
        if kind == "WanResidualBlock":
            module.conv2.weight.zero_()
            module.conv2.bias.zero_()
            if not isinstance(module.conv_shortcut, torch.nn.Identity):
                pass_first(module.conv_shortcut.weight)
        elif kind == "WanAttentionBlock":
            module.proj.weight.zero_()
            module.proj.bias.zero_()
        elif kind == "WanResample":
            pass_through(module)
            if whole_clip:
                module.__class__ = WholeClipResample
    mean, std = (v.flatten() for v in latent_affine(vae))
    vae.post_quant_conv.weight.copy_((torch.eye(CHANNELS) / std)[:, :, None, None, None])
    vae.post_quant_conv.bias.copy_(-mean / std)
    return vae


def pass_first(weight):
    """Passes the first channels on; weight: (out, in, t, y, x), of whose t the last is now."""
    weight *= 0.2
    i = torch.arange(min(weight.shape[:2]))
    weight[i, i, -1, weight.shape[3] // 2, weight.shape[4] // 2] += 1


def pass_through(resample):
    """Makes a resampler nearly nearest neighbour or 2x2 mean."""
    weight = resample.resample[1].weight
    if resample.mode.startswith("up"):
        pass_first(weight[:, :, None])
    else:
        weight *= 0.2
        i = torch.arange(len(weight))
        for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
            weight[i, i, y, x] += 0.25
    if resample.mode == "downsample3d":
        pass_first(resample.time_conv.weight)


def undisturbed(conv, n, own=1):
    """Lets nothing into the first n channels but, own times, what is in them."""
    i = torch.arange(min(n, *conv.weight.shape[:2]))
    conv.weight[i] = 0
    conv.bias[i] = 0
    tap = (-1,) if conv.weight.ndim == 5 else ()
    middle = [size // 2 for size in conv.weight.shape[-2:]]
    conv.weight[(i, i, *tap, *middle)] = own


@torch.no_grad()
def start_decoder(vae, latents):
    """Makes an untrained decoder show the mean colour of each latent element in each frame.

    A plain start spends the better part of an hour on finding colour. Twelve channels carry the
    colours of four frames; each doubling in time hands half of them to each of its frames. At the
    end a constant channel keeps the norm from losing brightness, and each colour comes with its
    negative, since silu(h) - silu(-h) = h.
    """
    decoder = vae.decoder
    weight, bias = latents.mean_colours()
    n, size = len(weight), 0.4
    for module in decoder.modules():
        # Nothing else may write to these channels yet.
        kind = type(module).__name__
        if kind == "WanResidualBlock":
            if not isinstance(module.conv_shortcut, torch.nn.Identity):
                undisturbed(module.conv_shortcut, n)
        elif hasattr(module, "resample"):
            undisturbed(module.resample[1], n)
    decoder.conv_in.weight[:n] = 0
    decoder.conv_in.weight[:n, :, 2, 1, 1] = size * weight
    decoder.conv_in.bias[:n] = size * bias
    for block, kept in zip(decoder.up_blocks, (n // 2, n // 4)):
        conv = block.upsamplers[0].time_conv
        i, channels = torch.arange(conv.weight.shape[1]), conv.weight.shape[1]
        conv.weight *= 0.2
        for rows, columns in ((i, i), (channels + i, torch.where(i < kept, i + kept, i))):
            conv.weight[rows[:kept]] = 0
            conv.bias[rows[:kept]] = 0
            conv.weight[rows, columns, 2] += 1
    last = decoder.up_blocks[2].upsamplers[0].resample[1]
    last.weight[:6], last.bias[:6] = 0, 0
    for i in range(3):
        last.weight[i, i, 1, 1], last.weight[3 + i, i, 1, 1] = 1, -1
    last.weight[-1], last.bias[-1] = 0, 2
    decoder.conv_out.weight *= 0.2
    decoder.conv_out.bias.zero_()
    for i in range(3):
        for k, gain in ((i, 1.4), (3 + i, -1.4)):
            decoder.conv_out.weight[i, k, 2, 1, 1] += gain


@torch.no_grad()
def start_encoder(vae):
    """A constant channel keeps the last norm from losing magnitude; the log variance is -12."""
    last = vae.encoder.down_blocks[-2]
    for conv in (last.resample[1], last.time_conv):
        conv.weight[-1], conv.bias[-1] = 0, 2
    mean, std = (v.flatten() for v in latent_affine(vae))
    conv = vae.quant_conv
    conv.weight.zero_()
    conv.weight[:CHANNELS, :CHANNELS] = torch.diag(std)[:, :, None, None, None]
    conv.bias[:CHANNELS], conv.bias[CHANNELS:] = mean, -12


def decode(vae, z):
    """z: (b, CHANNELS, t, h, w) of unit variance; vae: built for whole clips."""
    mean, std = latent_affine(vae)
    return vae.decoder(vae.post_quant_conv(z * std + mean))


def encode(vae, x):
    """x: (b, 3, t, H, W) in -1..1. Returns the mean, of unit variance, and the log variance."""
    mean, std = latent_affine(vae)
    z, logvar = vae.quant_conv(vae.encoder(x)).chunk(2, 1)
    return (z - mean) / std, logvar


def build_text_encoder():
    return UMT5EncoderModel(UMT5Config(**TEXT_ENCODER))


def build_transformer():
    transformer = WanTransformer3DModel(**TRANSFORMER)
    torch.nn.init.zeros_(transformer.proj_out.weight)
    torch.nn.init.zeros_(transformer.proj_out.bias)
    return transformer
