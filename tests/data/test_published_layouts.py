"""Every known data set on a miniature tree, written down here file by file."""

from pathlib import Path

import pytest

from gendeg.data.layouts import LAYOUTS, Layout, PathPairs, describe_layout, find_layout, find_pairs
from gendeg.data.layouts.patterns import compile_pattern
from gendeg.errors import ImageError, InputError
from gendeg.priors import SeverityPrior

J = "RealBlur-J_ECC_IMCORR_centroid_itensity_ref"
R = "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref"
FOG = "leftImg8bit_trainvaltest_foggy/leftImg8bit_foggy"
CLEAR = "leftImg8bit_trainvaltest/leftImg8bit"
AACHEN = "train/aachen/aachen_000000_000019_leftImg8bit"

# By data set: its pairs as (degraded, clean, "split degradation category", scene), and images that are in no pair.
TREES: dict[str, tuple[list[tuple[str, str, str, str]], list[str]]] = {
    "REVIDE": (
        [
            ("Train/hazy/C001/00000.JPG", "Train/gt/C001/00000.JPG", "train haze real", "Train/C001"),
            ("Train/hazy/C001/00001.JPG", "Train/gt/C001/00001.JPG", "train haze real", "Train/C001"),
            ("Test/hazy/E005/00000.JPG", "Test/gt/E005/00000.JPG", "test haze real", "Test/E005"),
        ],
        [],
    ),
    "O-HAZE": (
        [
            (
                "# O-HAZY NTIRE 2018/hazy/01_outdoor_hazy.jpg",
                "# O-HAZY NTIRE 2018/GT/01_outdoor_GT.jpg",
                "test haze real",
                "GT/01_outdoor_GT",
            )
        ],
        [],
    ),
    "I-HAZE": (
        [("hazy/01_indoor_hazy.jpg", "GT/01_indoor_GT.jpg", "train haze real", "GT/01_indoor_GT")],
        [],
    ),
    "NH-HAZE": (
        [
            ("NH-HAZE/01_hazy.png", "NH-HAZE/01_GT.png", "train haze real", "01_GT"),
            ("NH-HAZE/02_hazy.png", "NH-HAZE/02_GT.png", "train haze real", "02_GT"),
        ],
        [],
    ),
    "DenseHaze": (
        [
            (
                "Dense_Haze_NTIRE19/hazy/55_hazy.png",
                "Dense_Haze_NTIRE19/GT/55_GT.png",
                "train haze real",
                "GT/55_GT",
            )
        ],
        [],
    ),
    "RESIDE": (
        [
            ("ITS/hazy/1_1_0.9.png", "ITS/clear/1.png", "train haze synthetic", "ITS/clear/1"),
            ("ITS/hazy/1_2_0.6.png", "ITS/clear/1.png", "train haze synthetic", "ITS/clear/1"),
            ("ITS/hazy/11_1_0.9.png", "ITS/clear/11.png", "train haze synthetic", "ITS/clear/11"),
            ("OTS/hazy/0005_0.8_0.04.jpg", "OTS/clear/0005.jpg", "train haze synthetic", "OTS/clear/0005"),
            (
                "SOTS/indoor/nyuhaze500/hazy/1400_3.png",
                "SOTS/indoor/nyuhaze500/gt/1400.png",
                "test haze synthetic",
                "nyuhaze500/gt/1400",
            ),
            (
                "SOTS/outdoor/hazy/0001_0.8_0.2.jpg",
                "SOTS/outdoor/gt/0001.png",
                "test haze synthetic",
                "outdoor/gt/0001",
            ),
        ],
        ["ITS/trans/1_1.png"],
    ),
    "CityscapesFog": (
        [
            (
                f"{FOG}/{AACHEN}_foggy_beta_0.005.png",
                f"{CLEAR}/{AACHEN}.png",
                "train haze synthetic",
                f"leftImg8bit/{AACHEN}",
            ),
            (
                f"{FOG}/{AACHEN}_foggy_beta_0.02.png",
                f"{CLEAR}/{AACHEN}.png",
                "train haze synthetic",
                f"leftImg8bit/{AACHEN}",
            ),
            (
                f"{FOG}/val/lindau/lindau_000001_000019_leftImg8bit_foggy_beta_0.01.png",
                f"{CLEAR}/val/lindau/lindau_000001_000019_leftImg8bit.png",
                "validation haze synthetic",
                "leftImg8bit/val/lindau/lindau_000001_000019_leftImg8bit",
            ),
        ],
        [f"{CLEAR}/train/aachen/aachen_000001_000019_leftImg8bit.png"],
    ),
    "Rain13K": (
        [
            (
                "train/Rain13K/input/1.jpg",
                "train/Rain13K/target/1.jpg",
                "train rain synthetic",
                "train/Rain13K/target/1",
            ),
            (
                "test/Rain100L/input/1.png",
                "test/Rain100L/target/1.png",
                "test rain synthetic",
                "test/Rain100L/target/1",
            ),
        ],
        [],
    ),
    "Rain1400": (
        [
            (
                "rainy_image_dataset/training/rainy_image/1_1.jpg",
                "rainy_image_dataset/training/ground_truth/1.jpg",
                "train rain synthetic",
                "training/ground_truth/1",
            ),
            (
                "rainy_image_dataset/training/rainy_image/1_14.jpg",
                "rainy_image_dataset/training/ground_truth/1.jpg",
                "train rain synthetic",
                "training/ground_truth/1",
            ),
            (
                "rainy_image_dataset/testing/rainy_image/901_2.jpg",
                "rainy_image_dataset/testing/ground_truth/901.jpg",
                "test rain synthetic",
                "testing/ground_truth/901",
            ),
        ],
        [],
    ),
    "ORD": (
        [
            (
                "CVPR19RainTrain/train/in/im_0001_s80_a04.png",
                "CVPR19RainTrain/train/gt/im_0001.png",
                "train rain+haze synthetic",
                "train/gt/im_0001",
            ),
            (
                "CVPR19RainTrain/train/in/im_0001_s100_a06.png",
                "CVPR19RainTrain/train/gt/im_0001.png",
                "train rain+haze synthetic",
                "train/gt/im_0001",
            ),
            (
                "CVPR19RainTrain/test/data/im_0002_s85_a05.png",
                "CVPR19RainTrain/test/gt/im_0002.png",
                "test rain+haze synthetic",
                "test/gt/im_0002",
            ),
        ],
        ["CVPR19RainTrain/train/streak/im_0001_s80.png"],
    ),
    "SPAC": (
        [
            (
                "Dataset_Training_Synthetic/t1_Rain_01/00001.jpg",
                "Dataset_Training_Synthetic/t1_GT/00001.jpg",
                "train rain synthetic",
                "t1",
            ),
            (
                "Dataset_Training_Synthetic/t1_Rain_02/00001.jpg",
                "Dataset_Training_Synthetic/t1_GT/00001.jpg",
                "train rain synthetic",
                "t1",
            ),
            (
                "Dataset_Testing_Synthetic/a1_Rain/00002.jpg",
                "Dataset_Testing_Synthetic/a1_GT/00002.jpg",
                "test rain synthetic",
                "a1",
            ),
        ],
        ["Dataset_Testing_Synthetic/a1_spacCNN/00002.jpg", "Dataset_Testing_RealRain/ra1_Rain/00001.jpg"],
    ),
    "RealRain1k": (
        [
            (
                "RealRain-1k/RealRain-1k-L/train/input/7.png",
                "RealRain-1k/RealRain-1k-L/train/target/7.png",
                "train rain real",
                "train/7",
            ),
            (
                "RealRain-1k/RealRain-1k-H/validation/input/8.png",
                "RealRain-1k/RealRain-1k-H/validation/target/8.png",
                "validation rain real",
                "validation/8",
            ),
        ],
        ["RealRain-1k/SynRain-13k/train/input/1.png", "RealRain-1k/SynRain-13k/train/target/1.png"],
    ),
    "RainDS": (
        [
            (
                "RainDS_real/train_set/rainstreak/2.png",
                "RainDS_real/train_set/gt/2.png",
                "train rain real",
                "RainDS_real/train_set/gt/2",
            ),
            (
                "RainDS_real/train_set/raindrop/2.png",
                "RainDS_real/train_set/gt/2.png",
                "train raindrop real",
                "RainDS_real/train_set/gt/2",
            ),
            (
                "RainDS_real/test_set/rainstreak_raindrop/3.png",
                "RainDS_real/test_set/gt/3.png",
                "test rain+raindrop real",
                "RainDS_real/test_set/gt/3",
            ),
            (
                "RainDS_syn/train/rainstreak/rain-1.png",
                "RainDS_syn/train/gt/norain-1.png",
                "train rain synthetic",
                "RainDS_syn/train/gt/norain-1",
            ),
            (
                "RainDS_syn/train/rainstreak/pie-rain-1.png",
                "RainDS_syn/train/gt/pie-norain-1.png",
                "train rain synthetic",
                "RainDS_syn/train/gt/pie-norain-1",
            ),
            (
                "RainDS_syn/test/raindrop/rd-4.png",
                "RainDS_syn/test/gt/norain-4.png",
                "test raindrop synthetic",
                "RainDS_syn/test/gt/norain-4",
            ),
            (
                "RainDS_syn/test/rainstreak_raindrop/pie-rd-rain-4.png",
                "RainDS_syn/test/gt/pie-norain-4.png",
                "test rain+raindrop synthetic",
                "RainDS_syn/test/gt/pie-norain-4",
            ),
        ],
        [],
    ),
    "LHP": (
        [
            ("input/train/1.png", "gt/train/1.png", "train rain real", "gt/train/1"),
            ("input/test/1.png", "gt/test/1.png", "test rain real", "gt/test/1"),
        ],
        [],
    ),
    "Raindrop": (
        [
            ("train/data/0_rain.png", "train/gt/0_clean.png", "train raindrop real", "train/gt/0_clean"),
            ("test_a/data/0_rain.png", "test_a/gt/0_clean.png", "test raindrop real", "test_a/gt/0_clean"),
            ("test_b/data/1_rain.jpg", "test_b/gt/1_clean.jpg", "test raindrop real", "test_b/gt/1_clean"),
        ],
        [],
    ),
    "Snow100k": (
        [
            ("all/synthetic/beach_00001.jpg", "all/gt/beach_00001.jpg", "train snow synthetic", "all/gt/beach_00001"),
            (
                "media/jdway/GameSSD/overlapping/test/Snow100K-L/synthetic/city_00002.jpg",
                "media/jdway/GameSSD/overlapping/test/Snow100K-L/gt/city_00002.jpg",
                "test snow synthetic",
                "Snow100K-L/gt/city_00002",
            ),
        ],
        ["all/mask/beach_00001.jpg"],
    ),
    "CSD": (
        [
            ("CSD/Train/Snow/1.tif", "CSD/Train/Gt/1.tif", "train snow+haze synthetic", "Train/Gt/1"),
            ("CSD/Test/Snow/2.tif", "CSD/Test/Gt/2.tif", "test snow+haze synthetic", "Test/Gt/2"),
        ],
        ["CSD/Train/Mask/1.tif"],
    ),
    "CityscapesSnow": (
        [
            (
                "train/synthetic/cityscape-1.png",
                "train/gt/cityscape-1.png",
                "train snow synthetic",
                "train/gt/cityscape-1",
            ),
            (
                "test/smallSnow/cityscape-1.png",
                "test/gt/cityscape-1.png",
                "test snow synthetic",
                "test/gt/cityscape-1",
            ),
            (
                "test/largeSnow/cityscape-1.png",
                "test/gt/cityscape-1.png",
                "test snow synthetic",
                "test/gt/cityscape-1",
            ),
        ],
        ["train/synthetic/cityscape-2001.png"],
    ),
    "RSVD": (
        [
            ("train/snow/01/00000.jpg", "train/clean/01/00000.jpg", "train snow synthetic", "train/01"),
            ("test/snow/05/00000.jpg", "test/clean/05/00000.jpg", "test snow synthetic", "test/05"),
        ],
        [],
    ),
    "REDS": (
        [
            (
                "train_blur/train/train_blur/000/00000000.png",
                "train_sharp/train/train_sharp/000/00000000.png",
                "train motion_blur real",
                "train/000",
            ),
            (
                "val_blur/val/val_blur/000/00000000.png",
                "val_sharp/val/val_sharp/000/00000000.png",
                "validation motion_blur real",
                "val/000",
            ),
        ],
        [],
    ),
    "HIDE": (
        [
            (
                "train/20fromGOPR1090.MP4.png",
                "GT/20fromGOPR1090.MP4.png",
                "train motion_blur real",
                "GT/20fromGOPR1090.MP4",
            ),
            ("test/test-close-ups/2fromGOPR.png", "GT/2fromGOPR.png", "test motion_blur real", "GT/2fromGOPR"),
            ("test/test-long-shot/3fromGOPR.png", "GT/3fromGOPR.png", "test motion_blur real", "GT/3fromGOPR"),
        ],
        [],
    ),
    "RealBlur": (
        [
            (f"{J}/scene050/blur/blur_8.png", f"{J}/scene050/gt/gt_8.png", "train motion_blur real", "scene050"),
            (f"{J}/scene051/blur/blur_1.png", f"{J}/scene051/gt/gt_1.png", "test motion_blur real", "scene051"),
            (f"{R}/scene050/blur/blur_8.png", f"{R}/scene050/gt/gt_8.png", "train motion_blur real", "scene050"),
        ],
        [f"{J}/scene052/blur/blur_1.png", f"{J}/scene052/gt/gt_1.png"],
    ),
    "GoPro": (
        [
            (
                "train/GOPR0372_07_00/blur/000047.png",
                "train/GOPR0372_07_00/sharp/000047.png",
                "train motion_blur real",
                "GOPR0372_07_00",
            ),
            (
                "test/GOPR0384_11_00/blur/000001.png",
                "test/GOPR0384_11_00/sharp/000001.png",
                "test motion_blur real",
                "GOPR0384_11_00",
            ),
        ],
        ["train/GOPR0372_07_00/blur_gamma/000047.png"],
    ),
    "SID": (
        [
            ("Sony/short/00001_00_0.1s.png", "Sony/long/00001_00_10s.png", "train low_light real", "long/00001_00_10s"),
            (
                "Sony/short/00001_00_0.4s.png",
                "Sony/long/00001_00_10s.png",
                "train low_light real",
                "long/00001_00_10s",
            ),
            ("Sony/short/10003_00_0.1s.png", "Sony/long/10003_00_10s.png", "test low_light real", "long/10003_00_10s"),
            (
                "Sony/short/20001_00_0.1s.png",
                "Sony/long/20001_00_30s.png",
                "validation low_light real",
                "long/20001_00_30s",
            ),
            ("Fuji/short/00001_00_0.1s.png", "Fuji/long/00001_00_10s.png", "train low_light real", "long/00001_00_10s"),
        ],
        [],
    ),
    "LOLv1": (
        [
            ("our485/low/2.png", "our485/high/2.png", "train low_light real", "our485/high/2"),
            ("eval15/low/1.png", "eval15/high/1.png", "test low_light real", "eval15/high/1"),
        ],
        [],
    ),
    "LOLv2": (
        [
            (
                "Real_captured/Train/Low/low00001.png",
                "Real_captured/Train/Normal/normal00001.png",
                "train low_light real",
                "Real_captured/Train/Normal/normal00001",
            ),
            (
                "Real_captured/Test/Low/00690.png",
                "Real_captured/Test/Normal/00690.png",
                "test low_light real",
                "Real_captured/Test/Normal/00690",
            ),
            (
                "Synthetic/Train/Low/r00816405t.png",
                "Synthetic/Train/Normal/r00816405t.png",
                "train low_light synthetic",
                "Synthetic/Train/Normal/r00816405t",
            ),
        ],
        [],
    ),
    "SICE": (
        [
            ("Dataset_Part1/1/1.JPG", "Dataset_Part1/Label/1.JPG", "test low_light real", "Dataset_Part1/Label/1"),
            ("Dataset_Part1/1/3.JPG", "Dataset_Part1/Label/1.JPG", "test low_light real", "Dataset_Part1/Label/1"),
            ("Dataset_Part2/1/2.JPG", "Dataset_Part2/Label/1.PNG", "test low_light real", "Dataset_Part2/Label/1"),
        ],
        ["Dataset_Part1/1/4.JPG", "Dataset_Part1/1/7.JPG"],
    ),
}

LISTS = {
    "RealBlur_J_train_list.txt": f"{J}/scene050/gt/gt_8.png {J}/scene050/blur/blur_8.png \n",
    "RealBlur_J_test_list.txt": f"{J}/scene051/gt/gt_1.png {J}/scene051/blur/blur_1.png\n\n",
    "RealBlur_R_train_list.txt": f"{R}/scene050/gt/gt_8.png {R}/scene050/blur/blur_8.png\n",
}

# Sets that are also read from another arrangement.
VARIANTS = [
    ("RESIDE", "train/ITS_haze/1_1_0.9.png", "train/ITS_clear/1.png", "train haze synthetic"),
    ("RESIDE", "val/haze/1_1_0.9.png", "val/clear/1.png", "validation haze synthetic"),
    ("RESIDE", "OTS_ALPHA/OTS/0005_0.8_0.04.jpg", "OTS_ALPHA/clear_images/0005.jpg", "train haze synthetic"),
    ("RESIDE", "RESIDE-IN/train/hazy/1_1.png", "RESIDE-IN/train/GT/1_1.png", "train haze synthetic"),
    ("RESIDE", "Train/hazy/3827_0.85_0.08.jpg", "Train/GT/3827.jpg", "train haze synthetic"),
    ("Rain13K", "train/input/1.jpg", "train/target/1.jpg", "train rain synthetic"),
    ("ORD", "test/data/0001.png", "test/gt/0001.png", "test rain+haze synthetic"),
    ("LHP", "LHP-Rain/test/input/1.png", "LHP-Rain/test/target/1.png", "test rain real"),
    ("Snow100k", "Snow100K-training/synthetic/a.jpg", "Snow100K-training/gt/a.jpg", "train snow synthetic"),
    ("Snow100k", "train/synthetic/a.jpg", "train/gt/a.jpg", "train snow synthetic"),
    ("CityscapesFog", "leftImg8bit_foggyDBF/val/b/b_1_leftImg8bit_foggy_beta_0.01.png",
     "leftImg8bit/val/b/b_1_leftImg8bit.png", "validation haze synthetic"),
    ("RSVD", "test/input/05/00000.jpg", "test/gt/05/00000.jpg", "test snow synthetic"),
    ("GoPro", "test/input/a.png", "test/target/a.png", "test motion_blur real"),
    ("SID", "short_sid2/10003/10003_00_0.1s.png", "long_sid2/10003/10003_00_10s.png", "test low_light real"),
]  # fmt: skip


def write_images(root: Path, names: list[str]) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def make_tree(root: Path, name: str) -> None:
    pairs, others = TREES[name]
    write_images(root, [image for degraded, clean, *_ in pairs for image in (degraded, clean)] + others)
    if name == "RealBlur":
        for file, text in LISTS.items():
            (root / file).write_text(text)


def listed(name: str, root: Path) -> list[tuple[str, str, str, str]]:
    found = find_pairs(find_layout(name), root)
    assert not found.problems
    assert {pair.dataset for pair in found.pairs} == {name}
    return [
        (
            pair.degraded.relative_to(root.absolute()).as_posix(),
            pair.clean.relative_to(root.absolute()).as_posix(),
            f"{pair.split} {'+'.join(pair.mixture)} {pair.category}",
            pair.scene,
        )
        for pair in found.pairs
    ]


def test_every_set_has_a_tree() -> None:
    assert TREES.keys() == {layout.name for layout in LAYOUTS}


@pytest.mark.parametrize("name", TREES)
def test_published_layout(name: str, tmp_path: Path) -> None:
    make_tree(tmp_path, name)
    assert listed(name, tmp_path) == sorted(TREES[name][0])


@pytest.mark.parametrize("name", TREES)
def test_root_may_be_above(name: str, tmp_path: Path) -> None:
    make_tree(tmp_path / "sets" / "this", name)
    assert len(listed(name, tmp_path)) == len(TREES[name][0])


@pytest.mark.parametrize(("name", "degraded", "clean", "kind"), VARIANTS)
def test_other_arrangements(name: str, degraded: str, clean: str, kind: str, tmp_path: Path) -> None:
    write_images(tmp_path, [degraded, clean])
    assert [row[:3] for row in listed(name, tmp_path)] == [(degraded, clean, kind)]


def test_root_may_be_inside_and_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tree(tmp_path, "RESIDE")
    monkeypatch.chdir(tmp_path)
    pairs = find_pairs(find_layout("RESIDE"), Path("ITS")).pairs
    assert [pair.degraded.name for pair in pairs] == ["11_1_0.9.png", "1_1_0.9.png", "1_2_0.6.png"]
    assert all(pair.degraded.is_absolute() for pair in pairs)


@pytest.mark.parametrize("name", TREES)
def test_a_wrong_tree_is_told_what_was_expected_and_found(name: str, tmp_path: Path) -> None:
    write_images(tmp_path, ["somewhere/else/1.png", "somewhere/else/2.png", "notes.txt"])
    with pytest.raises(InputError, match=f"No pair of {name}") as error:
        find_pairs(find_layout(name), tmp_path)
    message = str(error.value)
    assert describe_layout(find_layout(name)) in message
    assert "somewhere/else/: 2 .png, e.g. 1.png" in message


def test_an_empty_folder_and_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file at all"):
        find_pairs(find_layout("GoPro"), tmp_path)
    with pytest.raises(ImageError, match="is not a folder"):
        find_pairs(find_layout("GoPro"), tmp_path / "nothing")


def test_raw_files_are_named_as_what_they_are(tmp_path: Path) -> None:
    write_images(tmp_path, ["Sony/short/00001_00_0.1s.ARW", "Sony/long/00001_00_10s.ARW"])
    with pytest.raises(InputError, match=r"Raw files \(.ARW, .RAF\).*are not read: convert them to PNG") as error:
        find_pairs(find_layout("SID"), tmp_path)
    assert "Sony/short/: 1 .ARW" in str(error.value)


def test_a_clean_image_that_is_missing_is_listed(tmp_path: Path) -> None:
    make_tree(tmp_path, "RESIDE")
    write_images(tmp_path, ["ITS/hazy/5_1_0.9.png", "OTS/clear/5.jpg"])  # the clear image of another part is none
    found = find_pairs(find_layout("RESIDE"), tmp_path)
    assert len(found.pairs) == len(TREES["RESIDE"][0])
    assert list(found.problems) == [tmp_path / "ITS/hazy/5_1_0.9.png"]
    assert "no clean image {part}/(clear|clear_images)/{image}" in found.problems[tmp_path / "ITS/hazy/5_1_0.9.png"]


def test_nothing_but_degraded_images(tmp_path: Path) -> None:
    write_images(tmp_path, ["our485/low/1.png", "our485/low/2.png"])
    with pytest.raises(InputError, match=r"2 degraded images, but e.g. of our485/low/1.png: no clean image"):
        find_pairs(find_layout("LOLv1"), tmp_path)


def test_two_clean_images_are_ambiguous(tmp_path: Path) -> None:
    make_tree(tmp_path, "LOLv1")
    write_images(tmp_path, ["our485/high/2.jpg"])
    found = find_pairs(find_layout("LOLv1"), tmp_path)
    assert [pair.degraded.parts[-3] for pair in found.pairs] == ["eval15"]
    assert "2 files fit its clean image" in found.problems[tmp_path / "our485/low/2.png"]


def test_files_that_a_list_names_may_be_missing(tmp_path: Path) -> None:
    make_tree(tmp_path, "RealBlur")
    (tmp_path / J / "scene050/gt/gt_8.png").unlink()
    found = find_pairs(find_layout("RealBlur"), tmp_path)
    assert len(found.pairs) == 2
    assert (
        "listed in RealBlur_J_train_list.txt, is not there" in found.problems[tmp_path / J / "scene050/blur/blur_8.png"]
    )
    (tmp_path / "RealBlur_J_train_list.txt").write_text("one\n")
    with pytest.raises(InputError, match="names a clean and a degraded file; got 'one'"):
        find_pairs(find_layout("RealBlur"), tmp_path)


def test_the_documentation_shows_every_layout() -> None:
    text = (Path(__file__).parents[2] / "docs" / "existing-pairs.md").read_text(encoding="utf-8")
    for layout in LAYOUTS:
        assert describe_layout(layout) in text
    assert f" {len(LAYOUTS)} such" in text


def test_names_are_forgiving() -> None:
    for name in ("o-haze", "OHAZE", "O HAZE"):
        assert find_layout(name).name == "O-HAZE"
    for alias, name in [("Dense-Haze", "DenseHaze"), ("foggy_cityscapes", "CityscapesFog"), ("outdoor rain", "ORD")]:
        assert find_layout(alias).name == name
    with pytest.raises(InputError, match=r"Did you mean GoPro\?.* Known: REVIDE, O-HAZE"):
        find_layout("gropo")


def test_names_are_those_of_the_published_prior() -> None:
    prior = SeverityPrior.published()
    published = {name for degradation in prior.degradations for name in prior.datasets(degradation)}
    assert published <= {layout.name for layout in LAYOUTS}


def test_no_name_means_two_sets() -> None:
    for layout in LAYOUTS:
        for name in (layout.name, *layout.aliases):
            assert find_layout(name) is layout


def test_a_set_of_your_own(tmp_path: Path) -> None:
    layout = Layout(
        "MyRain",
        "rain",
        "real",
        release="Mine.",
        rules=(PathPairs("{split}/rainy/{scene}_*", "{split}/clean/{scene}"),),
    )
    write_images(tmp_path, ["test/rainy/a_1.png", "test/rainy/a_b_2.png", "test/clean/a.jpg"])
    pairs = find_pairs(layout, tmp_path).pairs
    assert [(pair.degraded.name, pair.clean.name, pair.split) for pair in pairs] == [
        ("a_1.png", "a.jpg", "test"),
        ("a_b_2.png", "a.jpg", "test"),
    ]


@pytest.mark.parametrize(
    ("pattern", "name", "fields"),
    [
        ("{split}/{video}/blur/{frame}", "/x/TRAIN/v/blur/7", {"split": "TRAIN", "video": "v", "frame": "7"}),
        ("{split}/{video}/blur/{frame}", "/x/other/v/blur/7", None),
        ("{split}/{video}/blur/{frame}", "/x/train/v/w/blur/7", None),
        ("{image}_*", "/x/1400_3_0.8", {"image": "1400"}),
        ("(in|input)/{image}", "/x/input/1", {"image": "1"}),
        ("(in|input)/{image}", "/x/inp/1", None),
        ("{level:S|M*}/{image}", "/x/Mild/1", {"level": "Mild", "image": "1"}),
        ("{level:S|M*}/{image}", "/x/Strong/1", None),
        ("{kind:pie-|}rd-{image}", "/x/rd-1", {"kind": "", "image": "1"}),
        ("a.b/{image}", "/x/aXb/1", None),
    ],
)
def test_patterns(pattern: str, name: str, fields: dict[str, str] | None) -> None:
    match = compile_pattern(pattern).match(name)
    assert (match.fields if match else None) == fields
