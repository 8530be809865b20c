import pytest
import torch

from gendeg.models.blocks import ChannelNorm


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_compiled_norm_is_the_same_norm(dtype: torch.dtype, tolerance: float) -> None:
    generator = torch.Generator().manual_seed(0)
    norm = ChannelNorm(6)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(6, generator=generator))
        norm.bias.copy_(torch.randn(6, generator=generator))
    image = (5 + torch.randn(2, 6, 4, 3, generator=generator)).to(dtype)
    compiled = torch.compile(norm.to(dtype), backend="eager")(image)
    assert compiled.dtype == dtype
    torch.testing.assert_close(compiled, norm(image), atol=tolerance, rtol=tolerance)
