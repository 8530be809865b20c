import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from gendeg import PromptIR
from gendeg.errors import CheckpointError, InputError
from gendeg.models.promptir import ScaleNorm, unit_length
from gendeg.models.sizes import SIZES, create_restorer
from reference import FOLDER, SPEC, relative_error, seeded_weights

CONFIGS: list[dict[str, Any]] = [
    SIZES["promptir-tiny"][1],
    {"dim": 4, "num_blocks": [1, 2, 1, 3], "num_refinement_blocks": 2, "heads": [1, 2, 4, 2], "bias": True},
    {"dim": 6, "num_blocks": [1, 1, 1, 1], "heads": [2, 1, 3, 4], "ffn_expansion_factor": 1.5, "prompt_len": 3}
    | {"prompt_dims": [6, 9, 12], "prompt_sizes": [5, 4, 3]},
    {
        "dim": 8,
        "num_blocks": [1, 1, 2, 1],
        "layer_norm_type": "BiasFree",
        "num_refinement_blocks": 1,
        "inp_channels": 1,
    },
    {"dim": 8, "num_blocks": [2, 1, 1, 1], "num_refinement_blocks": 0, "decoder": False},
]


@pytest.fixture(scope="module")
def reference_weights() -> dict[str, torch.Tensor]:
    return seeded_weights(SPEC["promptir"]["shapes"], seed=111)


@pytest.fixture
def small() -> PromptIR:
    torch.manual_seed(0)
    net = create_restorer("promptir-tiny").eval()
    assert isinstance(net, PromptIR)
    return net


@torch.no_grad()
def test_agrees_with_the_authors_program(reference_weights, tmp_path: Path) -> None:
    state = {f"net.{name}": tensor for name, tensor in reference_weights.items()}
    torch.save({"state_dict": state, "epoch": 1}, tmp_path / "model.ckpt")
    net = PromptIR.from_original_checkpoint(tmp_path / "model.ckpt")
    with torch.device("meta"):
        assert net.to_json_string() == PromptIR().to_json_string()
    assert sum(parameter.numel() for parameter in net.parameters()) == 35_592_263
    reference = load_file(FOLDER / "promptir.safetensors")
    assert relative_error(net(reference["input"]), reference["output"]) < 1e-5


@pytest.mark.parametrize("config", CONFIGS)
def test_sizes_are_deduced_from_any_network(tmp_path: Path, config: dict[str, Any]) -> None:
    net = PromptIR(**config).eval()
    torch.save({"params": {f"module.{n}": t for n, t in net.state_dict().items()}}, tmp_path / "net.pth")
    loaded = PromptIR.from_original_checkpoint(tmp_path / "net.pth")
    given, deduced = (json.loads(model.to_json_string()) for model in (net, loaded))
    for sizes in (given, deduced):
        del sizes["ffn_expansion_factor"]  # small networks leave it some freedom
    assert deduced == given
    image = torch.rand(1, net.config.inp_channels, 8, 8)
    with torch.no_grad():
        assert torch.equal(loaded(image), net(image))


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (5, 8), (13, 23)])
@pytest.mark.parametrize("config", CONFIGS[2:])
def test_any_size_is_accepted_and_kept(size: tuple[int, int], config: dict[str, Any]) -> None:
    net = PromptIR(**config)
    image = torch.rand(2, net.config.inp_channels, *size)
    restored = net(image)
    assert restored.shape == image.shape
    assert (restored - image).abs().max() > 1e-4


@torch.no_grad()
def test_each_image_of_a_batch_is_restored_alone(small: PromptIR) -> None:
    images = torch.rand(3, 3, 16, 24)
    alone = torch.cat([small(image[None]) for image in images])
    torch.testing.assert_close(small(images), alone, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_survives_saving_in_half_precision(small: PromptIR, tmp_path: Path) -> None:
    image = torch.rand(1, 3, 16, 16)
    exact = small(image)
    small.to(torch.bfloat16).save_pretrained(tmp_path)
    loaded = PromptIR.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert torch.equal(loaded(image.bfloat16()), small(image.bfloat16()))
    assert (loaded(image.bfloat16()) - exact).abs().mean() < 0.05


@pytest.mark.parametrize("checkpointing", [False, True])
def test_all_parameters_learn_but_those_the_authors_never_use(small: PromptIR, checkpointing: bool) -> None:
    if checkpointing:
        small.enable_gradient_checkpointing()
    small.train()(torch.rand(1, 3, 8, 8)).square().sum().backward()
    for name, parameter in small.named_parameters():
        unused = name.startswith(("chnl_reduce", "reduce_noise_channel"))
        assert parameter.requires_grad != unused
        assert (parameter.grad is None) == unused, name


def test_gradient_checkpointing_changes_no_gradient(small: PromptIR) -> None:
    image = torch.rand(1, 3, 8, 8)
    small(image).square().sum().backward()
    weight = small.encoder_level1[0].ffn.project_in.weight
    expected = weight.grad
    weight.grad = None
    small.enable_gradient_checkpointing()
    small(image).square().sum().backward()
    torch.testing.assert_close(weight.grad, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_black_images_are_no_trouble(small: PromptIR, dtype: torch.dtype) -> None:
    small.to(dtype).train()(torch.zeros(1, 3, 8, 8, dtype=dtype)).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in small.parameters() if p.requires_grad)


def test_norms() -> None:
    x = torch.randn(2, 7, 3, 4) + 2
    normalized = ScaleNorm(7)(x)
    torch.testing.assert_close(normalized.std(1, correction=0), torch.ones(2, 3, 4), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(normalized / normalized[:, :1], x / x[:, :1])
    torch.testing.assert_close(unit_length(x.flatten(2)), torch.nn.functional.normalize(x.flatten(2), dim=1))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_blocks": [1, 1, 1]}, "four blocks and heads"),
        ({"dim": 6, "heads": [4, 1, 1, 1]}, "4 heads do not divide 6 channels"),
        ({"layer_norm_type": "Batch"}, "one of WithBias, BiasFree"),
        ({"dim": -8}, "dim=-8; give a whole number, at least 1"),
        ({"dim": 7}, "give an even dim"),
        ({"ffn_expansion_factor": 0}, "ffn_expansion_factor=0; give"),
        ({"ffn_expansion_factor": "2"}, "ffn_expansion_factor='2' is not a number"),
        ({"heads": [0, 1, 1, 1]}, r"heads\[0\]=0"),
        ({"prompt_sizes": 4}, "prompt_sizes=4 is not a list"),
    ],
)
def test_impossible_sizes_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PromptIR(**{"num_blocks": [1, 1, 1, 1], **config})


def test_other_checkpoints_are_refused(small: PromptIR, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    state = small.state_dict()
    save_file({name: tensor for name, tensor in state.items() if not name.startswith("latent.")}, path)
    with pytest.raises(CheckpointError, match=r"not the checkpoint of a PromptIR.*latent\.0"):
        PromptIR.from_original_checkpoint(path)
    save_file({name: tensor for name, tensor in state.items() if name != "prompt2.linear_layer.bias"}, path)
    with pytest.raises(CheckpointError, match=r"1 missing: prompt2\.linear_layer\.bias"):
        PromptIR.from_original_checkpoint(path)
    save_file(seeded_weights(SPEC["nafnet"]["shapes"], seed=100), path)
    with pytest.raises(CheckpointError, match=r"not the checkpoint of one PromptIR: it holds no 'encoder_level1"):
        PromptIR.from_original_checkpoint(path)
