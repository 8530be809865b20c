from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from huggingface_hub import DatasetCard, HfApi

from gendeg.degradations import Degradation
from gendeg.errors import DatasetError
from gendeg.synthesis.card import push_to_hub, write_card
from gendeg.synthesis.card_figures import draw_histograms
from gendeg.synthesis.manifest import Manifest
from gendeg.synthesis.shards import write_shard
from gendeg.synthesis.statistics import count_rows
from gends import SHARDS, make_dataset, rows, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("card") / "gends"
    make_dataset(path)
    write_card(path, license="cc-by-4.0", title="Tiny GenDS")
    return path


def test_counts(tmp_path: Path) -> None:
    manifest = make_dataset(tmp_path)
    statistics = count_rows(tmp_path, manifest)
    assert sum(statistics.pairs.values()) == sum(manifest.rows.values()) == 29
    assert statistics.pairs["train", Degradation.HAZE, "existing"] == 5
    assert statistics.count(Degradation.HAZE, "generated") == statistics.count(Degradation.SNOW) == 0
    assert statistics.sets[Degradation.RAIN, "generated", "Set"] == statistics.count(Degradation.RAIN) == 6
    assert statistics.verdicts == {("retried", "too weak"): 1, ("rejected", "flat image"): 1}
    requested = statistics.severity[Degradation.RAIN][:, 0]
    assert (requested == 0.1).all()
    assert np.isnan(statistics.severity[Degradation.HAZE][:, :2]).all()


def test_card(folder: Path) -> None:
    card = DatasetCard.load(folder / "README.md")
    assert card.data.license == "cc-by-4.0"
    names = [config["config_name"] for config in card.data.configs]
    assert names[:3] == ["all", "existing", "generated"]
    assert "rain" in names
    assert "snow" not in names  # it has no rows
    last, listed = names[-1], ", ".join(names[:-1])
    assert f"# a part of it, here {last}; the others: {listed}\n" in card.text
    assert f'{last} = datasets.load_dataset("path/to/this/folder", "{last}")\n' in card.text
    assert "| haze | 7 | 0 | 5 | 2 | 7 |" in card.text
    assert "| rejected | flat image | 1 |" in card.text
    assert '"seed": 0' in card.text
    for picture in ("assets/contact_sheet.jpg", "assets/severity.png"):
        assert f"({picture})" in card.text
        with PIL.Image.open(folder / picture) as image:
            assert np.asarray(image).std() > 5


def test_histograms_count_in_whole_numbers(folder: Path) -> None:
    figure = draw_histograms(count_rows(folder, Manifest.load(folder)))
    figure.canvas.draw()
    for axis in figure.axes:
        axis.set_ylim(0, 1.05)  # where matplotlib would write 0.25
        assert all(float(tick).is_integer() for tick in axis.get_yticks())


def test_card_is_the_same_each_time(folder: Path) -> None:
    before = (folder / "README.md").read_text()
    write_card(folder, license="cc-by-4.0", title="Tiny GenDS")
    assert (folder / "README.md").read_text() == before


def test_plain_loading_without_gendeg(folder: Path, tmp_path: Path) -> None:
    """`datasets` alone reads the folder: splits, parts, labels and images."""
    program = """
        import sys
        sys.modules["gendeg"] = None  # importing it fails
        import datasets
        folder, cache = sys.argv[1:]
        whole = datasets.load_dataset(folder, cache_dir=cache)
        print({split: len(rows) for split, rows in whole.items()}, whole["train"][1]["target"].size)
        haze = datasets.load_dataset(folder, "haze", cache_dir=cache)
        print(set(haze["train"]["mixture"]), len(haze["train"]))
        stream = datasets.load_dataset(folder, "generated", streaming=True, cache_dir=cache)
        print(set(row["origin"] for row in stream["validation"]))
    """
    assert run(program, f"{folder}/", tmp_path).splitlines() == [
        "{'train': 23, 'validation': 6} (16, 12)",
        "{'haze'} 5",
        "{'generated'}",
    ]


def test_plain_loading_of_an_unfinished_set(tmp_path: Path) -> None:
    """Without a card the names of the files tell the splits; verdicts and records are not taken for data."""
    for shard in (SHARDS[0], SHARDS[-1]):
        write_shard(tmp_path / "gends", shard, rows(shard))
    program = """
        import sys
        sys.modules["gendeg"] = None
        import datasets
        whole = datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2])
        print({split: len(rows) for split, rows in whole.items()})
    """
    assert run(program, tmp_path / "gends", tmp_path / "cache") == "{'train': 9, 'validation': 6}\n"


def test_unfinished_set_has_no_card_and_is_not_uploaded(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no readable manifest.json"):
        write_card(tmp_path)
    with pytest.raises(DatasetError, match=r"no readable manifest.json"):
        push_to_hub(tmp_path, "me/gends")


def test_upload_asks_the_hub_for_a_data_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}
    monkeypatch.setattr(HfApi, "create_repo", lambda self, name, **options: asked.update(options, name=name))
    monkeypatch.setattr(HfApi, "upload_folder", lambda self, **options: asked.update(options) or "commit")
    assert push_to_hub(folder, "me/gends", private=True) == "commit"
    assert (asked["name"], asked["repo_type"], asked["private"]) == ("me/gends", "dataset", True)
    assert asked["folder_path"] == folder
