from pathlib import Path

import PIL.Image
import pytest

from gendeg.data.paired import list_pairs, match_images, split_pairs
from gendeg.degradations import Degradation
from gendeg.errors import InputError


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (8, 8)).save(path)


def write_pair(folder: Path, name: str = "a.png", target: str | None = None) -> None:
    write(folder / "input" / name)
    write(folder / "target" / (target or name))


def test_finds_degradation_from_the_folders(tmp_path: Path) -> None:
    write_pair(tmp_path / "low_light" / "lol")
    write_pair(tmp_path / "motion-blur" / "gopro", target="a.jpg")
    write_pair(tmp_path / "rain+haze")
    pairs = list_pairs(tmp_path)
    assert [pair.mixture for pair in pairs] == [
        (Degradation.LOW_LIGHT,),
        (Degradation.MOTION_BLUR,),
        (Degradation.RAIN, Degradation.HAZE),
    ]
    assert pairs[1].clean.name == "a.jpg"


def test_root_may_be_the_set_or_the_degradation_itself(tmp_path: Path) -> None:
    write_pair(tmp_path / "haze" / "set")
    assert list_pairs(tmp_path / "haze")[0].mixture == (Degradation.HAZE,)
    write_pair(tmp_path / "plain")
    assert list_pairs(tmp_path / "plain", "snow")[0].mixture == (Degradation.SNOW,)
    with pytest.raises(InputError, match="give the degradation"):
        list_pairs(tmp_path / "plain")


def test_missing_folder_and_missing_target(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder called 'input'"):
        list_pairs(tmp_path)
    write_pair(tmp_path / "haze")
    write(tmp_path / "haze" / "input" / "b.png")
    with pytest.raises(InputError, match=r"1 of 2 images in .* have no target, e.g. .*haze/input/b.png"):
        list_pairs(tmp_path)
    pairs, without_target = match_images(tmp_path)
    assert [pair.degraded.name for pair in pairs] == ["a.png"]
    assert without_target == [tmp_path / "haze" / "input" / "b.png"]


def test_split_is_by_name_of_the_clean_image(tmp_path: Path) -> None:
    for number in range(60):
        write_pair(tmp_path / "haze", f"{number}.png")
    pairs = list_pairs(tmp_path)
    train, validation = split_pairs(pairs, "train"), split_pairs(pairs, "validation")
    assert len(train) + len(validation) == 60
    assert 0 < len(validation) < 10


def test_same_name_in_two_sub_folders_is_two_pairs(tmp_path: Path) -> None:
    for name in ("park/1.png", "street/1.png"):
        write_pair(tmp_path / "haze", name)
    pairs = list_pairs(tmp_path)
    assert [pair.clean.parent.name for pair in pairs] == [pair.degraded.parent.name for pair in pairs]
    write(tmp_path / "haze" / "target" / "park" / "1.jpg")
    with pytest.raises(InputError, match="differ in suffix only"):
        list_pairs(tmp_path)
