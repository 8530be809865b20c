import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from gendeg import measure_severity
from gendeg.data.pair_index import IndexedPair, write_index
from gendeg.degradations import Degradation
from gendeg.errors import DatasetError, InputError
from gendeg.synthesis.backends import BackendConfig, SimulatorBackend
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.existing import PairedSource, list_existing, open_sources
from gendeg.synthesis.manifest import verify_dataset
from gendeg.synthesis.plan import make_plan
from gendeg.synthesis.report import describe_plan, describe_scenes
from gendeg.synthesis.scenes import index_scenes
from gendeg.synthesis.shard_rows import shard_rows
from gendeg.synthesis.sources import FolderSource
from gendeg.synthesis.synthesize import LEFT_OUT, synthesize

HAZE, RAIN = Degradation.HAZE, Degradation.RAIN
AddPair = Callable[..., Path]


@pytest.fixture
def pictures(photo: np.ndarray) -> list[PIL.Image.Image]:
    """Six different photos of 40 x 32 pixels."""
    return [PIL.Image.fromarray(np.roll(photo, 17 * i, axis=1)[10 * i :][:32, 30:70]) for i in range(6)]


@pytest.fixture
def add_pair(tmp_path: Path) -> AddPair:
    """`add_pair("haze/A", "1.png", clean)`: a pair whose degraded image is clean / 2 + 100; returns that file."""

    def add(folder: str, name: str, clean: PIL.Image.Image, degraded: PIL.Image.Image | None = None, **save) -> Path:
        images = {"target": clean, "input": degraded or clean.point(lambda value: value // 2 + 100)}
        for part, image in images.items():
            path = tmp_path / "pairs" / folder / part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path, **save)
        return path

    return add


def rows_of(source, **settings):
    """The outcomes of all existing pairs of a source, by the name of the degraded file."""
    index = index_scenes(source)
    plan = make_plan(index.scenes, PlanConfig(validation_share=0.0, **settings), index.existing.pairs)
    (shard,) = (dataclasses.replace(shard, stop=plan.first_to_make("train")) for shard in plan.shards()[:1])
    names = [Path(row.pair.location).name for row in plan.existing_rows(shard)]
    return dict(zip(names, shard_rows(plan, shard, source, SimulatorBackend()), strict=True))


def decode(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data))


def test_clean_images_are_scenes_that_get_the_other_degradations(add_pair, pictures, small_photos, tmp_path):
    add_pair("haze/A", "1.png", pictures[0])
    add_pair("rain/B", "again.png", pictures[0])  # equal clean files are one scene
    add_pair("haze/A", "2.png", pictures[1])
    pictures[2].save(small_photos / "extra.png")
    add_pair("rain+haze/ORD", "3.png", pictures[2])  # is one of the photos, too
    source = open_sources(str(small_photos), [tmp_path / "pairs"])
    index = index_scenes(source)
    plan = make_plan(index.scenes, PlanConfig(), index.existing.pairs)
    assert len(index.scenes) == len(list(small_photos.iterdir())) + 2
    assert sorted(len(scene.existing) for scene in index.scenes) == [0] * 5 + [1, 1, 2]
    made = [(row.scene.id, row.mixture[0]) for shard in plan.shards() for row in plan.rows(shard)]
    exist = [(row.scene.id, row.pair.mixture[0]) for shard in plan.shards() for row in plan.existing_rows(shard)]
    assert len(exist) == 4
    assert set(made).isdisjoint(exist)
    assert len(made) == 5 * 6 + 2 * 5 + 4  # the set of a mixture counts as one of its leading degradation
    numbers = {
        (shard.split, row.number) for shard in plan.shards() for row in [*plan.existing_rows(shard), *plan.rows(shard)]
    }
    assert numbers == {(split, number) for split, size in plan.sizes.items() for number in range(size)}
    assert "4 existing pairs" in describe_scenes(index)
    assert "haze: A 2" in describe_plan(plan)
    assert "rain: B 1, ORD 1" in describe_plan(plan)


def test_a_scene_and_what_looks_like_it_lie_in_one_split(add_pair, pictures, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, picture in enumerate(pictures):
        add_pair("haze/A", f"{number}.png", picture)
        picture.point(lambda value: min(value + 2, 255)).save(photos / f"{number}.png")  # another file, the same look
    source = open_sources(str(photos), [tmp_path / "pairs"])
    index = index_scenes(source)
    assert len(index.scenes) == 2 * len(pictures)
    plan = make_plan(index.scenes, PlanConfig(validation_share=0.5), index.existing.pairs)
    assert set(plan.existing) == {"train", "validation"}
    splits = {}
    for shard in plan.shards():
        for row in [*plan.existing_rows(shard), *plan.rows(shard)]:
            splits.setdefault(row.scene.group, set()).add(shard.split)
    assert {len(found) for found in splits.values()} == {1}


def test_rows_are_the_files_as_they_are_with_what_was_measured(add_pair, pictures, tmp_path):
    png = add_pair("haze/A", "1.png", pictures[0])
    jpeg = add_pair("rain+haze/ORD", "2.jpg", pictures[1], quality=80)
    rows = rows_of(open_sources(None, [tmp_path / "pairs"]))
    for path in (png, jpeg):
        row = rows[path.name]
        target = path.parents[1] / "target" / path.name
        assert (row.degraded, row.target) == (path.read_bytes(), target.read_bytes())
        severity = measure_severity(PIL.Image.open(target), PIL.Image.open(path))
        assert (row.achieved_mu, row.achieved_sigma) == (severity.mu, severity.sigma)
        assert (row.origin, row.verdict, row.reason) == ("existing", "accepted", "")
        assert row.mu is row.sigma is row.seed is None
        assert row.prompt == row.alignment == row.model == ""
    assert rows["1.png"].source_set == rows["1.png"].scene_set == "A"
    assert rows["2.jpg"].mixture == (RAIN, HAZE)


def test_other_formats_are_encoded_and_large_pairs_reduced(add_pair, pictures, tmp_path):
    add_pair("haze/A", "grey.png", pictures[0].convert("L"))
    add_pair("haze/A", "old.bmp", pictures[1])
    turned = PIL.Image.Exif()
    turned[0x0112] = 6
    add_pair("haze/A", "turned.jpg", pictures[2], exif=turned)
    source = open_sources(None, [tmp_path / "pairs"])
    for row in rows_of(source, image_format="webp").values():
        assert decode(row.degraded).format == decode(row.target).format == "WEBP"
        assert decode(row.degraded).mode == "RGB"
        achieved = measure_severity(decode(row.target), decode(row.degraded))
        assert (row.achieved_mu, row.achieved_sigma) == (achieved.mu, achieved.sigma)
    assert decode(rows_of(source)["turned.jpg"].degraded).size == (32, 40)
    add_pair("haze/A", "large.png", pictures[3].resize((80, 64)))
    reduced = rows_of(open_sources(None, [tmp_path / "pairs"]), short_side=32)["large.png"]
    assert decode(reduced.degraded).size == decode(reduced.target).size == (40, 32)


def test_what_is_no_pair_is_rejected_with_its_reason(add_pair, pictures, tmp_path):
    add_pair("haze/A", "broken.png", pictures[0]).write_bytes(b"no image")
    add_pair("haze/A", "small.png", pictures[1], pictures[1].resize((20, 16)))
    add_pair("haze/A", "same.png", pictures[2], pictures[2])
    add_pair("haze/A", "black.png", pictures[3], PIL.Image.new("RGB", (40, 32)))  # strong and flat, but a pair
    rows = rows_of(open_sources(None, [tmp_path / "pairs"]))
    assert {name: row.verdict for name, row in rows.items()} == {
        "broken.png": "rejected",
        "small.png": "rejected",
        "same.png": "rejected",
        "black.png": "accepted",
    }
    assert rows["broken.png"].reason == "unreadable: not an image, or not a complete one"
    assert rows["small.png"].reason == "size: 20 x 16 pixels, its target has 40 x 32"
    assert rows["same.png"].reason == "unchanged: mu 0.00000"
    assert all((row.degraded is None) == bool(row.reason) for row in rows.values())


def test_pairs_without_a_usable_image_are_listed(add_pair, pictures, tmp_path):
    first = add_pair("haze/A", "1.png", pictures[0])
    (first.parents[1] / "target" / "1.png").write_bytes(b"")
    add_pair("haze/A", "2.png", pictures[1])
    gone = add_pair("haze/A", "3.png", pictures[2])
    source = open_sources(None, [tmp_path / "pairs"])
    gone.unlink()
    index = index_scenes(source)
    assert [pair.location for pair in index.existing.pairs] == [str(tmp_path / "pairs/haze/A/input/2.png")]
    assert "clean image cannot be used" in index.problems[str(first)]
    assert index.problems[str(gone)] == "it is gone"


def test_copies_are_one_pair_and_places_do_not_matter(add_pair, pictures, tmp_path):
    add_pair("haze/A", "1.png", pictures[0])
    add_pair("haze/B", "2.png", pictures[0])
    add_pair("rain/A", "1.png", pictures[0])  # the same files under another name are another pair
    index = index_scenes(open_sources(None, [tmp_path / "pairs"]))
    assert [(pair.mixture, pair.dataset) for pair in index.existing.pairs] == [((HAZE,), "A"), ((RAIN,), "A")]
    assert index.existing.copies == 1
    plan = make_plan(index.scenes, PlanConfig(), index.existing.pairs)
    (tmp_path / "pairs").rename(tmp_path / "moved")
    moved = index_scenes(open_sources(None, [tmp_path / "moved"]))
    assert make_plan(moved.scenes, PlanConfig(), moved.existing.pairs).to_json() == plan.to_json()


def test_only_wanted_degradations_enter(add_pair, pictures, tmp_path):
    add_pair("haze/A", "1.png", pictures[0])
    add_pair("rain/B", "2.png", pictures[1])
    assert list(rows_of(open_sources(None, [tmp_path / "pairs"]), degradations=(RAIN,))) == ["2.png"]


def test_of_an_index_the_training_pairs_are_taken(add_pair, pictures, tmp_path):
    files = [add_pair("haze/A", f"{number}.png", pictures[number]) for number in range(2)]
    clean = [path.parents[1] / "target" / path.name for path in files]
    pair = IndexedPair(files[0], clean[0], (HAZE,), "RESIDE", "synthetic", "train", "1", 0.2, 0.1)
    test = dataclasses.replace(pair, degraded=files[1], clean=clean[1], split="test")
    write_index([pair, test], tmp_path / "index.parquet")
    (listed,) = list_existing(tmp_path / "index.parquet")
    assert (listed.degraded, listed.clean, listed.dataset) == (str(files[0]), str(clean[0]), "RESIDE")
    write_index([test], tmp_path / "index.parquet")
    with pytest.raises(InputError, match="no pair of the split 'train'; its splits are: test"):
        list_existing(tmp_path / "index.parquet")
    with pytest.raises(InputError, match="No index of pairs at"):
        list_existing(tmp_path / "missing.parquet")
    with pytest.raises(InputError, match="Which photos"):
        open_sources(None, [])


def test_pairs_that_changed_end_the_run(add_pair, pictures, tmp_path):
    path = add_pair("haze/A", "1.png", pictures[0])
    source = open_sources(None, [tmp_path / "pairs"])
    index = index_scenes(source)
    plan = make_plan(index.scenes, PlanConfig(validation_share=0.0), index.existing.pairs)
    pictures[1].save(path)
    with pytest.raises(DatasetError, match="has changed since"):
        list(shard_rows(plan, plan.shards()[0], source, SimulatorBackend()))


def test_files_are_read_once(add_pair, pictures, tmp_path):
    class CountingSource(PairedSource):
        reads = 0

        def read(self, location):
            self.reads += 1
            return super().read(location)

    for number in range(3):
        add_pair("haze/A", f"{number}.png", pictures[number])
    pairs = list_existing(tmp_path / "pairs")
    first, second = CountingSource(pairs), CountingSource(pairs)
    notes = tmp_path / "notes.jsonl"
    assert index_scenes(first, notes, workers=1) == index_scenes(second, notes, workers=1)
    assert (first.reads, second.reads) == (6, 0)


def test_a_whole_data_set(add_pair, pictures, small_photos, tmp_path):
    for number in range(3):
        add_pair("haze/A", f"{number}.png", pictures[number])
    (small_photos / "broken.png").write_bytes(b"")
    source = PairedSource(list_existing(tmp_path / "pairs"), FolderSource(small_photos))

    def make(output: Path):
        config, backend = PlanConfig(rows_per_shard=4, validation_share=0.4), BackendConfig(name="simulator")
        return synthesize(source, output, config, backend)

    manifest = make(tmp_path / "gends")
    assert sum(manifest.planned.values()) == 3 + 3 * 5 + 5 * 6
    assert "broken.png: " in (tmp_path / "gends" / LEFT_OUT).read_text()
    for path in [*(tmp_path / "gends" / "shards").iterdir()][1:]:
        path.unlink()  # as if the run had been killed
    assert make(tmp_path / "gends").hash == manifest.hash
    assert verify_dataset(tmp_path / "gends").hash == manifest.hash
