import pytest
import torch

from gendeg.models.swin import SwinRestorer


@pytest.fixture(scope="session")
def tiny_swin():
    """Makes a SwinRestorer of an encoder of timm, of a size for tests, with random weights throughout."""

    def build(encoder_name, window, depths=(2, 2, 2, 2)):
        options = {"embed_dim": 8, "depths": depths, "num_heads": (1, 2, 4, 8), "window_size": window}
        torch.manual_seed(0)
        net = SwinRestorer(encoder_name, options | {"img_size": 32 * window}, (8, 8, 8, 8, 8)).eval()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.normal_(std=0.2)  # as created, the blocks of Swin V2 add nothing
        return net

    return build
