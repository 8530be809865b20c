import dataclasses
import io
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from gendeg import measure_severity, simulate, simulators
from gendeg.degradations import Degradation
from gendeg.errors import DatasetError
from gendeg.synthesis.backends import BackendConfig, PipelineBackend, SimulatorBackend, load_backend, pipeline_digest
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.filter import Thresholds
from gendeg.synthesis.keyed import noise_seed
from gendeg.synthesis.photos import open_scene, reduce_photo
from gendeg.synthesis.plan import make_plan
from gendeg.synthesis.scenes import index_scenes
from gendeg.synthesis.shard_rows import shard_rows
from gendeg.synthesis.sources import FolderSource

WIDE = {name: Thresholds(0.0, 1.0) for name in Degradation}


def decode(data):
    return PIL.Image.open(io.BytesIO(data))


def make(source, backend, **settings):
    """Plan and rows of one shard with everything in it."""
    settings = {"validation_share": 0.0, "rows_per_shard": 1000, "thresholds": WIDE} | settings
    plan = make_plan(index_scenes(source).scenes, PlanConfig(**settings))
    (shard,) = plan.shards()
    return list(plan.rows(shard)), list(shard_rows(plan, shard, source, backend))


@pytest.fixture
def source(small_photos):
    return FolderSource(small_photos)


def test_simulated_rows_are_what_simulate_makes(source):
    planned, rows = make(source, SimulatorBackend())
    by_number = {row.row: row for row in rows if row.verdict == "accepted"}
    assert len(by_number) > 20  # some small photos do not show some drawn snow
    for plan_row, row in [(planned[number], row) for number, row in by_number.items()][::7]:
        photo = open_scene(source, plan_row.scene)
        expected = simulate(photo, "+".join(row.mixture), row.mu, row.sigma, seed=row.seed)
        assert (np.asarray(decode(row.degraded)) == np.asarray(expected.images[0])).all()
        assert (np.asarray(decode(row.target)) == np.asarray(photo)).all()
        achieved = measure_severity(decode(row.target), decode(row.degraded))
        assert (row.achieved_mu, row.achieved_sigma) == (achieved.mu, achieved.sigma)
        assert row.seed == noise_seed(plan_row.key, row.attempt)


def test_generated_rows_are_what_the_pipeline_makes(source, tiny_pipeline):
    planned, rows = make(source, PipelineBackend(tiny_pipeline, BackendConfig(alignment="paper")))
    accepted = [row for row in rows if row.verdict == "accepted"]
    assert {row.reason.split(":")[0] for row in rows} <= {"", "brighter"}  # random weights know no low light
    assert len(accepted) > 20
    for plan_row, row in [(planned[row.row], row) for row in accepted[::11]]:
        output = tiny_pipeline(
            open_scene(source, plan_row.scene),
            "+".join(plan_row.mixture),
            row.mu,
            row.sigma,
            alignment="paper",
            generator=torch.Generator().manual_seed(row.seed),
        )
        found = np.asarray(decode(row.degraded), dtype=int)
        assert np.abs(found - np.asarray(output.images[0], dtype=int)).max() <= 1  # batches add in another order
        assert row.alignment == plan_row.mixture[0].paper_alignment
        assert row.prompt == plan_row.prompt


def test_the_photo_is_encoded_once_for_all_its_rows(source, tiny_pipeline, monkeypatch):
    calls = {"encode": 0, "text": 0}
    encode, text = tiny_pipeline.vae.encode, tiny_pipeline.encode_prompt
    monkeypatch.setattr(tiny_pipeline.vae, "encode", lambda *a: calls.update(encode=calls["encode"] + 1) or encode(*a))
    monkeypatch.setattr(tiny_pipeline, "encode_prompt", lambda *a: calls.update(text=calls["text"] + 1) or text(*a))
    make(source, PipelineBackend(tiny_pipeline, BackendConfig()), attempts=2)
    assert calls == {"encode": 5, "text": 5}


def test_rejected_rows_are_tried_again_with_new_seeds_and_then_given_up(source):
    hard = WIDE | {Degradation.HAZE: Thresholds(0.9, 1.0)}
    two = (Degradation.HAZE, Degradation.LOW_LIGHT)
    planned, rows = make(source, SimulatorBackend(), thresholds=hard, attempts=3, degradations=two)
    assert len(rows) == 5 + 5 * 3
    for plan_row in planned:
        attempts = [row for row in rows if row.row == plan_row.number]
        assert [row.attempt for row in attempts] == list(range(len(attempts)))
        if plan_row.mixture[0] != Degradation.HAZE:
            assert [row.verdict for row in attempts] == ["accepted"]
            continue
        assert [row.verdict for row in attempts] == ["retried", "retried", "rejected"]
        assert [row.seed for row in attempts] == [noise_seed(plan_row.key, attempt) for attempt in range(3)]
        assert all(row.reason.startswith(("too weak", "flat")) and row.degraded is None for row in attempts)
        assert len({(row.mu, row.sigma) for row in attempts}) == 1


def test_not_a_number_is_a_verdict_not_a_crash(source, tiny_pipeline):
    with torch.no_grad():
        tiny_pipeline.unet.conv_out.bias.fill_(float("nan"))
    _, rows = make(source, PipelineBackend(tiny_pipeline, BackendConfig()), attempts=1)
    assert {row.verdict for row in rows} == {"rejected"}
    assert all(row.reason.startswith("not a number") for row in rows)


def test_one_bad_row_does_not_harm_its_neighbours(source, tiny_pipeline, monkeypatch):
    backend = PipelineBackend(tiny_pipeline, BackendConfig())
    _, before = make(source, backend, attempts=1)
    condition = tiny_pipeline.condition
    bad = before[2].mu

    def broken(embeds, severities):
        embeds = condition(embeds, severities)
        embeds[[severity.mu == bad for severity in severities]] = float("nan")
        return embeds

    monkeypatch.setattr(tiny_pipeline, "condition", broken)
    _, after = make(source, backend, attempts=1)
    assert [row.row for row in after if row.verdict == "rejected"] == [2]


@pytest.mark.parametrize(("short_side", "size"), [(None, (120, 96)), (200, (120, 96)), (96, (120, 96)), (48, (60, 48))])
def test_only_larger_photos_are_reduced(photo, short_side, size):
    assert reduce_photo(PIL.Image.fromarray(photo), short_side).size == size


@pytest.mark.parametrize(("image_format", "name"), [("webp", "WEBP"), ("jpeg", "JPEG")])
def test_image_formats(source, image_format, name):
    _, rows = make(source, SimulatorBackend(), degradations=(Degradation.SNOW,), image_format=image_format)
    assert {decode(row.degraded).format for row in rows} == {decode(row.target).format for row in rows} == {name}


def test_photos_that_changed_or_went_away_end_the_run(source, small_photos):
    plan = make_plan(index_scenes(source).scenes, PlanConfig(validation_share=0.0))
    (shard,) = plan.shards()
    first = plan.scenes[0].location
    PIL.Image.new("RGB", (40, 40), "teal").save(first)
    with pytest.raises(DatasetError, match="has changed since"):
        list(shard_rows(plan, shard, source, SimulatorBackend()))
    (small_photos / first).unlink()
    with pytest.raises(DatasetError, match="is gone"):
        list(shard_rows(plan, shard, source, SimulatorBackend()))


def test_the_program_of_the_simulators_is_one_of_their_settings(monkeypatch, tmp_path):
    settings = SimulatorBackend().to_json()
    copy = shutil.copytree(Path(simulators.__file__).parent, tmp_path / "simulators")
    monkeypatch.setattr(simulators, "__file__", str(copy / "__init__.py"))
    assert SimulatorBackend().to_json() == settings
    (copy / "haze.py").write_text((copy / "haze.py").read_text() + "# changed\n")
    assert SimulatorBackend().to_json() != settings


def test_settings_of_the_pipeline_are_resolved_and_its_weights_count(tiny_pipeline_folder):
    config = BackendConfig(checkpoint=str(tiny_pipeline_folder), device="cpu")
    backend = load_backend(config)
    settings = backend.to_json()
    assert (settings["alignment"], settings["num_inference_steps"]) == ("transfer", 2)
    assert load_backend(dataclasses.replace(config, num_inference_steps=2)).to_json() == settings
    with torch.no_grad():
        backend.pipe.unet.conv_out.bias[0] += 1
    assert pipeline_digest(backend.pipe) != settings["weights_sha256"]
