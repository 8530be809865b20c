import gc
import json
import weakref

import numpy as np
import PIL.Image
import pytest
import torch
from diffusers import DiffusionPipeline

from gendeg import GenDegOutput, GenDegPipeline, Severity
from gendeg.cli.degrade import _reach
from gendeg.cli.generator import load_pipeline
from gendeg.errors import CheckpointError
from gendeg.imaging import read_image


def test_same_as_the_pipeline(gendeg, photo_file, tiny_pipeline_folder, tmp_path):
    settings = ["--mu", 0.2, "--sigma", 0.08, "--prompt", "a portrait", "--seed", 5, "--steps", 1]
    output = tmp_path / "out.png"
    result = gendeg(
        "degrade", photo_file, "-d", "haze", *settings, "--model", tiny_pipeline_folder, "-o", output, "--save-target"
    )
    assert result.exit_code == 0, result.output
    assert "requested mu=0.2000, sigma=0.0800; achieved mu=" in result.output
    pipe = GenDegPipeline.from_pretrained(tiny_pipeline_folder)
    expected = pipe(
        read_image(photo_file),
        "haze",
        mu=0.2,
        sigma=0.08,
        prompt="a portrait",
        num_inference_steps=1,
        generator=torch.Generator().manual_seed(5),
    )
    assert (np.asarray(PIL.Image.open(output)) == np.asarray(expected.images[0])).all()
    assert (np.asarray(PIL.Image.open(tmp_path / "out_target.png")) == np.asarray(expected.targets[0])).all()


def test_folder(gendeg, photo_folder, tiny_pipeline_folder, tmp_path):
    (photo_folder / "tiny.png").write_bytes(b"")
    output = tmp_path / "out"
    arguments = [
        "degrade",
        photo_folder,
        "-d",
        "all",
        "--model",
        tiny_pipeline_folder,
        "--prompt",
        "a park",
        "-o",
        output,
    ]
    result = gendeg(*arguments)
    assert result.exit_code == 1
    assert "18 of 24 images are there, 18 of them new" in result.stdout
    rows = [json.loads(line) for line in (output / "metadata.jsonl").read_text().splitlines()]
    assert {row["degradation"] for row in rows} == {"haze", "rain", "snow", "motion_blur", "low_light", "raindrop"}
    row = rows[0]
    assert row["prompt"] == "a park, in hazy conditions"
    pipe = GenDegPipeline.from_pretrained(tiny_pipeline_folder)
    again = pipe(
        read_image(photo_folder / row["source"]),
        row["degradation"],
        prompt="a park",
        generator=torch.Generator().manual_seed(row["seed"]),
    )
    assert (again.requested.mu[0], again.requested.sigma[0]) == (row["requested_mu"], row["requested_sigma"])
    assert (np.asarray(read_image(output / row["file_name"])) == np.asarray(again.images[0])).all()
    assert "18 of 24 images are there, 0 of them new" in gendeg(*arguments).stdout


@pytest.mark.parametrize("step", ["prepare_images", "__call__"])
def test_a_photo_without_enough_memory_does_not_end_the_folder(
    gendeg, photo_folder, tiny_pipeline_folder, monkeypatch, tmp_path, step
):
    """Nor does what it took stay in memory."""
    whole = getattr(GenDegPipeline, step)
    taken = []

    def fail_once(*arguments, **settings):
        if not taken:
            latents = torch.zeros(1)
            taken.append(weakref.ref(latents))
            raise torch.OutOfMemoryError("full")
        gc.collect()
        assert taken[0]() is None
        return whole(*arguments, **settings)

    monkeypatch.setattr(GenDegPipeline, step, fail_once)
    result = gendeg("degrade", photo_folder, "-d", "haze", "--model", tiny_pipeline_folder, "-o", tmp_path / "out")
    assert result.exit_code == 1, result.output
    assert "2 of 3 images are there" in result.stdout
    assert "a.png: Out of memory; give a smaller --resolution" in result.stderr


def test_own_prior(gendeg, photo_file, tiny_pipeline_folder, tmp_path):
    from gendeg import SeverityPrior

    SeverityPrior.from_severities([0.3], [0.1], ["haze"], ["x"], random_fraction=0).save(tmp_path / "prior.json")
    arguments = ["degrade", photo_file, "--model", tiny_pipeline_folder, "--prior", tmp_path / "prior.json", "-d"]
    assert "requested mu=0.299" in gendeg(*arguments, "haze", "-o", tmp_path / "out.png").output
    result = gendeg(*arguments, "rain", "-o", tmp_path / "rain.png")
    assert result.exit_code == 2
    assert "This prior knows haze, not rain" in result.stderr


def test_calibration_is_recorded(gendeg, photo_folder, tiny_pipeline_folder, tmp_path):
    arguments = ["-d", "haze", "--mu", 0.02, "--sigma", 0.05, "--calibrate", "--model", tiny_pipeline_folder]
    gendeg("degrade", photo_folder, *arguments, "-o", tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "metadata.jsonl").read_text().splitlines()]
    assert len(rows) == 3
    for row in rows:
        assert row["calibrated"] == (abs(row["achieved_mu"] - 0.02) < 0.003)
    result = gendeg("degrade", photo_folder / "a.png", *arguments, "--mu", 0.6, "-o", tmp_path / "out.png")
    assert result.exit_code == 0
    assert "1 of 1 images did not reach" in result.stderr
    assert "as close to mu as its bounds allow" in result.stderr


def test_a_severity_that_the_generator_misses_is_told(gendeg, photo_file, photo_folder, tiny_pipeline_folder, tmp_path):
    arguments = ["-d", "haze", "--mu", 0.6, "--sigma", 0.05, "--model", tiny_pipeline_folder, "-o"]
    result = gendeg("degrade", photo_file, *arguments, tmp_path / "out.png")
    assert result.exit_code == 0
    assert "out.png: requested mu=0.6000, sigma=0.0500; achieved mu=" in result.stderr
    assert "--calibrate" in result.stderr
    result = gendeg("degrade", photo_folder, *arguments, tmp_path / "out")
    assert "3 of 3 images did not reach" in result.stderr


@pytest.mark.parametrize(
    ("requested", "achieved", "is_met", "is_met_calibrated"),
    [
        (0.0, 0.004, True, True),
        (0.008, 0.0125, True, True),
        (0.009, 0.031, False, False),
        (0.02, 0.028, True, False),
        (0.2, 0.225, True, False),
        (0.2, 0.24, False, False),
    ],
)
def test_mu_is_missed_by_half_of_it_or_by_its_limit(requested, achieved, is_met, is_met_calibrated):
    severities = [Severity(np.array([mu]), np.array([0.1])) for mu in (requested, achieved)]
    result = GenDegOutput([None], [None], *severities)
    assert _reach(None, calibrate=False).is_met(result) == is_met
    assert _reach(None, calibrate=True).is_met(result) == is_met_calibrated


def test_bad_settings_end_a_folder_at_once(gendeg, photo_folder, tiny_pipeline_folder, tmp_path):
    arguments = ["--model", tiny_pipeline_folder, "--steps", 0, "-o", tmp_path / "out"]
    result = gendeg("degrade", photo_folder, "-d", "haze", *arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.glob("out/**/*.png"))


def test_too_small_photo(gendeg, tiny_pipeline_folder, tmp_path):
    PIL.Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    result = gendeg(
        "degrade", tmp_path / "one.png", "-d", "haze", "--model", tiny_pipeline_folder, "-o", tmp_path / "out.png"
    )
    assert result.exit_code == 2
    assert "at least" in result.stderr
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(("text", "shown"), [("", "ValueError"), ("two\nlines", "two")])
def test_an_error_of_a_library_is_one_line(tiny_pipeline_folder, monkeypatch, text, shown):
    def fail(folder, **kwargs):
        raise ValueError(text)

    monkeypatch.setattr(DiffusionPipeline, "from_pretrained", fail)
    with pytest.raises(CheckpointError, match=f": {shown}$"):
        load_pipeline(str(tiny_pipeline_folder), "cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--alignment", "best"], "'transfer'"),
        (["--steps", 0], "at least 1"),
        (["--resolution", 3], "resolution=3"),
        (["--device", "abacus"], "device 'abacus'. Devices are cpu, cuda, cuda:1, ... and mps; this machine has cpu"),
        (["--seed", 2**63], "9223372036854775807"),
        (["--prior", "missing.json"], "No prior file"),
    ],
)
def test_bad_arguments(gendeg, photo_file, tiny_pipeline_folder, tmp_path, arguments, message):
    output = tmp_path / "out.png"
    result = gendeg("degrade", photo_file, "-d", "haze", "--model", tiny_pipeline_folder, *arguments, "-o", output)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert not output.exists()


def test_what_is_no_pipeline(gendeg, photo_file, tmp_path):
    def message(model):
        result = gendeg("degrade", photo_file, "-d", "haze", "--model", model, "-o", tmp_path / "out.png")
        assert result.exit_code == 2, result.output
        assert result.stderr.count("\n") == 1
        return result.stderr

    assert "no model_index.json" in message(tmp_path)
    assert "no model_index.json" in message(photo_file)
    assert "No packaged checkpoint 'gendeg-huge'" in message("gendeg-huge")
    assert "`gendeg restore` and AutoRestorer.from_pretrained take it" in message("nafnet-tiny")


def test_the_alignment_is_checked_before_the_model_is_loaded(gendeg, photo_file, tmp_path):
    arguments = ["--model", "missing", "-o", tmp_path / "out.png", "--alignment"]
    result = gendeg("degrade", photo_file, "-d", "haze", *arguments, "best")
    assert result.exit_code == 2
    assert "'best' is not one of 'auto', 'transfer'" in result.stderr
    assert "'missing'" in gendeg("degrade", photo_file, "-d", "haze", *arguments, "paper").stderr
