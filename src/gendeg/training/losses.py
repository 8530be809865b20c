"""Losses between restored and clean images, (B, 3, H, W) in [0, 1]; each returns a scalar."""

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from gendeg.checkpoints import read_state_dict
from gendeg.errors import CheckpointError, MissingExtraError

VGG_FILE = "vgg16-397923af.pth"
VGG_URL = f"https://download.pytorch.org/models/{VGG_FILE}"


def l1_loss(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean absolute error."""
    return (restored - clean).abs().mean()


def charbonnier_loss(restored: Tensor, clean: Tensor, eps: float = 1e-3) -> Tensor:
    """Mean of `sqrt(error^2 + eps^2)`: L1 that is smooth at 0 (arXiv 1710.01992)."""
    return ((restored - clean).square() + eps**2).sqrt().mean()


def psnr_loss(restored: Tensor, clean: Tensor, limit: float = 80.0) -> Tensor:
    """Negative PSNR in dB, averaged over images: the loss of NAFNet, `10 * log10(mse + eps)` with `eps = 1e-8`.

    Args:
        restored, clean: the images.
        limit: `-10 * log10(eps)`, the PSNR of perfect images. An image weighs most when its PSNR is at the limit, less
            below and above. At 80 dB, as in NAFNet, images that need no restoration outweigh the others; where
            degradations are strong, 20 to 30 dB evens that out.
    """
    squared_error = (restored - clean).square().mean(dim=(1, 2, 3))
    return 10 * (squared_error + 10 ** (-limit / 10)).log10().mean()


def frequency_loss(restored: Tensor, clean: Tensor) -> Tensor:
    """L1 between real and imaginary parts of the Fourier transforms (MIMO-UNet, arXiv 2108.05054).

    The transform is orthonormal, so that the loss does not grow with the images.
    """
    difference = torch.fft.rfft2((restored - clean).float(), norm="ortho")
    return torch.view_as_real(difference).abs().mean()


class PerceptualLoss:
    """LPIPS with VGG-16 (arXiv 1801.03924), from torchmetrics, which brings the learned weights of the layers.

    Args:
        weights: file of the ImageNet weights of torchvision's VGG-16 (`vgg16-397923af.pth`); None lets torchvision load
            them from its cache, or download them.

    Raises:
        MissingExtraError: torchmetrics or torchvision is not installed.
        CheckpointError: the file cannot be read or is of another network, or cannot be downloaded.
    """

    def __init__(self, weights: str | os.PathLike[str] | None = None):
        try:
            from torchmetrics.functional.image.lpips import _LPIPS
        except ImportError as error:
            raise _missing_extra() from error
        try:
            self.network: nn.Module = _LPIPS(net="vgg", pnet_rand=weights is not None)
        except ModuleNotFoundError as error:  # torchvision
            raise _missing_extra() from error
        except (OSError, RuntimeError) as error:
            raise CheckpointError(
                f"The perceptual loss needs {VGG_FILE}, which cannot be downloaded ({error}). Get it from {VGG_URL} "
                f"and name it with --perceptual-weights, or put it into {Path(torch.hub.get_dir()) / 'checkpoints'}."
            ) from error
        if weights is not None:
            _load_vgg(self.network.net, weights)

    def to(self, device: torch.device) -> None:
        """Move the network."""
        self.network.to(device)

    def __call__(self, restored: Tensor, clean: Tensor) -> Tensor:
        """Mean LPIPS distance."""
        return self.network(restored, clean, normalize=True).mean()


def _missing_extra() -> MissingExtraError:
    return MissingExtraError('The perceptual loss needs torchmetrics and torchvision: pip install "gendeg[training]".')


def _load_vgg(features: nn.Module, path: str | os.PathLike[str]) -> None:
    """Copy VGG-16 from torchvision's names (`features.0.weight`) to those of LPIPS (`slice1.0.weight`)."""
    weights = read_state_dict(path)
    names = {name: f"features.{name.split('.', 1)[1]}" for name in features.state_dict()}
    try:
        features.load_state_dict({name: weights[torchvision_name] for name, torchvision_name in names.items()})
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is not torchvision's VGG-16 ({error}). The perceptual loss needs {VGG_FILE}: {VGG_URL}."
        ) from error
