import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

import gendeg
from gendeg.data.gends import locate
from gendeg.data.gends.schema import PARTS
from gendeg.errors import InputError
from gendeg.synthesis.folder import DatasetFolder
from gendeg.synthesis.shards import Shard, write_shard
from gends import CONFIG, SHARDS, make_dataset, rows, run

Load = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loading") / "gends"
    make_dataset(path)
    return path


@pytest.fixture
def load(folder: Path, tmp_path: Path) -> Load:
    def load(*part: str, **options: Any) -> Any:
        options = {"data_dir": str(folder), "cache_dir": str(tmp_path / "cache")} | options
        return gendeg.load_dataset("gends", *part, **options)

    return load


def test_all_of_it(load: Load) -> None:
    data = load()
    assert {split: len(data[split]) for split in data} == {"train": 23, "validation": 6}
    assert data["train"][0]["degraded"].size == (16, 12)
    assert len(load("all", split="train")) == 23


@pytest.mark.parametrize("part", [part for part in PARTS if part != "all"])
def test_parts(load: Load, part: str) -> None:
    expected = [row for shard in SHARDS for row in rows(shard) if row.verdict == "accepted"]
    column = "origin" if part in ("existing", "generated") else "mixture"
    mine = [row for row in expected if part in (row.origin, *row.mixture)]
    if not mine:
        with pytest.raises(InputError, match=f"no rows of the part '{part}'"):
            load(part)
        return
    data = load(part)
    assert sum(len(data[split]) for split in data) == len(mine)
    assert {value for split in data for value in data[split][column]} == {part}


def test_unknown_part(load: Load) -> None:
    with pytest.raises(InputError, match="no part 'fog'; its parts are all, existing, generated, haze, rain"):
        load("fog")


def test_split_without_rows_of_the_part_is_left_out(load: Load, tmp_path: Path) -> None:
    for shard in (SHARDS[0], Shard("validation", 0, 1, 0, 1)):  # the one row of the latter is an existing pair
        write_shard(tmp_path / "few", shard, rows(shard))
    assert list(load("existing", data_dir=str(tmp_path / "few"))) == ["train", "validation"]
    assert list(load("generated", data_dir=str(tmp_path / "few"))) == ["train"]
    assert list(load("generated", data_dir=str(tmp_path / "few"), streaming=True)) == ["train"]


def test_several_processes_and_streaming_give_the_same_rows(load: Load) -> None:
    one = load("generated", split="train")
    two = load("generated", split="train", num_proc=2, download_mode="force_redownload")
    stream = load("generated", split="train", streaming=True)
    assert stream.num_shards == 3
    assert one["row"] == two["row"] == [row["row"] for row in stream]
    assert one[3] == two[3] == list(stream)[3]


def test_a_shuffled_stream_has_every_row_once(load: Load) -> None:
    stream = load("generated", split="train", streaming=True, columns=["row"])
    rows = [row["row"] for row in stream]
    shuffled = [row["row"] for row in stream.shuffle(seed=0, buffer_size=8)]
    assert shuffled != rows
    assert sorted(shuffled) == rows


def test_a_stream_goes_on_where_it_stopped(load: Load) -> None:
    stream = load(split="train", streaming=True, columns=["row"])
    first = [row["row"] for row in islice(stream, 12)]  # beyond the first shard
    stream.load_state_dict(stream.state_dict())
    assert first + [row["row"] for row in stream] == load(split="train")["row"][:]


def test_a_stream_of_tensors(load: Load) -> None:
    options = {"split": "train", "columns": ["degraded", "degradation"]}
    mapped, streamed = load(**options)[0], next(iter(load(**options, streaming=True).with_format("torch")))
    assert np.array_equal(streamed["degraded"].permute(1, 2, 0), mapped["degraded"])
    assert streamed["degradation"] == mapped["degradation"]


def test_arguments_pass_through(load: Load, folder: Path) -> None:
    assert load("rain", split="validation", columns=["row", "mu"])[:] == {"row": [1], "mu": [0.1]}
    only = load(data_files=str(folder / "data" / "validation-*"), split="train")
    assert set(only["scene_id"]) == {"validation/0", "validation/1"}
    with pytest.raises(ValueError, match="no part 'fog'"):
        load("fog")
    with pytest.raises(InputError, match=r"no columns clean; it has degraded, target"):
        load(columns=["clean"])


def test_data_set_that_is_made_again_is_read_again(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "changing"
    for size in (1, 2):
        for shard in SHARDS[:size]:
            write_shard(path, shard, rows(shard))
        assert len(load(data_dir=str(path), split="train")) == {1: 9, 2: 19}[size]


@pytest.mark.parametrize("imports", ["import gendeg, datasets", "import datasets, gendeg"])
def test_name_is_known_in_a_new_process(folder: Path, tmp_path: Path, imports: str) -> None:
    program = f"""
        import sys
        {imports}
        print(datasets.load_dataset("gends", "haze", data_dir=sys.argv[1], cache_dir=sys.argv[2])["train"].num_rows)
        print(datasets.get_dataset_config_names("gends", data_dir=sys.argv[1])[:4])
    """
    assert run(program, folder, tmp_path) == "5\n['all', 'existing', 'generated', 'haze']\n"


def test_other_data_sets_load_as_before(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    data = datasets.load_dataset("csv", data_dir=str(tmp_path), split="train", cache_dir=str(tmp_path / "cache"))
    assert data[0] == {"a": 1, "b": 2}


def test_a_data_set_of_ones_own_is_not_overlooked(
    load: Load, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`gendeg synthesize` writes to the folder gends; the name alone means the packaged set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(locate, "MINI_SET", folder)
    (tmp_path / "gends").symlink_to(folder)
    with pytest.warns(UserWarning, match="data_dir='gends'"):
        load(data_dir=None, split="train")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Reading the packaged mini set")
        load(data_dir="gends", split="train")


def test_packaged_mini_set(load: Load, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(locate, "MINI_SET", folder)
    assert len(load(data_dir=None, split="train")) == 23
    monkeypatch.setattr(locate, "MINI_SET", folder / "missing")
    with pytest.raises(InputError, match="no packaged mini set"):
        load(data_dir=None)


def test_folders_without_gends(load: Load, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        load(data_dir=str(tmp_path / "missing"))
    (tmp_path / "photo.jpg").write_text("")
    with pytest.raises(InputError, match=r"holds no GenDS; found photo.jpg. Expected data/train-"):
        load(data_dir=str(tmp_path))


def test_unfinished_set_warns(load: Load, tmp_path: Path) -> None:
    with DatasetFolder.open(tmp_path / "gends", CONFIG, SHARDS) as output:
        write_shard(output.path, SHARDS[0], rows(SHARDS[0]))
    with pytest.warns(UserWarning, match="is not finished"):
        assert len(load(data_dir=str(tmp_path / "gends"))["train"]) == 9
