import torch
from diffusers import AutoencoderTiny

from gendeg.training.pooling_start import start_as_pooling


def test_autoencoder_starts_as_average_pooling(photo_tensor):
    vae = AutoencoderTiny(
        encoder_block_out_channels=(16, 16, 16),
        decoder_block_out_channels=(16, 16, 16),
        num_encoder_blocks=(0, 1, 1),
        num_decoder_blocks=(1, 1, 1),
        latent_channels=8,
    )
    start_as_pooling(vae)
    images = photo_tensor[None] * 2 - 1
    with torch.no_grad():
        latents = vae.encode(images).latents
        decoded = vae.decode(latents).sample
    means = torch.nn.functional.avg_pool2d(images, 4)
    torch.testing.assert_close(latents[:, :3], means, atol=1e-5, rtol=0)
    squashed = 3 * torch.tanh(means / 3)  # the decoder begins with this
    torch.testing.assert_close(decoded, torch.nn.functional.interpolate(squashed, scale_factor=4), atol=1e-5, rtol=0)
