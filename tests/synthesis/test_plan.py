import dataclasses

import numpy as np
import pytest

from gendeg import SeverityPrior
from gendeg.degradations import Degradation
from gendeg.errors import InputError
from gendeg.severity import MU_RANGE, NUM_BINS, severity_bins
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.keyed import keyed_uniforms, noise_seed
from gendeg.synthesis.plan import make_plan
from gendeg.synthesis.report import describe_plan


def all_rows(plan):
    return [row for shard in plan.shards() for row in plan.rows(shard)]


def content(row):
    """Everything but the number."""
    return dataclasses.replace(row, number=0)


def test_each_scene_gets_what_its_set_does_not_have(make_scenes):
    scenes = [*make_scenes(20, existing=[Degradation.HAZE])]
    rows = all_rows(make_plan(scenes, PlanConfig()))
    assert len(rows) == 100
    for scene in scenes:
        made = [row.mixture[0] for row in rows if row.scene is scene]
        assert made == [name for name in Degradation if name != "haze"]
    assert len(all_rows(make_plan(make_scenes(20), PlanConfig()))) == 120


def test_shards_cover_every_row_once_in_order(make_scenes):
    plan = make_plan(make_scenes(30), PlanConfig(rows_per_shard=7, validation_share=0.2))
    assert set(plan.sizes) == {"train", "validation"}
    for split, size in plan.sizes.items():
        shards = [shard for shard in plan.shards() if shard.split == split]
        assert [row.number for shard in shards for row in plan.rows(shard)] == list(range(size))
        assert all(shard.stop - shard.start == 7 for shard in shards[:-1])


def test_rows_do_not_depend_on_other_scenes(make_scenes):
    scenes = make_scenes(40)
    config = PlanConfig(seed=3, variants=2)
    every = {row.key: content(row) for row in all_rows(make_plan(scenes, config))}
    for chosen in (scenes[:10], scenes[5::3]):
        some = all_rows(make_plan(chosen, config))
        assert all(every[row.key] == content(row) for row in some)
    fewer = all_rows(make_plan(scenes, dataclasses.replace(config, degradations=(Degradation.SNOW,), variants=1)))
    assert all(every[row.key] == content(row) for row in fewer)


def test_seed_and_variant_decide_the_draws(make_scenes):
    scenes = make_scenes(10)
    same, other = (make_plan(scenes, PlanConfig(seed=seed, variants=2)) for seed in (0, 1))
    a, b = (np.array([row.mu for row in all_rows(plan)]) for plan in (same, other))
    assert (a != b).all()
    assert (a[::2] != a[1::2]).all()
    assert len({row.key for row in all_rows(same)}) == 120
    assert len({noise_seed(row.key, attempt) for row in all_rows(same) for attempt in range(3)}) == 360


def test_severities_follow_the_prior(make_scenes):
    scenes = make_scenes(4000)
    plan = make_plan(scenes, PlanConfig(degradations=(Degradation.RAIN,), validation_share=0))
    columns = plan.splits["train"]
    statistics = SeverityPrior.published().statistics[Degradation.RAIN]
    expected = statistics.mu_probability.sum(axis=0)
    found = np.bincount(severity_bins(columns.mu, MU_RANGE), minlength=NUM_BINS) / len(columns)
    assert np.abs(found - expected).max() < 4 * np.sqrt(expected.max() / len(columns))
    shares = np.bincount(columns.source, minlength=len(statistics.sets)) / len(columns)
    assert shares == pytest.approx(statistics.set_probability, abs=0.03)
    assert columns.at_random.mean() == pytest.approx(0.05, abs=0.015)
    assert (columns.sigma**2 <= columns.mu * (1 - columns.mu)).all()


def test_modes_differ_in_random_rows_only(make_scenes):
    scenes = make_scenes(500)
    paper, official = (make_plan(scenes, PlanConfig(mode=mode)).splits["train"] for mode in ("paper", "official"))
    assert (paper.at_random == official.at_random).all()
    assert (paper.mu != official.mu)[paper.at_random].all()
    assert (paper.mu == official.mu)[~paper.at_random].all()


def test_mixture_sets_have_their_phrase(make_scenes):
    rows = all_rows(make_plan(make_scenes(200, caption="a street"), PlanConfig()))
    snow = {row.prompt for row in rows if row.source_set == "CSD"}
    rain = {row.prompt for row in rows if row.source_set == "ORD"}
    assert snow == {"a street, in snowy and hazy conditions"}
    assert rain == {"a street, in rainy and hazy conditions"}
    assert {row.mixture for row in rows if row.source_set == "ORD"} == {("rain", "haze")}
    assert {row.prompt for row in rows if row.source_set == "Rain13K"} == {"a street, in rainy conditions"}


def test_look_alikes_never_fall_into_different_splits(make_scenes):
    scenes = make_scenes(400)
    paired = [dataclasses.replace(scene, group=scenes[i - i % 4].id) for i, scene in enumerate(scenes)]
    plan = make_plan(paired, PlanConfig(validation_share=0.3))
    groups = {split: {plan.scenes[i].group for i in columns.scene} for split, columns in plan.splits.items()}
    assert not groups["train"] & groups["validation"]
    assert len(groups["validation"]) / 100 == pytest.approx(0.3, abs=0.12)


def test_uniforms_are_uniform():
    uniforms = keyed_uniforms(str(index) for index in range(20_000))
    assert uniforms.min() >= 0
    assert uniforms.max() < 1
    histogram, _ = np.histogram(uniforms, 10, (0, 1))
    assert histogram / 80_000 == pytest.approx(np.full(10, 0.1), abs=0.005)
    assert np.abs(np.corrcoef(uniforms.T) - np.eye(4)).max() < 0.03


def test_own_prior_and_nothing_to_make(make_scenes, tmp_path):
    SeverityPrior.from_severities([0.3], [0.1], ["haze"], ["mine"]).save(tmp_path / "prior.json")
    config = PlanConfig(prior=tmp_path / "prior.json", degradations=(Degradation.HAZE,))
    rows = all_rows(make_plan(make_scenes(5), config))
    assert {row.source_set for row in rows} == {"mine"}
    assert config.to_json()["prior"] != PlanConfig().to_json()["prior"]
    with pytest.raises(InputError, match="Nothing to make"):
        make_plan(make_scenes(5, existing=[Degradation.HAZE]), config)


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "best"},
        {"image_format": "gif"},
        {"variants": 0},
        {"attempts": 0},
        {"rows_per_shard": 0},
        {"seed": -1},
        {"validation_share": 1.0},
        {"short_side": 8},
        {"degradations": ()},
    ],
)
def test_settings_out_of_range(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        PlanConfig(**settings)


def test_description_counts_rows(make_scenes):
    text = describe_plan(make_plan(make_scenes(30), PlanConfig(validation_share=0.2)))
    assert text.startswith("180 rows (")
    for name in Degradation:
        line = next(line for line in text.splitlines() if line.startswith(f"{name} "))
        assert line.split()[1] == "30"
