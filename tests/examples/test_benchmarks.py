"""Every benchmark runs from end to end on an untrained pipeline of tiny size."""

import json
import math

import alignment
import classifier
import memory
import numpy as np
import pytest
import restorer_quality
import restorer_speed
import severity
import speed
import torch
import typer
from common import centre_square, draw_samples, format_table

from gendeg import Degradation, NAFNet
from gendeg.pipelines.calibration import calibrate


@pytest.fixture
def output(tmp_path):
    return tmp_path / "results" / "numbers.json"


def test_severity(model_folder, photo_folder, output):
    severity.main(photo_folder, output, model=model_folder, count=12, batch_size=6)
    results = json.loads(output.read_text())
    assert set(results["summary"]) == {*Degradation, "overall"}
    assert results["summary"]["overall"]["samples"] == 12
    assert output.with_suffix(".png").is_file()


def test_severity_of_one_mixture(model_folder, photo_folder, output):
    severity.main(photo_folder, output, model=model_folder, degradation=["rain+haze"], count=3, batch_size=3)
    assert set(json.loads(output.read_text())["summary"]) == {"rain+haze", "overall"}
    assert output.with_suffix(".png").is_file()


def test_summary_of_perfect_and_of_biased_results():
    mu, sigma = np.array([0.1, 0.2, 0.3]), np.array([0.05, 0.1, 0.08])
    rows = {"requested_mu": mu, "requested_sigma": sigma, "mu": mu + 0.02, "sigma": sigma, "calibrated_mu": mu}
    summary = severity.summarize(rows)
    assert summary["mu_r"] == pytest.approx(1)
    assert summary["mu_mae"] == summary["mu_bias"] == pytest.approx(0.02)
    assert summary["sigma_mae"] == 0
    assert summary["calibrated_share"] == 1


def test_severity_benchmark_calibrates_as_the_pipeline_does(tiny_pipeline, photo_tensor):
    def call(**settings):
        generator = torch.Generator().manual_seed(0)
        return tiny_pipeline(photo_tensor, "haze", 0.1, 0.05, generator=generator, output_type="pt", **settings)

    plain = call()
    assert torch.equal(calibrate(plain.targets[0], plain.images[0], 0.1)[0], call(calibrate=True).images[0])


def test_classifier(model_folder, photo_folder, output):
    classifier.main(photo_folder, output, model=model_folder, count=6, training_steps=2, size=64)
    results = json.loads(output.read_text())
    kinds = {f"{kind}, {judge}" for kind in ("simulated", "generated") for judge in ("blind", "shown the change")}
    assert set(results["confusion"]) == set(results["named_right"]) == kinds
    assert all(np.sum(counts) == 6 for counts in results["confusion"].values())


@pytest.mark.parametrize("blind", [True, False])
def test_the_blind_classifier_sees_the_picture_alone(blind):
    clean, degraded = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    seen = classifier.classifier_input(clean, degraded, blind)
    assert seen.shape[1] == (3 if blind else 6)
    assert classifier.build_classifier(blind)(seen).shape == (2, 6)


def test_alignment(model_folder, photo_folder, output):
    alignment.main(photo_folder, output, model=model_folder, count=6)
    results = json.loads(output.read_text())
    assert results["exact_share"] == 1
    assert {"plain decode", "transfer", "scm"} < set(results["psnr"])


def test_speed(model_folder, photo_folder, output):
    speed.main(photo_folder, output, model=model_folder, count=2, batch_size=2, size=32)
    results = json.loads(output.read_text())
    assert results["ratio"] > 1
    assert len(results["sampling"]) == 2


@pytest.mark.parametrize("name", ["nafnet-tiny", "promptir-tiny"])
def test_restorer_speed(output, name):
    restorer_speed.main(output, restorer=[name], size=["32x16"], turns=2, compiled=False)
    (row,) = json.loads(output.read_text())["comparisons"]
    assert row["difference"] < 1e-5
    assert row["ratio"] > 0


@pytest.mark.parametrize("difference", [1.0, math.nan])
def test_restorer_speed_fails_where_the_outputs_differ(output, monkeypatch, difference):
    monkeypatch.setattr(restorer_speed, "compare", lambda *_: {"difference": difference})
    with pytest.raises(typer.Exit):
        restorer_speed.main(output, restorer=["nafnet-tiny"], size=["32x16"], turns=1, compiled=False)


def test_memory(model_folder, output):
    memory.main(output, model=model_folder, width=200, height=150)
    assert 0.1 < json.loads(output.read_text())["peak_gb"] < 4


def test_restorer_quality(photo_folder, pair_folder, output):
    restorer = NAFNet(width=4, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1])
    torch.nn.init.zeros_(restorer.ending.weight)
    torch.nn.init.zeros_(restorer.ending.bias)
    folder = output.parent / "restorer"
    restorer.save_pretrained(folder)
    restorer_quality.main(photo_folder, output, restorer=folder, pairs=pair_folder, count=6, size=48)
    summary = json.loads(output.read_text())["summary"]
    assert set(summary) == {*Degradation, "clean", "low_light (pairs)"}
    for numbers in summary.values():  # a restorer that returns its input
        assert numbers["gain"] == 0
        assert numbers["ssim"] == numbers["ssim_before"]
    assert summary["clean"]["psnr"] == 100
    assert summary["low_light (pairs)"]["images"] == 2
    assert summary["low_light (pairs)"]["psnr"] == pytest.approx(20 * math.log10(1 / 0.4), abs=0.05)


def test_samples_share_the_degradations_and_the_photos():
    samples = draw_samples(count=30, photo_count=7, seed=3)
    assert [sum(sample.degradation == name for sample in samples) for name in Degradation] == [5] * 6
    assert {sample.photo for sample in samples} == set(range(7))
    assert len({sample.seed for sample in samples}) == 30
    assert samples == draw_samples(count=30, photo_count=7, seed=3)
    mixed = draw_samples(4, 7, 3, ["rain+haze", "snow"])
    assert [sample.degradation for sample in mixed] == ["rain+haze", "snow"] * 2
    assert mixed[0].mu == draw_samples(1, 7, 3, ["rain"])[0].mu


def test_centre_square_cuts_the_middle():
    photo = torch.zeros(3, 40, 100)
    photo[:, :, 30:70] = 1
    assert torch.equal(centre_square(photo, 40), torch.ones(3, 40, 40))


def test_table_has_aligned_columns():
    lines = format_table(["", "mu"], [["haze", 0.12345], ["low_light", 7]]).splitlines()
    assert lines[2] == "| haze      | 0.123 |"
    assert len({len(line) for line in lines}) == 1
