"""What a folder says that was begun with other photos or settings."""

from dataclasses import replace

import pytest

from gendeg.degradations import Degradation
from gendeg.synthesis.backends import BackendConfig, load_backend
from gendeg.synthesis.changes import describe_changes
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.filter import Thresholds
from gendeg.synthesis.plan import make_plan


def test_nothing_has_changed(make_scenes):
    settings = make_plan(make_scenes(3), PlanConfig()).to_json()
    assert describe_changes(settings, dict(settings)) == []


def test_photos_and_captions(make_scenes):
    scenes = make_scenes(4)
    captioned = [replace(scene, caption="a street") for scene in scenes[:2]] + scenes[2:]
    others = [replace(scene, caption="a house") for scene in scenes[:2]] + scenes[2:]
    moved = [replace(scene, source_set="elsewhere") for scene in captioned]
    before, *after = (make_plan(chosen, PlanConfig()).to_json() for chosen in (captioned, scenes, others, moved))
    assert [describe_changes(before, now) for now in after] == [
        ["photos with a caption: 2 before, 0 now"],
        ["the captions of the photos are others"],
        ["the photos, or the sets that they come from, are others"],
    ]
    fewer = make_plan(scenes[2:], PlanConfig()).to_json()
    assert describe_changes(before, fewer)[0] == "photos: 4 before, 2 now"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"validation_share": 0.1}, "--validation-share was 0.05, now 0.1"),
        ({"short_side": 176}, "--short-side was not given, now 176"),
        ({"degradations": ("fog",)}, f"--degradation was {', '.join(Degradation)}, now haze"),
        ({"thresholds": {Degradation.SNOW: Thresholds(0.0, 0.9)}}, "--threshold snow was 0.0012, 0.3902, now 0.0, 0.9"),
    ],
)
def test_settings_are_called_as_their_options(make_scenes, settings, text):
    plans = [make_plan(make_scenes(4), config).to_json() for config in (PlanConfig(), PlanConfig(**settings))]
    assert describe_changes(*plans) == [text]


def test_another_backend(tiny_settings):
    simulator = load_backend(BackendConfig(name="simulator")).to_json()
    assert describe_changes(tiny_settings, simulator) == ["--backend was pipeline, now simulator"]
    others = {"num_inference_steps": 3, "calibrate": True, "checkpoint": "b"}
    assert describe_changes(tiny_settings, tiny_settings | others) == [
        "--model was a, now b",
        "--calibrate was off, now on",
        "--steps was 2, now 3",
    ]


@pytest.fixture
def tiny_settings():
    settings = {"backend": "pipeline", "checkpoint": "a", "weights_sha256": "0"}
    return settings | {"calibrate": False, "num_inference_steps": 2}


def test_a_folder_that_knew_fewer_settings():
    assert "another state of gendeg" in describe_changes({"seed": 0}, {"seed": 0, "captions": 0})[0]
