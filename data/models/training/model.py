# SPDX-License-Identifier: MPL-2.0
"""The architecture: SDXL's in every respect but size, as diffusers and transformers build it."""
import torch
from diffusers import (AutoencoderKL, AutoencoderTiny, EulerDiscreteScheduler,
                       StableDiffusionXLPipeline, UNet2DConditionModel)
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from captions import tokenizers
from common import LATENT_SCALE, SCALING_FACTOR, SIZE

VAE = dict(
    in_channels=3, out_channels=3, latent_channels=4, sample_size=SIZE,
    block_out_channels=[32, 32, 64, 128], layers_per_block=1, norm_num_groups=8,
    down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
    scaling_factor=SCALING_FACTOR, force_upcast=False,
)


@torch.no_grad()
def build_vae():
    """An autoencoder that passes a thumbnail through before any training.

    Residual branches start small and the samplers as nearest neighbour or 2x2 mean, which saves
    the several hundred steps that a plain start spends on finding colour.
    """
    vae = AutoencoderKL(**VAE)
    for name, module in vae.named_modules():
        kind = type(module).__name__
        if kind == "ResnetBlock2D":
            module.conv2.weight *= 0.2
            if module.conv_shortcut is not None:
                torch.nn.init.orthogonal_(module.conv_shortcut.weight)
        elif kind in ("Upsample2D", "Downsample2D"):
            weight = module.conv.weight
            weight *= 0.2
            i = torch.arange(weight.shape[0])
            if kind == "Upsample2D":
                weight[i, i, 1, 1] += 1
            else:
                for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
                    weight[i, i, y, x] += 0.25
        elif kind == "Attention":
            module.to_out[0].weight *= 0.2
    # The latents come in divided by the scaling factor: undo that at the door.
    vae.post_quant_conv.weight.copy_(torch.eye(4)[:, :, None, None] * SCALING_FACTOR)
    vae.post_quant_conv.bias.zero_()
    return vae.to(memory_format=torch.channels_last)


VOCABULARY = 3072
HEAD = 64               # width of an attention head, as in SDXL


def text_config(width, layers, activation, pad):
    return CLIPTextConfig(
        vocab_size=VOCABULARY, hidden_size=width, intermediate_size=4 * width,
        num_hidden_layers=layers, num_attention_heads=width // HEAD, hidden_act=activation,
        projection_dim=width, max_position_embeddings=77, bos_token_id=VOCABULARY - 2,
        eos_token_id=VOCABULARY - 1, pad_token_id=pad, attn_implementation="eager")


UNET = dict(
    sample_size=SIZE // LATENT_SCALE, in_channels=4, out_channels=4,
    block_out_channels=[128, 128, 192], layers_per_block=1, norm_num_groups=32,
    down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    transformer_layers_per_block=[1, 1, 1], attention_head_dim=[2, 2, 3],
    cross_attention_dim=192, use_linear_projection=True, addition_embed_type="text_time",
    addition_time_embed_dim=32, projection_class_embeddings_input_dim=128 + 6 * 32,
)

SCHEDULER = dict(
    beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000,
    prediction_type="v_prediction", timestep_spacing="leading", steps_offset=1,
)


class TextEncoders(torch.nn.Module):
    """SDXL's two text encoders, side by side."""

    def __init__(self):
        super().__init__()
        self.first = CLIPTextModel(text_config(64, 2, "quick_gelu", VOCABULARY - 1))
        self.second = CLIPTextModelWithProjection(text_config(128, 3, "gelu", 0))
        for name, parameter in self.named_parameters():
            # Larger than CLIP's 0.02: the penultimate state reaches the UNet without a norm.
            if "token_embedding" in name:
                torch.nn.init.normal_(parameter, std=0.3)
            elif "position_embedding" in name:
                torch.nn.init.normal_(parameter, std=0.05)

    def forward(self, ids, ids_2):
        """ids: (b, 77). Returns the context (b, 77, 192) and the pooled vector (b, 128)."""
        first = self.first(ids, output_hidden_states=True)
        second = self.second(ids_2, output_hidden_states=True)
        context = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], -1)
        return context, second.text_embeds


@torch.no_grad()
def build_unet():
    """A UNet whose residual branches start small and whose output starts at zero."""
    unet = UNet2DConditionModel(**UNET)
    for module in unet.modules():
        kind = type(module).__name__
        if kind == "ResnetBlock2D":
            module.conv2.weight *= 0.2
        elif kind == "Transformer2DModel":
            module.proj_out.weight *= 0.2
    unet.conv_out.weight.zero_()
    unet.conv_out.bias.zero_()
    # Plain matrix products: on these short sequences a CPU runs them twice as fast as the fused
    # attention, whose backward pass is slow.
    unet.set_attn_processor(AttnProcessor())
    return unet.to(memory_format=torch.channels_last)


def build_pipeline(unet, text, vae):
    tokenizer, tokenizer_2 = tokenizers()
    return StableDiffusionXLPipeline(
        vae=vae, unet=unet, text_encoder=text.first, text_encoder_2=text.second,
        tokenizer=tokenizer, tokenizer_2=tokenizer_2,
        scheduler=EulerDiscreteScheduler(**SCHEDULER), force_zeros_for_empty_prompt=True,
        add_watermarker=False)


def build_preview():
    """A decoder in the layout of TAESD, for previews; it reads scaled latents, as the UNet does."""
    width = (32, 32, 32, 32)
    return AutoencoderTiny(
        encoder_block_out_channels=width, decoder_block_out_channels=width,
        num_encoder_blocks=(1, 1, 1, 1), num_decoder_blocks=(3, 2, 1, 1), scaling_factor=1.0,
    ).to(memory_format=torch.channels_last)
