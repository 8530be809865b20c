import shutil
from collections import Counter
from pathlib import Path

import PIL.Image
import pytest

from gendeg import SeverityPrior
from gendeg.data.layouts import LAYOUTS
from gendeg.data.pair_index import read_index


def write_grey(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (8, 8), (value, value, value)).save(path)


@pytest.fixture
def lol(tmp_path: Path) -> Path:
    for folder, number in (("our485", 1), ("our485", 2), ("eval15", 3)):
        write_grey(tmp_path / f"lol/{folder}/low/{number}.png", 100 - 10 * number)
        write_grey(tmp_path / f"lol/{folder}/high/{number}.png", 100)
    return tmp_path / "lol"


def test_prepare(gendeg, lol):
    result = gendeg("prepare", "lol", lol)
    assert result.exit_code == 0, result.output
    assert "3 pairs of LOLv1, 3 measured now" in result.stdout
    rows = read_index(lol)
    assert [(row.dataset, row.split, row.degraded.name) for row in rows] == [
        ("LOLv1", "test", "3.png"),
        ("LOLv1", "train", "1.png"),
        ("LOLv1", "train", "2.png"),
    ]
    assert [row.mu * 255 for row in rows] == pytest.approx([30, 10, 20], abs=1e-4)
    assert "3 pairs of LOLv1, 0 measured now" in gendeg("prepare", "LOLv1", lol, "--workers", 2).stdout
    assert "3 measured now" in gendeg("prepare", "LOLv1", lol, "--overwrite").stdout
    assert sorted(path.name for path in lol.iterdir()) == ["eval15", "our485", "pairs.parquet"]


def test_splits_and_several_sets_in_one_index(gendeg, lol, tmp_path):
    for kind in ("hazy", "GT"):
        write_grey(tmp_path / f"haze/{kind}/01_outdoor_{kind}.jpg", 50)
    index = tmp_path / "pairs.parquet"
    assert gendeg("prepare", "LOLv1", lol, "-o", index, "--split", "train").exit_code == 0
    assert gendeg("prepare", "o-haze", tmp_path / "haze", "-o", index).exit_code == 0
    assert [(row.dataset, row.split) for row in read_index(index)] == [
        ("LOLv1", "train"),
        ("LOLv1", "train"),
        ("O-HAZE", "test"),
    ]
    result = gendeg("prepare", "o-haze", tmp_path / "haze", "-o", index, "--split", "val")
    assert result.exit_code == 2
    assert "is of the split validation; there are: test" in result.stderr
    assert "choose among train, validation, test" in gendeg("prepare", "LOLv1", lol, "--split", "dev").stderr


def test_unusable_pairs_are_listed(gendeg, lol):
    (lol / "our485/low/1.png").write_text("broken")
    (lol / "our485/high/2.png").unlink()
    result = gendeg("prepare", "LOLv1", lol)
    assert result.exit_code == 1
    assert "1 pair of LOLv1," in result.stdout
    assert "Pairs that could not be used: 2" in result.stderr
    assert "2.png: no clean image our485/high/{image}" in result.stderr
    assert "Cannot read" in result.stderr
    assert len(read_index(lol)) == 1


def test_wrong_tree(gendeg, lol):
    result = gendeg("prepare", "GoPro", lol)
    assert result.exit_code == 2
    assert "{split}/{video}/blur/{frame}" in result.stderr
    assert "our485/low/: 2 .png" in result.stderr
    assert not (lol / "pairs.parquet").exists()


def test_list(gendeg):
    everything = gendeg("prepare", "--list").stdout
    assert all(f"{layout.name}: " in everything for layout in LAYOUTS)
    one = gendeg("prepare", "--list", "reside").stdout
    assert one.startswith("RESIDE: haze; synthetic.")
    assert "GoPro" not in one
    plain = gendeg("prepare", "--list", "folders").stdout
    assert plain.startswith("folders: pairs of your own")
    assert plain in everything


def test_own_folders_without_some_targets(gendeg, tmp_path):
    for place in ("haze/input/1", "haze/target/1", "haze/input/2"):
        write_grey(tmp_path / f"{place}.png", 100)
    result = gendeg("prepare", "folders", tmp_path, "--category", "real")
    assert result.exit_code == 1
    assert "Pairs that could not be used: 1\n" in result.stderr
    assert "haze/input/2.png: no clean image of this name" in result.stderr
    assert [row.degraded.name for row in read_index(tmp_path)] == ["1.png"]


def test_deleted_images_leave_the_index(gendeg, lol):
    gendeg("prepare", "lol", lol)
    for kind in ("low", "high"):
        (lol / "our485" / kind / "1.png").unlink()
    result = gendeg("prepare", "lol", lol)
    assert result.exit_code == 0
    assert "Images of 1 pair have been deleted" in result.stdout
    assert [row.degraded.name for row in read_index(lol)] == ["3.png", "2.png"]


def test_a_disk_that_is_not_there_keeps_its_rows(gendeg, lol, tmp_path):
    """One published set, and folders of one name, prepared from two places into one index: one of them goes away."""
    index = tmp_path / "pairs.parquet"
    places = [tmp_path / "first", tmp_path / "second"]
    for place in places:
        for name in ("haze/mine/input/1", "haze/mine/input/2", "haze/mine/target/1", "haze/mine/target/2"):
            write_grey(place / f"{name}.png", 100)
        shutil.copytree(lol, place / "lol")
        assert gendeg("prepare", "folders", place, "--category", "real", "-o", index).exit_code == 0
        assert gendeg("prepare", "LOLv1", place / "lol", "-o", index).exit_code == 0
    places[1].rename(tmp_path / "unmounted")
    (places[0] / "haze/mine/input/1.png").unlink()
    (places[0] / "lol/our485/low/1.png").unlink()
    gendeg("prepare", "folders", places[0], "--category", "real", "-o", index)
    gendeg("prepare", "LOLv1", places[0] / "lol", "-o", index)
    counts = Counter((row.dataset, row.degraded.is_relative_to(places[1])) for row in read_index(index))
    assert counts == {("mine", False): 1, ("LOLv1", False): 2, ("mine", True): 2, ("LOLv1", True): 3}


def test_the_last_pair_of_a_folder_leaves_the_index(gendeg, tmp_path):
    for name in ("haze/mine/input/1", "haze/mine/target/1"):
        write_grey(tmp_path / f"{name}.png", 100)
    command = ("prepare", "folders", tmp_path, "--category", "real")
    assert gendeg(*command).exit_code == 0
    (tmp_path / "haze/mine/target/1.png").rename(tmp_path / "haze/mine/target/2.png")
    result = gendeg(*command)
    assert result.exit_code == 2
    assert "None of the 1 images" in result.stderr
    assert "Images of 1 pair have been deleted" in result.stdout
    assert read_index(tmp_path) == []


def test_an_empty_folder_may_be_a_disk_that_is_not_there(gendeg, lol, tmp_path):
    index = tmp_path / "pairs.parquet"
    assert gendeg("prepare", "lol", lol, "-o", index).exit_code == 0
    lol.rename(tmp_path / "unmounted")
    lol.mkdir()
    assert gendeg("prepare", "lol", lol, "-o", index).exit_code == 2
    assert len(read_index(index)) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Which data set, and where is it?"),
        (["GoPro"], "Which data set, and where is it?"),
        (["Gropo", "."], "Did you mean GoPro?"),
        (["GoPro", "nowhere"], "is not a folder"),
        (["GoPro", ".", "-d", "haze"], "are for folders"),
        (["folders", "nowhere"], "There is no folder"),
    ],
)
def test_bad_arguments(gendeg, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = gendeg("prepare", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_own_folders_and_their_prior(gendeg, tmp_path):
    for number in range(3):
        write_grey(tmp_path / f"mine/input/{number}.png", 100)
        write_grey(tmp_path / f"mine/target/{number}.png", 80)
    index = tmp_path / "pairs.parquet"
    options = ("-d", "fog", "--category", "synthetic", "-o", index)
    assert "3 pairs" in gendeg("prepare", "folders", tmp_path / "mine", *options).stdout
    assert {(row.dataset, row.category, row.split) for row in read_index(index)} == {("mine", "synthetic", "train")}
    result = gendeg("prior", "measure", index, "-o", tmp_path / "prior.json")
    assert result.exit_code == 0, result.output
    assert SeverityPrior.load(tmp_path / "prior.json").datasets("haze") == ("mine",)
    assert "--degradation is for folders" in gendeg("prior", "measure", index, "-d", "haze", "-o", "p.json").stderr


def test_an_interruption_is_told(gendeg, lol, monkeypatch):
    def interrupt(*_images):
        raise KeyboardInterrupt

    monkeypatch.setattr("gendeg.data.measuring.measure_severity", interrupt)
    result = gendeg("prepare", "LOLv1", lol)
    assert result.exit_code == 130
    assert "run the same command again" in result.stderr
