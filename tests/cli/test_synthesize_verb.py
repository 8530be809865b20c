import json

import datasets
import PIL.Image
import pytest

from gendeg.degradations import Degradation
from gendeg.imaging import find_images
from gendeg.synthesis.manifest import Manifest

SIMULATOR = ("--backend", "simulator")


@pytest.fixture
def finished(gendeg, photo_folder, tmp_path):
    """A data set of three photos."""
    output = tmp_path / "gends"
    result = gendeg("synthesize", photo_folder, "-o", output, *SIMULATOR, "--license", "cc-by-4.0")
    assert result.exit_code == 0, result.output
    return output


def test_make_and_read_without_gendeg(gendeg, photo_folder, finished):
    splits = datasets.load_dataset(str(finished))
    rows = [row for split in splits.values() for row in split]
    assert len(rows) == sum(Manifest.load(finished).rows.values())
    assert {row["scene_set"] for row in rows} == {"photos"}
    assert "cc-by-4.0" in (finished / "README.md").read_text()
    again = gendeg("synthesize", photo_folder, "-o", finished, *SIMULATOR)
    assert "All 18 rows are there already" in again.output
    assert ("None of the scenes fell to the validation split" in again.output) == ("validation" not in splits)
    verified = gendeg("synthesize", "--verify", "-o", finished)
    assert verified.exit_code == 0
    assert f"Hash {Manifest.load(finished).hash}" in verified.output


def test_a_changed_setting_and_a_corrupt_shard_are_told(gendeg, photo_folder, finished):
    result = gendeg("synthesize", photo_folder, "-o", finished, *SIMULATOR, "--seed", 1)
    assert result.exit_code == 2
    assert "--seed was 0, now 1" in result.stderr
    shard = next((finished / "data").iterdir())
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    result = gendeg("synthesize", "--verify", "-o", finished)
    assert result.exit_code == 2
    assert f"{shard.name} is damaged" in result.stderr


def test_dry_run_makes_nothing(gendeg, photo_folder, tmp_path):
    (photo_folder / "broken.png").write_bytes(b"")
    result = gendeg("synthesize", photo_folder, "-o", tmp_path / "gends", *SIMULATOR, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "3 scenes" in result.stdout
    assert "18 rows" in result.stdout
    assert "each row to make: " in result.stdout
    assert "broken.png" in result.stderr
    assert not (tmp_path / "gends").exists()


def test_captions_from_a_table(gendeg, photo_folder, tmp_path):
    table = tmp_path / "captions.csv"
    table.write_text("image,caption\nphotos/a.png,a woman\nphotos/z.png,a ghost\n")
    what = ["-d", "haze", "--captions", table]
    result = gendeg("synthesize", photo_folder, "-o", tmp_path / "gends", *SIMULATOR, *what)
    assert result.exit_code == 0, result.output
    assert "3 scenes, 1 with a caption" in result.stdout
    assert "captions.csv describes 2 images. Not among the photos: 1, e.g." in result.stderr
    rows = [row for split in datasets.load_dataset(str(tmp_path / "gends")).values() for row in split]
    assert "a woman, in hazy conditions" in {row["prompt"] for row in rows}


def test_existing_pairs_from_an_index(gendeg, photo_folder, tmp_path):
    """Published pairs are prepared, then become rows beside those that are made of their clean images."""
    for part in ("input", "target"):
        (tmp_path / "pairs" / "haze" / "Foggy" / part).mkdir(parents=True)
    for path in find_images(photo_folder):
        clean = PIL.Image.open(path).convert("RGB")
        clean.save(tmp_path / "pairs/haze/Foggy/target" / f"{path.stem}.png")
        clean.point(lambda value: value // 2 + 100).save(tmp_path / "pairs/haze/Foggy/input" / f"{path.stem}.png")
    index, output = tmp_path / "pairs.parquet", tmp_path / "gends"
    prepared = gendeg("prepare", "folders", tmp_path / "pairs", "--category", "synthetic", "-o", index)
    assert prepared.exit_code == 0, prepared.output
    (tmp_path / "pairs/haze/Foggy/input/a.png").write_bytes(b"")
    result = gendeg("synthesize", "--existing", index, "-o", output, *SIMULATOR, "-d", "haze", "-d", "low_light")
    assert result.exit_code == 0, result.output
    rows = [row for split in datasets.load_dataset(str(output)).values() for row in split]
    assert sorted((row["origin"], row["degradation"]) for row in rows) == [
        ("existing", list(Degradation).index("haze")),
        ("existing", list(Degradation).index("haze")),
        *[("generated", list(Degradation).index("low_light"))] * 3,
    ]
    assert gendeg("synthesize", "--verify", "-o", output).exit_code == 0


def test_dry_run_makes_no_captions(gendeg, photo_folder, tmp_path):
    what = ["-d", "haze", "--captions", "Salesforce/blip2-opt-2.7b", "--dry-run"]
    result = gendeg("synthesize", photo_folder, "-o", tmp_path / "gends", *SIMULATOR, *what)
    assert result.exit_code == 0, result.output
    assert "describes 3 of them first" in result.stdout


def test_own_settings_reach_the_plan(gendeg, photo_folder, tiny_pipeline_folder, tmp_path):
    output = tmp_path / "gends"
    what = ["-d", "fog", "-d", "snow", "--threshold", "haze=0:1", "--threshold", "snow=0:1", "--short-side", 32]
    how = ["--model", tiny_pipeline_folder, "--alignment", "none", "--steps", 1, "--mode", "official"]
    result = gendeg("synthesize", photo_folder, "-o", output, *what, *how)
    assert result.exit_code == 0, result.output
    config = json.loads((output / "manifest.json").read_text())["config"]
    assert config["degradations"] == ["haze", "snow"]
    assert config["thresholds"] == {"haze": [0, 1], "snow": [0, 1]}
    assert (config["mode"], config["alignment"], config["num_inference_steps"]) == ("official", "none", 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threshold", "haze=0.3"], "haze=0.02:0.4"),
        (["--threshold", "haze=0.3:0.2"], "below the second"),
        (["--image-format", "gif"], "'png'"),
        (["--backend", "magic"], "'pipeline', 'simulator'"),
        (["--engine", "cloud"], "'ray'"),
        (["--captions", "blip2"], "Salesforce/blip2-opt-2.7b"),
        (["--captions", "nobody/no-such-blip2"], "--captions blip2/"),
        (["--captions", "nothing.csv"], "Cannot read nothing.csv"),
        (["-d", "hase"], "Did you mean 'haze'"),
    ],
)
def test_arguments_that_cannot_be_used(gendeg, photo_folder, tmp_path, arguments, message):
    result = gendeg("synthesize", photo_folder, "-o", tmp_path / "gends", *SIMULATOR, *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr


def test_no_photos_given(gendeg, tmp_path):
    result = gendeg("synthesize", "-o", tmp_path / "gends")
    assert result.exit_code == 2
    assert "Which photos?" in result.stderr
    result = gendeg("synthesize", tmp_path / "nothing", "-o", tmp_path / "gends")
    assert "holds no photos" in result.stderr
