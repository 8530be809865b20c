"""Networks are as small as they can be, as recording takes a while."""

import sys

import onnxruntime
import pytest
import torch

from gendeg import NAFNet, checkpoint
from gendeg.errors import InputError, MissingExtraError
from gendeg.models import export
from gendeg.models.export import export_onnx, export_program

SIZES = [(16, 16), (32, 48), (17, 33), (64, 21)]
SWIN_SIZES = [(33, 33), (64, 128), (95, 40), (300, 50)]


def random_nafnet(levels):
    torch.manual_seed(0)
    net = NAFNet(width=4, middle_blk_num=1, enc_blk_nums=[1] * levels, dec_blk_nums=[1] * levels).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith(("beta", "gamma")):
                parameter.normal_()
    return net


@pytest.fixture(scope="module")
def network():
    return random_nafnet(levels=1)


@pytest.fixture(scope="module")
def program(network):
    return export_program(network)


@torch.no_grad()
def assert_onnx_agrees(restorer, program, folder, monkeypatch, sizes, *, atol, rtol):
    """An exported file holds the network, and nothing else is left in its folder; `program` saves recording again."""
    monkeypatch.setattr(export, "export_program", lambda restorer: program)
    assert export_onnx(restorer, folder / "net.onnx") < atol
    assert [path.name for path in folder.iterdir()] == ["net.onnx"]
    session = onnxruntime.InferenceSession(folder / "net.onnx", providers=["CPUExecutionProvider"])
    for size in sizes:
        image = torch.rand(1, 3, *size)
        (restored,) = session.run(["restored"], {"image": image.numpy()})
        torch.testing.assert_close(torch.from_numpy(restored), restorer(image), atol=atol, rtol=rtol)


@torch.no_grad()
@pytest.mark.parametrize("size", SIZES)
def test_program_agrees_at_any_size(network, program, size):
    image = torch.rand(1, 3, *size)
    torch.testing.assert_close(program.module()(image), network(image), atol=1e-5, rtol=0)


def test_four_levels_are_recorded_for_any_remainder(tmp_path, monkeypatch):
    """As `nafnet-tiny` has; the recorded remainder of the sides by 16 was taken for that of all images."""
    net = random_nafnet(levels=4)
    program = export_program(net)
    sizes = [(17, 17), (32, 48), (31, 18), (50, 101)]
    assert_onnx_agrees(net, program, tmp_path, monkeypatch, sizes, atol=1e-4, rtol=1e-4)


def test_onnx_agrees_at_any_size(network, program, tmp_path, monkeypatch, capsys):
    assert_onnx_agrees(network, program, tmp_path, monkeypatch, SIZES, atol=1e-5, rtol=0)
    assert capsys.readouterr().out == ""


def test_half_precision_is_refused(network):
    with pytest.raises(InputError, match=r"bfloat16 on cpu; export it from float32"):
        export_program(NAFNet(width=4, enc_blk_nums=[1], dec_blk_nums=[1], middle_blk_num=0).bfloat16())


def test_without_onnx_the_extra_is_named(network, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"gendeg\[onnx\]"):
        export_onnx(network, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_the_local_converter_is_refused():
    net = NAFNet.from_pretrained(checkpoint("nafnet-tiny"))
    with pytest.raises(InputError, match=r"local converter cannot be recorded.*tlc_window=None"):
        export_program(net)


@pytest.fixture(scope="module")
def swin(tiny_swin):
    return tiny_swin("swin_tiny_patch4_window7_224", 7, depths=(1, 1, 1, 2))


@pytest.fixture(scope="module")
def swin_program(swin):
    return export_program(swin)


@torch.no_grad()
@pytest.mark.parametrize("size", SWIN_SIZES)
def test_swin_agrees_at_any_size(swin, swin_program, size):
    image = torch.rand(1, 3, *size)
    torch.testing.assert_close(swin_program.module()(image), swin(image), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_swin_v2_agrees_at_any_size(tiny_swin):
    net = tiny_swin("swinv2_tiny_window8_256", 4, depths=(1, 1, 1, 2))
    program = export_program(net).module()
    for size in SWIN_SIZES:
        image = torch.rand(1, 3, *size)
        torch.testing.assert_close(program(image), net(image), atol=1e-5, rtol=1e-5)


def test_swin_as_onnx_agrees_at_any_size(swin, swin_program, tmp_path, monkeypatch):
    assert_onnx_agrees(swin, swin_program, tmp_path, monkeypatch, SWIN_SIZES, atol=1e-4, rtol=1e-4)


def test_after_recording_timm_attends_again(swin, swin_program):
    assert not any("_attn" in vars(module) for module in swin.encoder.modules())
