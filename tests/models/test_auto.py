import json
import pickle

import pytest
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from safetensors.torch import save_file

from gendeg import AutoRestorer, NAFNet
from gendeg.errors import CheckpointError, InputError
from gendeg.models import auto
from gendeg.models.promptir import PromptIR
from gendeg.models.restorer import Restorer


class Darkening(Restorer, ModelMixin, ConfigMixin):
    """A restorer that somebody else wrote."""

    @register_to_config
    def __init__(self, factor: float = 0.5) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(factor))

    def forward(self, x):
        return x * self.scale


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(auto, "_registered", {})
    return AutoRestorer.register(Darkening)


def test_loads_the_class_that_was_saved(tiny_restorer, tiny_restorer_folder):
    loaded = AutoRestorer.from_pretrained(tiny_restorer_folder)
    assert type(loaded) is NAFNet
    assert not loaded.training
    image = torch.rand(3, 20, 20)
    torch.testing.assert_close(loaded.restore(image), tiny_restorer.restore(image))


def test_arguments_reach_the_class(tiny_restorer_folder):
    loaded = AutoRestorer.from_pretrained(str(tiny_restorer_folder), dtype=torch.bfloat16, tlc_window=64)
    assert loaded.dtype == torch.bfloat16
    assert loaded.config.tlc_window == 64


def test_own_class(registered, tmp_path, photo_tensor):
    registered(0.25).save_pretrained(tmp_path)
    loaded = AutoRestorer.from_pretrained(tmp_path)
    assert torch.equal(loaded.restore(photo_tensor), photo_tensor * 0.25)
    assert AutoRestorer.from_config({"_class_name": "Darkening", "factor": 0.125}).scale == 0.125
    assert AutoRestorer.register(registered) is registered


def test_unknown_class_is_answered_with_the_known(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "UNet2DModel"}))
    for attempt in (AutoRestorer.from_pretrained, lambda folder: AutoRestorer.from_config({"_class_name": "UNet"})):
        with pytest.raises(CheckpointError, match=r"a UNet.*Known: NAFNet, PromptIR, SwinRestorer; .*register"):
            attempt(tmp_path)
    with pytest.raises(CheckpointError, match="describes no class"):
        AutoRestorer.from_config({"width": 3})


def test_what_is_no_restorer_is_not_registered(registered):
    with pytest.raises(InputError, match="subclass of Restorer"):
        AutoRestorer.register(torch.nn.Linear)
    with pytest.raises(InputError, match="Darkening already"):
        AutoRestorer.register(type("Darkening", (Darkening,), {}))
    with pytest.raises(InputError, match="NAFNet already"):
        AutoRestorer.register(type("NAFNet", (Darkening,), {}))


def test_from_config_by_name():
    assert type(AutoRestorer.from_config("nafnet-tiny")) is NAFNet
    with pytest.raises(InputError, match=r"'nafnet-huge'.*nafnet-width32"):
        AutoRestorer.from_config("nafnet-huge")


def small_promptir(decoder):
    return PromptIR(
        dim=8, num_blocks=[1] * 4, num_refinement_blocks=1, prompt_dims=[8] * 3, prompt_sizes=[4] * 3, decoder=decoder
    )


@pytest.mark.parametrize("prefix", ["", "module.", "net."])
def test_authors_files_are_recognised(tiny_restorer, tmp_path, prefix):
    for network in (tiny_restorer, small_promptir(decoder=True), small_promptir(decoder=False)):
        weights = network.state_dict()
        torch.save({"state_dict": {prefix + name: tensor for name, tensor in weights.items()}}, tmp_path / "net.ckpt")
        restorer = AutoRestorer.from_pretrained(tmp_path / "net.ckpt")
        assert type(restorer) is type(network)
        assert all(torch.equal(tensor, weights[name]) for name, tensor in restorer.state_dict().items())


class RunsCode:
    def __reduce__(self):
        return print, ("code in a pickle was run",)


def test_broken_folders_are_refused(tiny_restorer, tmp_path, capfd):
    def refusal():
        with pytest.raises(CheckpointError) as error:
            AutoRestorer.from_pretrained(tmp_path)
        assert "on the hub" not in str(error.value)
        return str(error.value)

    tiny_restorer.save_pretrained(tmp_path)
    weights = tmp_path / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    assert "Cannot load a restorer" in refusal()
    save_file({name: t for name, t in tiny_restorer.state_dict().items() if name != "ending.bias"}, weights)
    assert "ending.bias" in refusal()
    NAFNet(width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]).save_pretrained(tmp_path / "other")
    (tmp_path / "other" / weights.name).rename(weights)
    assert "Cannot load a restorer" in refusal()
    weights.unlink()
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps({"intro.weight": RunsCode()}, protocol=2))
    assert "Cannot load a restorer" in refusal()
    (tmp_path / "config.json").write_text('{"_class_name": "NAF')
    assert "Cannot load a restorer" in refusal()
    (tmp_path / "config.json").unlink()
    assert "no config.json" in refusal()
    assert "was run" not in capfd.readouterr().out


def test_what_is_not_there_is_refused():
    with pytest.raises(CheckpointError, match=r"No restorer at nafnet-tiny: .*gendeg\.checkpoint\(name\)"):
        AutoRestorer.from_pretrained("nafnet-tiny")
    with pytest.raises(CheckpointError, match=r"Cannot load a restorer from nobody/nothing \(no folder here"):
        AutoRestorer.from_pretrained("nobody/nothing")


def grey_networks():
    sizes = {"middle_blk_num": 1, "enc_blk_nums": [1], "dec_blk_nums": [1]}
    promptir = {"dim": 8, "num_blocks": [1] * 4, "num_refinement_blocks": 1, "decoder": False}
    return [NAFNet(img_channel=1, width=4, **sizes), PromptIR(inp_channels=1, **promptir)]


@pytest.mark.parametrize("network", grey_networks(), ids=["NAFNet", "PromptIR"])
def test_networks_of_grey_images_are_refused(network, tmp_path):
    network.save_pretrained(tmp_path / "folder")
    torch.save(network.state_dict(), tmp_path / "net.pth")
    attempts = [
        lambda: AutoRestorer.from_pretrained(tmp_path / "folder"),
        lambda: AutoRestorer.from_pretrained(tmp_path / "net.pth"),
        lambda: AutoRestorer.from_original_checkpoint(tmp_path / "net.pth"),
        lambda: AutoRestorer.from_config({"_class_name": type(network).__name__, **network.config}),
    ]
    for attempt in attempts:
        with pytest.raises(CheckpointError, match=r"from 1 to 1 channels; restorers go from 3 to 3 channels"):
            attempt()


@pytest.mark.parametrize("content", ["[]", "5", "null", '"NAFNet"'])
def test_a_configuration_that_is_no_object_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match="holds no JSON object"):
        AutoRestorer.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["a" * 5000, f"owner/{'a' * 5000}"])
def test_names_longer_than_a_file_can_have_are_refused(name):
    with pytest.raises(CheckpointError, match=r"No restorer at a|Cannot load a restorer from owner"):
        AutoRestorer.from_pretrained(name)
    with pytest.raises(CheckpointError, match="No checkpoint file"):
        AutoRestorer.from_original_checkpoint(name)


@pytest.mark.parametrize("argument", ["torch_dtype", "dtype"])
def test_dtypes_may_be_given_by_name(tiny_restorer_folder, argument):
    assert AutoRestorer.from_pretrained(tiny_restorer_folder, **{argument: "float16"}).dtype == torch.float16
    assert AutoRestorer.from_pretrained(tiny_restorer_folder, **{argument: None}).dtype == torch.float32
    for other in ("half precision", "nn", 16):
        with pytest.raises(InputError, match=f"{argument}={other!r} is no dtype of torch"):
            AutoRestorer.from_pretrained(tiny_restorer_folder, **{argument: other})


def test_loading_info_is_not_given(tiny_restorer_folder):
    with pytest.raises(InputError, match="output_loading_info is not taken"):
        AutoRestorer.from_pretrained(tiny_restorer_folder, output_loading_info=True)


def test_sizes_that_a_class_refuses():
    with pytest.raises(InputError, match="width=0"):
        AutoRestorer.from_config({"_class_name": "NAFNet", "width": 0})
