"""The authors' release: an index of paths beside the images."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gendeg
from gendeg.errors import InputError
from gends import picture


def index_row(number: int, **columns: Any) -> dict[str, Any]:
    generated = {
        "image_path": f"out/RESIDE/snow/{number}.png",
        "target_path": f"out/RESIDE/GT/{number}.png",
        "dataset": "RESIDE",
        "degradation": "haze",
        "category": "Synthetic",
        "degradation_sub_type": "snow",
        "split": "train",
        "mu": 0.12,
        "sigma": 0.07,
        "random_sampled": False,
        "sampled_dataset": "CSD",
    }
    return generated | columns


EXISTING = {
    "image_path": "/home/somebody/data/GenIRData/GoPro/input/5.png",
    "target_path": "/home/somebody/data/GenIRData/GoPro/target/5.png",
    "dataset": "HIDE",
    "degradation": "motion blur",
    "degradation_sub_type": "motion",
    "category": "Real",
    "mu": None,
    "sigma": None,
    "random_sampled": None,
    "sampled_dataset": None,
}
ROWS = [index_row(0), index_row(1, degradation_sub_type="low-light", sampled_dataset="SID"), index_row(2, **EXISTING)]
IMAGES = ("out/RESIDE/snow/0.png", "out/RESIDE/GT/0.png", "GoPro/input/5.png", "GoPro/target/5.png")


@pytest.fixture(params=["parquet", "json"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    for number, name in enumerate(IMAGES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(tmp_path / name)
    if request.param == "json":
        (tmp_path / "out.json").write_text(json.dumps(ROWS))
        (tmp_path / "out_traversed.json").write_text(json.dumps(["0.png"]))
    else:
        (tmp_path / "data").mkdir()
        pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "data" / "train-00000-of-00001.parquet")
    return tmp_path


def load(root: Path, *part: str, **options: Any) -> Any:
    options = {"split": "train", "data_dir": str(root), "cache_dir": str(root / ".cache")} | options
    return gendeg.load_dataset("gends", *part, **options)


def test_reads_our_columns(root: Path) -> None:
    data = load(root)
    assert data["mixture"] == ["snow+haze", "low_light", "motion_blur"]
    assert data["origin"] == ["generated", "generated", "existing"]
    assert data["source_set"] == ["CSD", "SID", "HIDE"]
    assert data["scene_set"] == ["RESIDE", "RESIDE", "HIDE"]
    assert data["mu"] == [0.12, 0.12, None]
    assert data["achieved_mu"] == [None] * 3
    assert data["category"] == ["Synthetic", "Synthetic", "Real"]
    assert [list(data[0][name].get_flattened_data()) for name in ("degraded", "target")] == [
        list(picture(number).get_flattened_data()) for number in (0, 1)
    ]
    assert list(data[2]["degraded"].get_flattened_data()) == list(picture(2).get_flattened_data())


def test_parts_and_streaming(root: Path) -> None:
    assert load(root, "motion_blur")["row"] == [2]
    assert [row["row"] for row in load(root, "generated", streaming=True).select_columns(["row"])] == [0, 1]


def test_images_that_are_elsewhere(root: Path) -> None:
    (root / "out" / "RESIDE" / "snow" / "0.png").unlink()
    with pytest.raises(InputError, match=r"names out/RESIDE/snow/0.png, and there is no .*GenIRData"):
        load(root)


def test_index_without_a_column(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(json.dumps([{"image_path": "a.png", "target_path": "b.png"}]))
    with pytest.raises(InputError, match="lacks the columns dataset, degradation"):
        load(tmp_path)
