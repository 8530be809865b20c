import json
import os
import shutil

import datasets
import numpy as np
import PIL.Image
import pytest

from gendeg.degradations import Degradation
from gendeg.errors import InputError
from gendeg.synthesis.photos import open_scene
from gendeg.synthesis.scenes import index_scenes
from gendeg.synthesis.sources import DatasetSource, FolderSource, TableSource, open_source


def test_ids_follow_content_not_names(small_photos, tmp_path):
    first = index_scenes(FolderSource(small_photos))
    moved = tmp_path / "elsewhere" / "deep"
    moved.mkdir(parents=True)
    for number, path in enumerate(sorted(small_photos.iterdir(), reverse=True)):
        shutil.copy(path, moved / f"other{number}.png")
    again = index_scenes(FolderSource(moved.parent))
    assert [scene.id for scene in first.scenes] == [scene.id for scene in again.scenes]
    assert len({scene.id for scene in first.scenes}) == 5
    assert first.scenes[0].source_set == "photos"


def test_copies_broken_and_tiny_files(small_photos):
    (small_photos / "park").mkdir()
    shutil.copy(small_photos / "0.png", small_photos / "park" / "copy.png")
    (small_photos / "empty.png").write_bytes(b"")
    whole = (small_photos / "1.png").read_bytes()
    (small_photos / "torn.png").write_bytes(whole[: len(whole) // 2])
    (small_photos / "text.jpg").write_text("not a picture")
    PIL.Image.new("RGB", (40, 15)).save(small_photos / "tiny.png")
    index = index_scenes(FolderSource(small_photos))
    assert (len(index.scenes), index.duplicates) == (5, 1)
    assert {os.path.basename(path) for path in index.problems} == {"empty.png", "torn.png", "text.jpg", "tiny.png"}
    assert "at least 16" in index.problems[str(small_photos.resolve() / "tiny.png")]


def test_only_broken_files_are_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"None of the 1 photos can be used, e\.g\. .*a\.png"):
        index_scenes(FolderSource(tmp_path))


def test_look_alikes_share_a_group(photo, tmp_path):
    PIL.Image.fromarray(photo).save(tmp_path / "a.png")
    PIL.Image.fromarray(photo).save(tmp_path / "b.jpg", quality=60)
    PIL.Image.fromarray(photo[::-1]).save(tmp_path / "c.png")
    index = index_scenes(FolderSource(tmp_path))
    groups = {os.path.basename(scene.location): scene.group for scene in index.scenes}
    assert groups["a.png"] == groups["b.jpg"] != groups["c.png"]
    assert groups["a.png"] == min(scene.id for scene in index.scenes if scene.group == groups["a.png"])
    assert index.look_alikes == 2


def test_notes_spare_reading_unchanged_photos(small_photos, tmp_path):
    reads = []

    class Counting(FolderSource):
        def read(self, location):
            reads.append(location)
            return super().read(location)

    notes = tmp_path / "notes.jsonl"
    first = index_scenes(Counting(small_photos), notes)
    assert len(reads) == 5
    notes.write_text(notes.read_text() + '["torn line')
    reads.clear()
    assert index_scenes(Counting(small_photos), notes) == first
    assert reads == []
    PIL.Image.new("RGB", (50, 50), "teal").save(small_photos / "3.png")
    assert index_scenes(Counting(small_photos), notes) != first
    assert [os.path.basename(path) for path in reads] == ["3.png"]
    reads.clear()
    index_scenes(Counting(small_photos), notes)  # the note behind the torn line is read too
    assert reads == []


ROWS = [
    {"image": "photos/0.png", "caption": "a street", "source_set": "RESIDE", "degradation": "haze"},
    {"image": "photos/1.png", "caption": "", "source_set": "ORD", "degradation": "rain+fog"},
    {"image": "photos/2.png", "caption": "a park", "source_set": "", "degradation": ""},
    {"image": "photos/missing.png", "caption": "", "source_set": "", "degradation": ""},
]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_tables(small_photos, tmp_path, suffix):
    import pandas

    path = tmp_path / f"scenes.{suffix}"
    frame = pandas.DataFrame(ROWS)
    if suffix == "csv":
        frame.to_csv(path, index=False)
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        frame.to_parquet(path)
    index = index_scenes(open_source(str(path)))
    scenes = {os.path.basename(scene.location): scene for scene in index.scenes}
    assert (scenes["0.png"].caption, scenes["0.png"].source_set) == ("a street", "RESIDE")
    assert scenes["0.png"].existing == (Degradation.HAZE,)
    assert scenes["1.png"].existing == (Degradation.RAIN, Degradation.HAZE)
    assert (scenes["1.png"].caption, scenes["2.png"].source_set, scenes["2.png"].existing) == (None, "scenes", ())
    assert [os.path.basename(path) for path in index.problems] == ["missing.png"]


def test_equal_files_of_two_sets_are_one_scene(small_photos, tmp_path):
    rows = [{"image": "photos/0.png", "degradation": name, "source_set": name} for name in ("snow", "haze")]
    (tmp_path / "scenes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    index = index_scenes(TableSource(tmp_path / "scenes.jsonl"))
    assert [scene.existing for scene in index.scenes] == [(Degradation.HAZE, Degradation.SNOW)]


def test_tables_that_are_none(tmp_path):
    (tmp_path / "a.csv").write_text("picture\n0.png\n")
    with pytest.raises(InputError, match=r"no column 'image'; it has picture"):
        TableSource(tmp_path / "a.csv")
    (tmp_path / "b.parquet").write_text("no parquet")
    with pytest.raises(InputError, match="as a table"):
        TableSource(tmp_path / "b.parquet")
    (tmp_path / "c.jsonl").write_text('{"image": 3}\n')
    with pytest.raises(InputError, match="does not hold paths"):
        TableSource(tmp_path / "c.jsonl")


@pytest.mark.parametrize("name", ["missing/", "./missing", "photo", "a/b/c"])
def test_places_without_photos(name):
    with pytest.raises(InputError, match="holds no photos"):
        open_source(name)


def test_dataset_gives_the_scenes_of_its_files(small_photos, tmp_path):
    paths = sorted(map(str, small_photos.iterdir()))
    columns = {"image": paths, "caption": ["a tree"] * 5, "degradation": ["rain"] * 5}
    rows = datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image())
    rows.save_to_disk(tmp_path / "saved")
    source = open_source(str(tmp_path / "saved"))
    assert isinstance(source, DatasetSource)
    index = index_scenes(source, tmp_path / "notes.jsonl")
    files = index_scenes(FolderSource(small_photos))
    assert [scene.id for scene in index.scenes] == [scene.id for scene in files.scenes]
    assert {(s.caption, s.source_set, s.existing) for s in index.scenes} == {("a tree", "saved", (Degradation.RAIN,))}
    for scene, file in zip(index.scenes, files.scenes, strict=True):
        pixels = np.asarray(open_scene(source, scene))
        assert (pixels == np.asarray(PIL.Image.open(file.location))).all()


def test_images_of_the_output_are_not_photos(small_photos):
    output = small_photos / "gends"
    (output / "assets").mkdir(parents=True)
    PIL.Image.new("RGB", (64, 64)).save(output / "assets" / "contact_sheet.jpg")
    assert len(index_scenes(open_source(str(small_photos), leave_out=output)).scenes) == 5


def test_the_output_is_not_the_photo_folder(small_photos):
    with pytest.raises(InputError, match="choose another output"):
        open_source(str(small_photos), leave_out=small_photos)
