"""The scripts in `examples/`, run in this process."""

import runpy
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("script", "message"),
    [("train_autoencoder", "--photos"), ("train_generator", "either --pipeline"), ("train_scm", "Give --pipeline")],
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
    main(tiny_pipeline_folder, tmp_path / "tiny")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]
    assert not (tmp_path / "tiny" / "old").exists()
    assert (tmp_path / "tiny" / "README.md").read_text() == "# By hand"
    weights = load_file(tmp_path / "tiny" / "unet" / "diffusion_pytorch_model.safetensors")
    assert {str(weight.dtype) for weight in weights.values()} == {"torch.float16"}
