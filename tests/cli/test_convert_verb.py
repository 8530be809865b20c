import pickle

import pytest
import torch

from gendeg import AutoRestorer, GenDegPipeline, NAFNet
from reference import FOLDER, SPEC, original_generator, seeded_weights

OPTIONS = [
    "--config",
    FOLDER / "generate.yaml",
    "--tokenizer",
    FOLDER / "tokenizer",
    "--text-encoder-config",
    FOLDER / "text_encoder_config.json",
]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    torch.save({"state_dict": original_generator()}, folder / "gendeg.ckpt")
    torch.save({"state_dict": seeded_weights(SPEC["scm"]["shapes"], seed=107)}, folder / "nafnet_sd.ckpt")
    return folder


def test_convert_then_load(gendeg, checkpoints, tmp_path):
    output = tmp_path / "mine"
    scm = ["--scm", checkpoints / "nafnet_sd.ckpt"]
    result = gendeg("convert", checkpoints / "gendeg.ckpt", *OPTIONS, *scm, "-o", output)
    assert result.exit_code == 0, result.output
    averaged = GenDegPipeline.from_pretrained(output)
    assert averaged.scm is not None
    result = gendeg("convert", checkpoints / "gendeg.ckpt", *OPTIONS, "--raw-weights", "-o", tmp_path / "raw")
    assert result.exit_code == 0, result.output
    raw = GenDegPipeline.from_pretrained(tmp_path / "raw")
    assert raw.scm is None
    assert not torch.equal(raw.unet.conv_out.weight, averaged.unet.conv_out.weight)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "raw"]


def test_existing_folders_are_not_overwritten(gendeg, checkpoints, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    result = gendeg("convert", checkpoints / "gendeg.ckpt", *OPTIONS, "-o", tmp_path)
    assert result.exit_code == 2
    assert "exists already" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


class RunsCode:
    def __reduce__(self):
        return print, ("code in a pickle was run",)


def test_what_is_no_checkpoint_is_refused_and_nothing_is_left(gendeg, tmp_path, capfd):
    (tmp_path / "text.ckpt").write_text("hello")
    (tmp_path / "code.ckpt").write_bytes(pickle.dumps({"state_dict": RunsCode()}, protocol=2))
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, tmp_path / "other.ckpt")
    for name in ("text.ckpt", "code.ckpt", "other.ckpt", "missing.ckpt"):
        result = gendeg("convert", tmp_path / name, *OPTIONS, "-o", tmp_path / "out")
        assert result.exit_code == 2, result.output
        assert name in result.stderr
        assert "Traceback" not in result.output
    assert not list(tmp_path.glob("*out*"))
    assert "code in a pickle was run" not in capfd.readouterr().out


def test_files_that_need_something_else_say_what(gendeg, checkpoints, tmp_path):
    def refusal(file):
        result = gendeg("convert", file, "-o", tmp_path / "out")
        assert result.exit_code == 2, result.output
        assert not (tmp_path / "out").exists()
        return result.stderr

    assert "--config generate.yaml" in refusal(checkpoints / "gendeg.ckpt")
    assert "structure correction, for `gendeg convert --scm`" in refusal(checkpoints / "nafnet_sd.ckpt")
    torch.save({"body.weight": torch.zeros(2)}, tmp_path / "other.pth")
    assert "neither a NAFNet, a PromptIR nor a generator" in refusal(tmp_path / "other.pth")


PUBLISHED = {  # blocks in the middle, of the encoder and of the decoder
    "GoPro": (1, [1, 1, 1, 28], [1, 1, 1, 1]),
    "SIDD": (12, [2, 2, 4, 8], [2, 2, 2, 2]),
}
WRAPPINGS = {
    "params": lambda weights: {"params": weights},
    "state_dict": lambda weights: {"state_dict": weights, "epoch": 3},
    "bare": lambda weights: weights,
    "module": lambda weights: {"params": {f"module.{name}": weight for name, weight in weights.items()}},
    "net": lambda weights: {"state_dict": {f"net.{name}": weight for name, weight in weights.items()}},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("task", PUBLISHED)
def test_the_sizes_of_published_networks_are_recognised(gendeg, tmp_path, task, wrapping):
    middle, encoder, decoder = PUBLISHED[task]
    weights = NAFNet(width=2, middle_blk_num=middle, enc_blk_nums=encoder, dec_blk_nums=decoder).state_dict()
    torch.save(WRAPPINGS[wrapping](weights), tmp_path / "net.pth")
    result = gendeg("convert", tmp_path / "net.pth", "-o", tmp_path / "net")
    assert result.exit_code == 0, result.output
    config = AutoRestorer.from_pretrained(tmp_path / "net").config
    assert [config.width, config.middle_blk_num] == [2, middle]
    assert [config.enc_blk_nums, config.dec_blk_nums] == [encoder, decoder]


@pytest.mark.parametrize(
    "options", [["--scm", "scm.ckpt"], ["--tokenizer", "clip"], ["--text-encoder-config", "c.json"], ["--raw-weights"]]
)
def test_options_of_generators_need_the_yaml(gendeg, tmp_path, options):
    torch.save(NAFNet(width=2, enc_blk_nums=[1], dec_blk_nums=[1]).state_dict(), tmp_path / "net.pth")
    result = gendeg("convert", tmp_path / "net.pth", *options, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert f"{options[0]} only concerns a generator" in result.stderr
    assert not (tmp_path / "out").exists()


def test_networks_of_grey_images_are_refused(gendeg, tmp_path):
    weights = NAFNet(img_channel=1, width=2, enc_blk_nums=[1], dec_blk_nums=[1]).state_dict()
    torch.save(weights, tmp_path / "net.pth")
    result = gendeg("convert", tmp_path / "net.pth", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "restorers go from 3 to 3 channels" in result.stderr
    assert not (tmp_path / "out").exists()
