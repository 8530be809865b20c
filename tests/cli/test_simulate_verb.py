import json
import os
import shutil

import datasets
import numpy as np
import PIL.Image
import pytest

from gendeg import SeverityPrior, measure_severity, simulate
from gendeg.cli.metadata import Metadata
from gendeg.errors import InputError
from gendeg.imaging import read_image


def rows(folder):
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_photo_into_one_file(gendeg, photo_file, tmp_path):
    output = tmp_path / "new" / "out.png"
    result = gendeg("simulate", photo_file, "-d", "fog", "--mu", "0.1", "--seed", "3", "-o", output)
    assert result.exit_code == 0, result.output
    assert "requested mu=0.1000, sigma=free; achieved mu=0." in result.output
    expected = simulate(read_image(photo_file), "haze", mu=0.1, seed=3)
    assert (np.asarray(PIL.Image.open(output)) == np.asarray(expected.images[0])).all()
    assert [path.name for path in output.parent.iterdir()] == ["out.png"]


def test_target_lies_beside_the_image(gendeg, photo_file, tmp_path):
    result = gendeg("simulate", photo_file, "-d", "rain", "--mu", "0.1", "-o", tmp_path / "out.png", "--save-target")
    assert result.exit_code == 0
    target = read_image(tmp_path / "out_target.png")
    assert (np.asarray(target) == np.asarray(read_image(photo_file))).all()


def test_folder_is_mirrored_and_recorded(gendeg, photo_folder, tmp_path):
    output = tmp_path / "out"
    result = gendeg("simulate", photo_folder, "-d", "haze", "-d", "rain+haze", "-o", output)
    assert result.exit_code == 0, result.output
    assert "6 of 6 images are there, 6 of them new" in result.output
    names = {f"{name}/{photo}.png" for name in ("haze", "rain+haze") for photo in ("a", "b", "park/c")}
    assert contents(output).keys() == names | {"metadata.jsonl"}
    assert {row["file_name"] for row in rows(output)} == names
    for row in rows(output):
        clean, degraded = read_image(photo_folder / row["source"]), read_image(output / row["file_name"])
        achieved = measure_severity(clean, degraded)
        assert (row["achieved_mu"], row["achieved_sigma"]) == pytest.approx((achieved.mu, achieved.sigma), abs=1e-3)
        again = simulate(clean, row["degradation"], seed=row["seed"])
        assert (np.asarray(again.images[0]) == np.asarray(degraded)).all()
        assert json.loads(row["parameters"]) == again.parameters[0]


def test_several_photos_are_like_their_folder(gendeg, photo_folder, tmp_path):
    whole, some, nested = (tmp_path / name for name in ("whole", "some", "nested"))
    gendeg("simulate", photo_folder, "-d", "snow", "-o", whole)
    result = gendeg("simulate", photo_folder / "a.png", photo_folder / "b.jpg", "-d", "snow", "-o", some)
    assert result.exit_code == 0, result.output
    expected = contents(whole)
    assert contents(some) == {name: expected[name] for name in ("snow/a.png", "snow/b.png")} | {
        "metadata.jsonl": contents(some)["metadata.jsonl"]
    }
    gendeg("simulate", photo_folder / "park", photo_folder / "a.png", photo_folder, "-d", "snow", "-o", nested)
    assert sorted(row["source"] for row in rows(nested)) == ["a.png", "b.jpg", "park/c.webp"]
    assert {name: data for name, data in contents(nested).items() if name.endswith("png")} == {
        name: data for name, data in expected.items() if name.endswith("png")
    }


def test_photos_from_anywhere_stay_below_the_output(gendeg, photo_folder, tmp_path, monkeypatch):
    """Relative paths with `..` too, also behind a link."""
    monkeypatch.chdir(photo_folder / "park")
    (tmp_path / "link").symlink_to(photo_folder / "park")
    photos = ["c.webp", tmp_path / "link" / ".." / "b.jpg", "../a.png"]
    result = gendeg("simulate", *photos, "-d", "snow", "--mu", "0.05", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    names = {row["file_name"] for row in rows(tmp_path / "out")}
    assert names == {"snow/a.png", "snow/b.png", "snow/park/c.png"}


def test_what_is_not_there_is_refused_at_once(gendeg, photo_folder, tmp_path):
    """It would decide the common folder, and with it the names and seeds of the others."""
    result = gendeg("simulate", photo_folder, photo_folder / "none.png", "-d", "snow", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "No such photo or folder" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_path_with_two_slashes(gendeg, photo_folder, tmp_path):
    result = gendeg("simulate", f"/{photo_folder}/a.png", "-d", "snow", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert rows(tmp_path / "out")[0]["source"] == "a.png"


def test_no_given_photo_is_overwritten(gendeg, photo_folder):
    """Not by the image of another one either."""
    (photo_folder / "snow").mkdir()
    other = photo_folder / "snow" / "a.png"
    shutil.copy(photo_folder / "a.png", other)
    before = other.read_bytes()
    result = gendeg("simulate", photo_folder / "a.png", other, "-d", "snow", "--overwrite", "-o", photo_folder)
    assert result.exit_code == 2
    assert "one of the photos" in result.stderr
    assert other.read_bytes() == before


def test_everything_in_a_folder_can_be_given_again(gendeg, photo_folder):
    """Where `folder/*` has come to name the output too."""
    output = photo_folder / "out"
    for new in (3, 0):
        result = gendeg("simulate", *sorted(photo_folder.iterdir()), "-d", "snow", "--mu", "0.05", "-o", output)
        assert result.exit_code == 0, result.output
        assert f"3 of 3 images are there, {new} of them new" in result.stdout


def test_several_photos_do_not_fit_into_one_file(gendeg, photo_folder, tmp_path):
    photos = [photo_folder / "a.png", photo_folder / "b.jpg"]
    result = gendeg("simulate", *photos, "-d", "snow", "-o", tmp_path / "out.png")
    assert result.exit_code == 2
    assert "Several photos do not fit into the one file" in result.stderr


def test_own_prior(gendeg, photo_file, tmp_path):
    SeverityPrior.from_severities([0.12], [0.1], ["haze"], ["x"], random_fraction=0).save(tmp_path / "prior.json")
    arguments = ["simulate", photo_file, "--prior", tmp_path / "prior.json", "-d"]
    assert "requested mu=0.1" in gendeg(*arguments, "haze", "-o", tmp_path / "out.png").output
    result = gendeg(*arguments, "rain", "-o", tmp_path / "rain.png")
    assert result.exit_code == 2
    assert "This prior knows haze, not rain" in result.stderr


def test_targets_of_a_folder_are_pairs(gendeg, photo_folder, tmp_path):
    from gendeg.data.paired import list_pairs

    gendeg("simulate", photo_folder, "-d", "haze", "--mu", "0.1", "-o", tmp_path / "out", "--save-target")
    pairs = list_pairs(tmp_path / "out")
    assert len(pairs) == 3
    assert all(str(pair.mixture[0]) == "haze" for pair in pairs)
    assert rows(tmp_path / "out")[0]["target_file_name"] == "haze/target/a.png"


def test_datasets_reads_the_folder(gendeg, photo_folder, tmp_path):
    gendeg("simulate", photo_folder, "-d", "haze", "-o", tmp_path / "out", "--save-target")
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "out"), split="train", cache_dir=str(tmp_path)
    )
    assert len(loaded) == 3
    assert loaded[0]["degradation"] == "haze"
    assert loaded[0]["image"].size == loaded[0]["target"].size


def test_interrupted_run_ends_as_if_it_had_not_been(gendeg, photo_folder, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for output in (whole, cut):
        gendeg("simulate", photo_folder, "-d", "haze", "-d", "snow", "-o", output)
    record = cut / "metadata.jsonl"
    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join(lines[:3]) + lines[3][:40])  # killed while the fourth line was written
    (cut / rows(whole)[1]["file_name"]).unlink()  # and a file got lost
    result = gendeg("simulate", photo_folder, "-d", "haze", "-d", "snow", "-o", cut)
    assert "6 of 6 images are there, 4 of them new" in result.output
    assert sorted(rows(cut), key=lambda row: row["file_name"]) == sorted(rows(whole), key=lambda row: row["file_name"])
    assert {k: v for k, v in contents(cut).items() if k != "metadata.jsonl"} == {
        k: v for k, v in contents(whole).items() if k != "metadata.jsonl"
    }


def test_finished_folder_is_left_alone(gendeg, photo_folder, tmp_path):
    arguments = ("simulate", photo_folder, "-d", "haze", "-o", tmp_path / "out")
    gendeg(*arguments)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    assert "3 of 3 images are there, 0 of them new" in gendeg(*arguments).output
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")} == before


def test_other_settings_need_overwrite(gendeg, photo_folder, tmp_path):
    arguments = ("simulate", photo_folder, "-d", "haze", "-o", tmp_path / "out", "--mu")
    gendeg(*arguments, 0.1)
    before = contents(tmp_path / "out")
    result = gendeg(*arguments, 0.2)
    assert result.exit_code == 2
    assert "requested_mu=0.1, now asked for requested_mu=0.2" in result.stderr
    assert contents(tmp_path / "out") == before
    assert gendeg(*arguments, 0.2, "--overwrite").exit_code == 0
    assert [row["requested_mu"] for row in rows(tmp_path / "out")] == [0.2] * 3


@pytest.mark.parametrize("option", ["--mu", "--sigma"])
def test_a_severity_that_is_left_out_is_another_setting(gendeg, photo_folder, tmp_path, option):
    arguments = ("simulate", photo_folder, "-d", "haze", "-o", tmp_path / "out")
    gendeg(*arguments, option, 0.1)
    result = gendeg(*arguments)
    assert result.exit_code == 2
    assert f"{option[2:]}_given=True, now asked for {option[2:]}_given=False" in result.stderr
    assert "0 of them new" in gendeg(*arguments, option, 0.1).output


def test_corrupt_photos_do_not_stop_the_others(gendeg, photo_folder, tmp_path):
    (photo_folder / "broken.png").write_bytes((photo_folder / "a.png").read_bytes()[:500])
    (photo_folder / "text.jpg").write_text("not an image")
    (photo_folder / "notes.txt").write_text("left alone")
    result = gendeg("simulate", photo_folder, "-d", "haze", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "3 of 5 images are there" in result.stdout
    assert "could not be used: 2" in result.stderr
    assert "broken.png" in result.stderr
    assert "text.jpg" in result.stderr
    assert len(rows(tmp_path / "out")) == 3
    assert not [path for path in (tmp_path / "out").rglob("*") if ".tmp" in path.name]


def test_output_inside_the_photo_folder_is_not_an_input(gendeg, photo_folder):
    for _ in range(2):
        result = gendeg("simulate", photo_folder, "-d", "haze", "-o", photo_folder / "out")
        assert "3 of 3 images" in result.output


def test_output_around_the_photo_folder(gendeg, photo_folder):
    result = gendeg("simulate", photo_folder, "-d", "haze", "--mu", "0.1", "-o", photo_folder.parent)
    assert "3 of 3 images" in result.output


def test_new_images_never_lie_among_the_photos(gendeg, photo_folder):
    before = contents(photo_folder)
    haze = photo_folder.rename(photo_folder.with_name("haze"))
    for output in (haze, haze.parent):
        result = gendeg("simulate", haze, "-d", "haze", "--mu", "0.1", "-o", output)
        assert result.exit_code == 2
        assert "among the photos" in result.stderr
    assert contents(haze) == before


def test_a_folder_does_not_fit_into_a_file(gendeg, photo_folder, tmp_path):
    result = gendeg("simulate", photo_folder, "-d", "haze", "-o", tmp_path / "out.png")
    assert result.exit_code == 2
    assert "give a folder" in result.stderr


@pytest.mark.parametrize("suffix", ["gif", "GIF", "jxl"])
def test_a_single_file_of_another_format_is_refused(gendeg, photo_file, tmp_path, suffix):
    result = gendeg("simulate", photo_file, "-d", "haze", "--mu", "0.1", "-o", tmp_path / f"out.{suffix}")
    assert result.exit_code == 2
    assert ".png" in result.stderr
    assert not (tmp_path / f"out.{suffix}").exists()


def test_a_misspelt_suffix_is_not_taken_for_a_folder(gendeg, photo_file, tmp_path):
    result = gendeg("simulate", photo_file, "-d", "haze", "--mu", "0.1", "-o", tmp_path / "out.jpgg")
    assert result.exit_code == 2
    assert ".jpgg is no image format" in result.stderr
    assert ".jpeg, .jpg, .png" in result.stderr
    assert not (tmp_path / "out.jpgg").exists()


def test_a_name_without_suffix_is_a_folder(gendeg, photo_file, tmp_path):
    assert gendeg("simulate", photo_file, "-d", "haze", "--mu", "0.1", "-o", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "haze" / "photo.png").is_file()


def test_an_output_folder_that_exists_may_have_a_dot_in_its_name(gendeg, photo_file, tmp_path):
    (tmp_path / "out.v2").mkdir()
    result = gendeg("simulate", photo_file, "-d", "haze", "--mu", "0.1", "-o", tmp_path / "out.v2")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.v2" / "haze" / "photo.png").is_file()


def test_photos_that_differ_in_suffix_only(gendeg, photo_folder, tmp_path):
    (photo_folder / "a.webp").write_bytes((photo_folder / "park" / "c.webp").read_bytes())
    gendeg("simulate", photo_folder, "-d", "haze", "-o", tmp_path / "out")
    names = {row["source"]: row["file_name"] for row in rows(tmp_path / "out")}
    assert (names["a.png"], names["a.webp"]) == ("haze/a.png.png", "haze/a.webp.png")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-d", "hase", "--mu", "0.1"], "Did you mean 'haze'"),
        (["-d", "haze", "--mu", "0.9"], r"mu=0.9 is not in [0, 0.7]"),
        (["-d", "haze", "--mu", "nan"], "mu=nan is not in"),
        (["-d", "haze", "--mu", "0.01", "--sigma", "0.3"], "infeasible"),
        (["-d", "haze", "--mu", "0.1", "--model", "thick"], "no model 'thick'"),
        (["-d", "all", "--mu", "0.1"], "6 degradations do not fit into the one file"),
    ],
)
def test_bad_arguments(gendeg, photo_file, tmp_path, arguments, message):
    result = gendeg("simulate", photo_file, *arguments, "-o", tmp_path / "out.png")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("sigma", ["0.01", "0.1", "0.35"])
def test_sigma_without_mu_draws_a_feasible_mu(gendeg, photo_file, tmp_path, sigma):
    for seed in range(4):
        arguments = ["-d", "haze", "--sigma", sigma, "--seed", seed, "-o", tmp_path / "out.png"]
        result = gendeg("simulate", photo_file, *arguments)
        assert result.exit_code == 0, result.output


def test_a_severity_out_of_reach_is_told(gendeg, photo_folder, tmp_path):
    PIL.Image.new("RGB", (40, 40), "teal").save(photo_folder / "flat.png")
    arguments = ["-d", "motion_blur", "--mu", "0.1", "-o"]
    result = gendeg("simulate", photo_folder / "flat.png", *arguments, tmp_path / "out.png")
    assert result.exit_code == 0
    assert "Warning: 1 of 1 images did not reach" in result.stderr
    assert "out.png: requested mu=0.1000, sigma=free; achieved mu=0.0000, sigma=0.0000" in result.stderr
    assert "Ask for about what was achieved" in result.stderr
    assert gendeg("simulate", photo_folder / "a.png", "-d", "haze", *arguments[2:], tmp_path / "out.png").stderr == ""
    for new in (4, 0):
        result = gendeg("simulate", photo_folder, "-d", "motion_blur", "--mu", "0.02", "-o", tmp_path / "out")
        assert f"{new} of them new" in result.stdout
        assert "Warning: 1 of 4 images did not reach" in result.stderr
        assert "motion_blur/flat.png: requested mu=0.0200" in result.stderr
    assert [row["file_name"] for row in rows(tmp_path / "out") if not row["reached"]] == ["motion_blur/flat.png"]


def test_a_sigma_counts_where_it_was_asked_for(gendeg, photo_file, tmp_path):
    arguments = ["-d", "haze", "--mu", "0.1", "-o", tmp_path / "out.png"]
    assert gendeg("simulate", photo_file, *arguments).stderr == ""
    assert "sigma=0.2900; achieved" in gendeg("simulate", photo_file, *arguments, "--sigma", "0.29").stderr


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs a folder in which nobody may write")
def test_a_failed_write_names_the_output(gendeg, photo_file):
    result = gendeg("simulate", photo_file, "-d", "haze", "--mu", "0.1", "-o", "/proc/out.png")
    assert result.exit_code == 2
    assert "Cannot write /proc/out.png: " in result.stderr
    assert ".tmp" not in result.stderr


def test_photo_is_never_overwritten(gendeg, photo_file):
    result = gendeg("simulate", photo_file, "-d", "haze", "--mu", "0.1", "-o", photo_file)
    assert result.exit_code == 2
    assert "is the photo itself" in result.stderr


@pytest.mark.parametrize("degradation", ["haze", "rain", "snow", "motion_blur", "low_light", "raindrop"])
def test_a_single_pixel_works(gendeg, tmp_path, degradation):
    PIL.Image.new("RGB", (1, 1), "teal").save(tmp_path / "one.png")
    result = gendeg("simulate", tmp_path / "one.png", "-d", degradation, "--mu", "0.1", "-o", tmp_path / "out.png")
    assert result.exit_code == 0, result.output
    assert PIL.Image.open(tmp_path / "out.png").size == (1, 1)


def test_list_models(gendeg):
    result = gendeg("simulate", "--list-models")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) >= 12


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"file_name": 3}\n', b"5\n", None])
def test_metadata_that_is_none(gendeg, photo_folder, tmp_path, content):
    record = tmp_path / "metadata.jsonl"
    record.mkdir() if content is None else record.write_bytes(content)
    result = gendeg("simulate", photo_folder, "-d", "haze", "-o", tmp_path)
    assert result.exit_code == 2
    assert "metadata.jsonl was not written by gendeg" in result.stderr


def test_foreign_metadata_is_not_touched(gendeg, photo_folder, tmp_path):
    (tmp_path / "metadata.jsonl").write_text('{"other": 1}\n')
    result = gendeg("simulate", photo_folder, "-d", "haze", "-o", tmp_path)
    assert result.exit_code == 2
    assert "was not written by gendeg" in result.stderr
    assert (tmp_path / "metadata.jsonl").read_text() == '{"other": 1}\n'
    with pytest.raises(InputError):
        Metadata(tmp_path)
