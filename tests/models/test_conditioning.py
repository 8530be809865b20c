import pytest
import torch

from gendeg import DegradationConditioner
from gendeg.errors import InputError
from gendeg.severity import severity_one_hot


@pytest.fixture
def prompt() -> torch.Tensor:
    return torch.randn(3, 7, 10, generator=torch.Generator().manual_seed(0))


def one_hot(bins: int) -> torch.Tensor:
    return severity_one_hot([0.1, 0.3, float("nan")], [0.05, 0.1, float("nan")], bins)


def test_starts_as_identity_on_the_prompt(prompt: torch.Tensor) -> None:
    conditioner = DegradationConditioner(10, 7, 20)
    with torch.no_grad():
        conditioner.cc_projection.weight[:, 10:] = 0
    assert torch.equal(conditioner(prompt, one_hot(20)), prompt)


def test_follows_the_formula(prompt: torch.Tensor) -> None:
    conditioner = DegradationConditioner(10, 7, 20)
    severity = one_hot(20)
    codes = severity @ conditioner.stats_proj.weight.T + conditioner.stats_proj.bias
    mixed = torch.cat([prompt, codes.transpose(1, 2)], dim=-1) @ conditioner.cc_projection.weight.T
    torch.testing.assert_close(conditioner(prompt, severity), mixed + conditioner.cc_projection.bias)


def test_default_sizes_are_those_of_the_paper() -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in DegradationConditioner().state_dict().items()}
    assert shapes == {
        "stats_proj.weight": (77, 129),
        "stats_proj.bias": (77,),
        "cc_projection.weight": (768, 770),
        "cc_projection.bias": (768,),
    }


def test_smooth_start_gives_neighbouring_bins_similar_codes() -> None:
    codes = DegradationConditioner(severity_init="smooth").stats_proj.weight.detach().T  # (129, 77)
    distance = torch.cdist(codes[:128], codes[:128])
    near, far = distance.diagonal(1), distance[torch.arange(112), torch.arange(112) + 16]
    assert near.max() < 0.35 * far.min()
    assert (codes[128] == 0).all()


def test_smooth_severity_is_as_large_as_a_normalised_prompt() -> None:
    torch.manual_seed(0)
    conditioner = DegradationConditioner(severity_init="smooth")
    prompt = torch.zeros(1, 77, 768)
    code = conditioner(prompt, severity_one_hot([0.2], [0.1])).detach()
    assert 0.3 < code.std() < 3
    assert (conditioner(prompt, severity_one_hot([float("nan")], [float("nan")])) == 0).all()


def test_survives_saving(tmp_path, prompt: torch.Tensor) -> None:
    conditioner = DegradationConditioner(10, 7, 20, severity_init="smooth")
    conditioner.save_pretrained(tmp_path)
    assert (tmp_path / "diffusion_pytorch_model.safetensors").is_file()
    loaded = DegradationConditioner.from_pretrained(tmp_path)
    assert loaded.config.severity_init == "smooth"
    assert torch.equal(loaded(prompt, one_hot(20)), conditioner(prompt, one_hot(20)))


def test_works_in_half_precision(prompt: torch.Tensor) -> None:
    conditioner = DegradationConditioner(10, 7, 20)
    expected = conditioner(prompt, one_hot(20))
    half = conditioner.to(torch.bfloat16)(prompt.bfloat16(), one_hot(20))
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), expected, atol=0.05, rtol=0.05)


def test_refuses_other_shapes_and_starts(prompt: torch.Tensor) -> None:
    conditioner = DegradationConditioner(10, 7, 20)
    with pytest.raises(InputError, match=r"\(3, 2, 11\).*\(3, 2, 21\)"):
        conditioner(prompt, one_hot(10))
    for value in (None, torch.zeros(())):
        with pytest.raises(InputError, match=r"takes tensors \('B', 7, 10\)"):
            conditioner(value, one_hot(20))
    with pytest.raises(InputError, match="'default' or 'smooth'"):
        DegradationConditioner(severity_init="zero")
    for size in ({"text_dim": 0}, {"num_tokens": -1}, {"num_bins": 2.5}):
        with pytest.raises(InputError, match=f"{next(iter(size))}={next(iter(size.values()))}"):
            DegradationConditioner(**size)
