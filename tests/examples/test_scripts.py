"""The scripts in `examples/`, run in this process."""

import re
import runpy
import sys
from pathlib import Path

import pytest
import torch
import typer
from diffusers import DPMSolverMultistepScheduler
from safetensors.torch import load_file

from gendeg import GenDegPipeline, NAFNet
from gendeg.models.auto import AutoRestorer

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("train_autoencoder", "--photos"),
        ("train_generator", "either --pipeline"),
        ("train_scm", "Give --pipeline"),
        ("train_restorer", "either --model"),
    ],
)
def test_training_scripts_say_what_is_missing(
    script: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{script}.py"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(EXAMPLES / f"{script}.py"), run_name="__main__")
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert message in error
    assert error.count("\n") == 1


def test_packaging_starts_anew_after_a_stopped_run(tiny_pipeline_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.partial" / "old").mkdir(parents=True)
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "README.md").write_text("# By hand")
    main = runpy.run_path(str(EXAMPLES / "package_checkpoint.py"))["main"]
    main(tmp_path / "tiny", pipeline=tiny_pipeline_folder)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]
    assert not (tmp_path / "tiny" / "old").exists()
    assert (tmp_path / "tiny" / "README.md").read_text() == "# By hand"
    weights = load_file(tmp_path / "tiny" / "unet" / "diffusion_pytorch_model.safetensors")
    assert {str(weight.dtype) for weight in weights.values()} == {"torch.float16"}
    scheduler = GenDegPipeline.from_pretrained(tmp_path / "tiny").scheduler
    assert (type(scheduler), scheduler.config.algorithm_type) == (DPMSolverMultistepScheduler, "sde-dpmsolver++")
    assert scheduler.config.prediction_type == "v_prediction"


def test_a_restorer_is_packaged_in_half_precision_with_the_card_of_its_run(tmp_path: Path) -> None:
    restorer = NAFNet(width=4, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1])
    restorer.save_pretrained(tmp_path / "run")
    (tmp_path / "run" / "README.md").write_text("# By the run")
    main = runpy.run_path(str(EXAMPLES / "package_checkpoint.py"))["main"]
    main(tmp_path / "tiny", restorer=tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "tiny").iterdir()) == [
        "README.md",
        "config.json",
        "diffusion_pytorch_model.safetensors",
    ]
    assert (tmp_path / "tiny" / "README.md").read_text() == "# By the run"
    loaded = AutoRestorer.from_pretrained(tmp_path / "tiny")
    assert loaded.dtype == torch.float32
    torch.testing.assert_close(loaded.intro.weight, restorer.intro.weight, atol=1e-3, rtol=1e-3)
    main(tmp_path / "whole", restorer=tmp_path / "run", dtype="float32")
    assert torch.equal(AutoRestorer.from_pretrained(tmp_path / "whole").intro.weight, restorer.intro.weight)
    with pytest.raises(typer.BadParameter, match="either --pipeline or --restorer"):
        main(tmp_path / "none")


def test_a_larger_generator_computes_the_same(tmp_path: Path) -> None:
    grow = runpy.run_path(str(EXAMPLES / "grow_tiny_pipeline.py"))["grow"]
    create_unet = runpy.run_path(str(EXAMPLES / "create_tiny_pipeline.py"))["create_unet"]
    torch.manual_seed(0)
    small = create_unet(latent_channels=4).eval()
    large = grow(small).eval()
    inputs = torch.randn(2, 8, 16, 24), torch.tensor([10, 900]), torch.randn(2, 77, 64)
    with torch.no_grad():
        assert torch.equal(large(*inputs).sample, small(*inputs).sample)
    large.train()(*inputs).sample.square().mean().backward()
    new = [large.down_blocks[0].resnets[1].conv2, large.up_blocks[-1].resnets[1].conv2, large.add_embedding.norm2]
    assert all(layer.weight.grad.abs().sum() > 0 for layer in new)
    with pytest.raises(typer.BadParameter, match="already"):
        grow(large)


def test_a_described_phrase_learns_the_embedding_of_the_phrase_alone(
    tiny_pipeline: GenDegPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    main = runpy.run_path(str(EXAMPLES / "teach_captions.py"))["main"]
    tiny_pipeline.save_pretrained(tmp_path / "before")
    main(tmp_path / "before", tmp_path / "after", steps=12, batch_size=4, learning_rate=1e-3, seed=0)
    lines = [line for line in capsys.readouterr().out.splitlines() if "described" in line]
    (far, nothing), (nearer, little) = ([float(number) for number in re.findall(r"\d+\.\d+", line)] for line in lines)
    assert nearer < far
    assert nothing == 0
    assert little < 0.1 * far
    taught = GenDegPipeline.from_pretrained(tmp_path / "after")
    assert taught.tokenizer.truncation_side == "left"
    for part in ("unet", "vae", "conditioner"):
        for name, weight in getattr(taught, part).state_dict().items():
            assert torch.equal(weight, getattr(tiny_pipeline, part).state_dict()[name])


def test_the_phrase_is_found_behind_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words 5 and 6, with an unknown character in between, stand before the phrase 2, 3."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    targets_of = runpy.run_path(str(EXAMPLES / "teach_captions.py"))["embedding_targets"]
    end = 1
    alone = torch.tensor([[0, 2, 3, end, end, end, end, end]])
    described = torch.tensor([[0, 5, end, 6, 2, 3, end, end]])
    embeds = torch.arange(8.0)[None, :, None]
    assert targets_of(described, alone, embeds, end).flatten().tolist() == [0, 1, 2, 3, 1, 2, 6, 7]
