import pytest
import torch

from gendeg.errors import InputError
from gendeg.models.sizes import ALIASES, SIZES, create_restorer


@pytest.mark.parametrize("name", SIZES)
def test_every_name_makes_a_restorer(name: str) -> None:
    with torch.device("meta"):
        net = create_restorer(name)
    assert all(net.config[key] == value for key, value in SIZES[name][1].items())


@pytest.mark.parametrize("name", ALIASES)
def test_architectures_stand_for_sizes(name: str) -> None:
    with torch.device("meta"):
        net, size = create_restorer(name), create_restorer(ALIASES[name])
    assert type(net) is type(size)
    assert dict(net.config) == dict(size.config)


def test_the_packaged_size_fits_into_eight_megabytes_in_half_precision() -> None:
    parameters = create_restorer("nafnet-tiny").parameters()
    assert 2 * sum(parameter.numel() for parameter in parameters) < 8e6


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'nafnet-huge'\. Known: nafnet-width32, "):
        create_restorer("nafnet-huge")
