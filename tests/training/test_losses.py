import urllib.error
from pathlib import Path

import pytest
import torch
import torchmetrics.functional.image as functional
import torchvision
from torch import Tensor

from gendeg.errors import CheckpointError
from gendeg.training.losses import (
    VGG_FILE,
    PerceptualLoss,
    charbonnier_loss,
    frequency_loss,
    l1_loss,
    psnr_loss,
)
from gendeg.training.metrics import psnr, ssim


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(3, 3, 16, 20, generator=generator)
    noise = torch.randn(clean.shape, generator=generator) * torch.tensor([0.01, 0.1, 0.3]).view(3, 1, 1, 1)
    return (clean + noise).clamp(0, 1), clean


def test_charbonnier_lies_between_l1_and_l1_plus_epsilon(images: tuple[Tensor, Tensor]) -> None:
    l1 = l1_loss(*images)
    torch.testing.assert_close(l1, torch.nn.functional.l1_loss(*images))
    assert l1 < charbonnier_loss(*images) < l1 + 1e-3
    assert charbonnier_loss(images[1], images[1]).item() == pytest.approx(1e-3)


def test_psnr_loss_is_the_negative_mean_psnr_of_the_images(images: tuple[Tensor, Tensor]) -> None:
    expected = functional.peak_signal_noise_ratio(*images, data_range=1.0, dim=(1, 2, 3))
    assert psnr_loss(*images).item() == pytest.approx(-expected.item(), abs=1e-3)
    each = [psnr(restored, clean) for restored, clean in zip(*images, strict=True)]
    assert sum(each) / 3 == pytest.approx(expected.item(), abs=1e-3)
    assert psnr_loss(images[1], images[1], limit=40).item() == pytest.approx(-40, abs=1e-4)


def test_the_limit_evens_out_the_gradient_of_images_that_are_almost_clean(images: tuple[Tensor, Tensor]) -> None:
    def ratio(limit: float) -> float:
        restored = images[0].clone().requires_grad_()
        psnr_loss(restored, images[1], limit).backward()
        norms = restored.grad.flatten(1).norm(dim=1)
        return (norms[0] / norms[2]).item()

    assert ratio(80) > 10
    assert ratio(30) < ratio(80) / 5


def test_frequency_loss_sees_what_l1_sees_as_equal() -> None:
    clean = torch.zeros(1, 3, 16, 16)
    torch.testing.assert_close(frequency_loss(clean, clean), torch.tensor(0.0))
    flat = torch.full_like(clean, 0.1)
    stripes = flat.clone()
    stripes[..., ::2] *= -1
    noise = 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).sign()
    losses = [frequency_loss(image, clean).item() for image in (flat, stripes, noise)]
    assert losses[2] > 5 * max(losses[:2])  # all frequencies are wrong, instead of one


def test_frequency_loss_does_not_grow_with_the_image() -> None:
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    whole, part = (frequency_loss(image, torch.zeros_like(image)).item() for image in (noise, noise[..., :32, :32]))
    assert whole == pytest.approx(part, rel=0.05)


def test_ssim_of_equal_and_of_other_images(images: tuple[Tensor, Tensor]) -> None:
    restored, clean = images
    assert ssim(clean[0], clean[0]) == pytest.approx(1)
    assert ssim(restored[0], clean[0]) > ssim(restored[1], clean[1]) > ssim(restored[2], clean[2])


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The convolutions of a VGG-16 with random weights, under torchvision's names."""
    torch.manual_seed(0)
    with torch.device("meta"):
        names = {name: value.shape for name, value in torchvision.models.vgg16().features.state_dict().items()}
    weights = {f"features.{name}": 0.05 * torch.randn(shape) for name, shape in names.items()}
    path = tmp_path_factory.mktemp("vgg") / VGG_FILE
    torch.save(weights, path)
    return path


def test_perceptual_loss_from_a_file(vgg_file: Path, images: tuple[Tensor, Tensor]) -> None:
    loss = PerceptualLoss(vgg_file)
    first = torch.load(vgg_file, weights_only=True)["features.0.weight"]
    assert torch.equal(loss.network.net.slice1[0].weight, first)
    restored, clean = (torch.nn.functional.interpolate(image, size=(32, 32)) for image in images)
    restored = restored.clone().requires_grad_()
    value = loss(restored, clean)
    value.backward()
    assert value.item() > 0
    assert restored.grad.abs().sum() > 0
    assert loss(clean, clean).item() == pytest.approx(0, abs=1e-6)
    assert not any(parameter.requires_grad for parameter in loss.network.parameters())


def test_perceptual_loss_from_a_wrong_file(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=f"not torchvision's VGG-16.*{VGG_FILE}"):
        PerceptualLoss(tmp_path / "other.pth")


def test_perceptual_loss_without_network_says_which_file_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **kwargs: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", offline)
    with pytest.raises(CheckpointError, match=rf"{VGG_FILE}.*no network.*https://.*--perceptual-weights"):
        PerceptualLoss()
