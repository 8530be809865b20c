from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from gendeg import NAFNet
from gendeg.errors import CheckpointError, InputError
from gendeg.models.means import WindowMean
from reference import FOLDER, SPEC, relative_error, seeded_weights

SIZES = {"width": 4, "middle_blk_num": 1, "enc_blk_nums": [1, 0], "dec_blk_nums": [1, 2]}


@pytest.fixture(scope="module")
def reference_weights() -> dict[str, torch.Tensor]:
    return seeded_weights(SPEC["nafnet"]["shapes"], seed=100)


@pytest.fixture
def small() -> NAFNet:
    torch.manual_seed(0)
    net = NAFNet(**SIZES).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith(("beta", "gamma")):
                parameter.normal_()
    return net


@torch.no_grad()
def test_agrees_with_the_authors_program(reference_weights, tmp_path: Path) -> None:
    path = tmp_path / "NAFNet.pth"
    torch.save({"params": reference_weights}, path)
    net = NAFNet.from_original_checkpoint(path)
    for name, value in SPEC["nafnet"]["config"].items():
        assert net.config[name] == value
    reference = load_file(FOLDER / "nafnet.safetensors")
    assert relative_error(net(reference["input"]), reference["output"]) < 1e-5


@pytest.mark.parametrize("prefix", ["module.", "net.", "model.net_g.", ""])
def test_prefixes_are_removed(reference_weights, tmp_path: Path, prefix: str) -> None:
    save_file({prefix + name: tensor for name, tensor in reference_weights.items()}, tmp_path / "net.safetensors")
    net = NAFNet.from_original_checkpoint(tmp_path / "net.safetensors")
    assert torch.equal(net.state_dict()["ups.1.0.weight"], reference_weights["ups.1.0.weight"])


@pytest.mark.parametrize("channels", [1, 3])
def test_sizes_are_deduced_from_any_network(tmp_path: Path, channels: int) -> None:
    net = NAFNet(img_channel=channels, **SIZES)
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    config = NAFNet.from_original_checkpoint(tmp_path / "net.safetensors").config
    assert {name: config[name] for name in SIZES} == SIZES
    assert config.img_channel == channels


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (5, 8), (13, 7)])
def test_any_size_is_accepted_and_kept(small: NAFNet, size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    restored = small(image)
    assert restored.shape == image.shape
    assert (restored - image).abs().max() > 1e-4


@torch.no_grad()
def test_memory_format_does_not_change_the_result(small: NAFNet) -> None:
    image = torch.rand(1, 3, 12, 12)
    torch.testing.assert_close(small(image.contiguous(memory_format=torch.channels_last)), small(image))


@torch.no_grad()
def test_survives_saving_in_half_precision(small: NAFNet, tmp_path: Path) -> None:
    small.to(torch.bfloat16).save_pretrained(tmp_path)
    loaded = NAFNet.from_pretrained(tmp_path, dtype=torch.bfloat16)
    image = torch.rand(1, 3, 8, 8).bfloat16()
    assert torch.equal(loaded(image), small(image))


@torch.no_grad()
def test_local_converter_covering_the_image_changes_nothing(small: NAFNet) -> None:
    local = NAFNet(**SIZES, tlc_window=12).eval()
    local.load_state_dict(small.state_dict())
    image = torch.rand(2, 3, 12, 9)
    assert torch.equal(local(image), small(image))


@torch.no_grad()
def test_local_converter_sees_windows(small: NAFNet) -> None:
    local = NAFNet(**SIZES, tlc_window=8).eval()
    local.load_state_dict(small.state_dict())
    image = torch.rand(1, 3, 16, 40)
    changed = image.clone()
    changed[..., 32:] = 0
    far_left = (..., slice(0, 8))
    assert torch.equal(local(image)[far_left], local(changed)[far_left])
    assert not torch.equal(small(image)[far_left], small(changed)[far_left])
    assert torch.equal(local.train()(image), small(image))


def test_local_converter_is_an_option_of_loading(reference_weights, small: NAFNet, tmp_path: Path) -> None:
    save_file(reference_weights, tmp_path / "net.safetensors")
    assert NAFNet.from_original_checkpoint(tmp_path / "net.safetensors", tlc_window=7).config.tlc_window == 7
    small.save_pretrained(tmp_path / "net")
    loaded = NAFNet.from_pretrained(tmp_path / "net", tlc_window=6)
    assert [module.window for module in loaded.modules() if isinstance(module, WindowMean)] == [6, 1, 3, 6, 6]
    with pytest.raises(InputError, match="tlc_window=0"):
        NAFNet(tlc_window=0)


def test_gradient_checkpointing_changes_no_gradient(small: NAFNet) -> None:
    image = torch.rand(1, 3, 8, 8)
    gradients = []
    for _ in range(2):
        small.zero_grad()
        small(image).square().sum().backward()
        gradients.append({name: parameter.grad.clone() for name, parameter in small.named_parameters()})
        small.enable_gradient_checkpointing()
    for name in gradients[0]:
        torch.testing.assert_close(gradients[0][name], gradients[1][name])


def test_all_parameters_learn(small: NAFNet) -> None:
    small(torch.rand(1, 3, 8, 8)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in small.parameters())


def test_unequal_levels_are_refused() -> None:
    with pytest.raises(InputError, match="one entry for each level"):
        NAFNet(enc_blk_nums=[1, 1], dec_blk_nums=[1])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"width": -1}, "width=-1; give a whole number, at least 1"),
        ({"width": 2.5}, "width=2.5 is not a whole number"),
        ({"img_channel": 0}, "img_channel=0"),
        ({"middle_blk_num": -2}, "middle_blk_num=-2; give a whole number, at least 0"),
        ({"enc_blk_nums": 4}, "enc_blk_nums=4 is not a list"),
        ({"dec_blk_nums": [1, "2", 1, 1]}, r"dec_blk_nums\[1\]='2' is not a whole number"),
        ({"tlc_window": "large"}, "tlc_window='large' is not a whole number"),
    ],
)
def test_impossible_sizes_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        NAFNet(**config)


def test_missing_weights_are_named(reference_weights, tmp_path: Path) -> None:
    weights = {name: tensor for name, tensor in reference_weights.items() if name != "middle_blks.1.conv4.bias"}
    save_file(weights, tmp_path / "net.safetensors")
    with pytest.raises(CheckpointError, match=r"1 missing: middle_blks\.1\.conv4\.bias"):
        NAFNet.from_original_checkpoint(tmp_path / "net.safetensors")


def test_a_correction_module_is_not_a_restorer(tmp_path: Path) -> None:
    save_file(seeded_weights(SPEC["scm"]["shapes"], seed=107), tmp_path / "scm.safetensors")
    with pytest.raises(CheckpointError, match=r"structure correction, for `gendeg convert --scm`"):
        NAFNet.from_original_checkpoint(tmp_path / "scm.safetensors")


@pytest.mark.parametrize(
    ("names", "message"),
    [(["conv.weight"], "no 'intro.weight'"), (["a.intro.weight", "b.intro.weight"], r"several \(a\., b\.\)")],
)
def test_other_checkpoints_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    save_file({name: torch.zeros(1) for name in names}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=message):
        NAFNet.from_original_checkpoint(tmp_path / "other.safetensors")
