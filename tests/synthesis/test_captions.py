import json
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import ClassVar

import PIL.Image
import pyarrow
import pyarrow.parquet
import pytest
import torch
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    BlipImageProcessor,
    GPT2Tokenizer,
    OPTConfig,
)

from gendeg.errors import CheckpointError, DatasetError, InputError
from gendeg.synthesis import captions as captions_module
from gendeg.synthesis.backends import BackendConfig
from gendeg.synthesis.captioner import Captioner, CaptionerConfig
from gendeg.synthesis.captions import NOTES, CaptionedSource, caption_scenes, known_captions
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.manifest import Manifest
from gendeg.synthesis.scenes import index_scenes
from gendeg.synthesis.sources import FolderSource, TableSource
from gendeg.synthesis.synthesize import synthesize

pytestmark = pytest.mark.timeout(900)  # new processes import torch, which takes its time on a busy machine

# Children are forked off a process without threads; forked off this one they may wait for its threads for ever.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["gendeg.synthesis.captions"])
QUERIES = 4
SIMULATOR = BackendConfig(name="simulator")


@pytest.fixture(scope="module")
def make_blip2(tmp_path_factory):
    """`make_blip2(seed)`: the folder of a real BLIP-2 of tiny size with random weights."""

    def make(seed):
        torch.manual_seed(seed)
        texts = ["two people walk along a street", "a dog lies on a couch", "boats in the harbour of a town"]
        special = ["<pad>", "</s>"]
        tokenizer = GPT2Tokenizer().train_new_from_iterator(
            texts, vocab_size=280, new_special_tokens=special, show_progress=False
        )
        tokenizer.add_special_tokens({"pad_token": "<pad>", "bos_token": "</s>", "eos_token": "</s>"})
        images = BlipImageProcessor(size={"height": 32, "width": 32})
        processor = Blip2Processor(images, tokenizer, num_query_tokens=QUERIES)
        ids = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.bos_token_id}
        small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = Blip2Config(
            vision_config=Blip2VisionConfig(
                **small, intermediate_size=16, image_size=32, patch_size=8, initializer_range=0.5
            ),
            qformer_config=Blip2QFormerConfig(**small, intermediate_size=16, vocab_size=16, initializer_range=0.5),
            text_config=OPTConfig(
                **small | ids,
                eos_token_id=tokenizer.eos_token_id,
                vocab_size=len(tokenizer),
                ffn_dim=16,
                word_embed_proj_dim=16,
                max_position_embeddings=64,
                init_std=0.5,
            ),
            num_query_tokens=QUERIES,
            image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        )
        model = Blip2ForConditionalGeneration(config)
        model.query_tokens.data.normal_()
        model.language_projection.weight.data.normal_()
        folder = tmp_path_factory.mktemp("blip2") / f"blip2-{seed}"
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="module")
def blip2(make_blip2):
    return CaptionerConfig(str(make_blip2(0)), device="cpu")


@pytest.fixture
def scenes(small_photos):
    return index_scenes(FolderSource(small_photos)).scenes


def test_blip2_describes_photos_of_any_size(blip2, photo):
    pictures = [PIL.Image.fromarray(pixels) for pixels in (photo, photo[:40, :30], 255 - photo)]
    captioner = Captioner(blip2)
    captions = captioner(pictures)
    assert all(captions)
    assert len(set(captions)) > 1
    assert not any("<" in caption for caption in captions)  # neither image tokens nor padding
    assert captions[1] == captioner([pictures[1]])[0]


def test_half_precision(make_blip2, blip2, photo):
    captioner = Captioner(CaptionerConfig(blip2.name, "bfloat16", "cpu"))
    assert captioner([PIL.Image.fromarray(photo)])[0]
    with pytest.raises(InputError, match="precision='int8' is not one of 'float32'"):
        CaptionerConfig(blip2.name, "int8")


def test_captions_of_photos_win_and_others_are_made_once(scenes, small_photos, blip2, tmp_path, monkeypatch):
    source = FolderSource(small_photos)
    scenes[1:2] = [replace(scenes[1], caption="a cat")]
    described = caption_scenes(scenes, source, blip2, tmp_path)
    assert [scene.id for scene in described] == [scene.id for scene in scenes]
    assert described[1].caption == "a cat"
    assert all(scene.caption for scene in described)
    noted = [json.loads(line) for line in (tmp_path / NOTES).read_text().split("\n") if line]
    assert [id_ for _, id_, _ in noted] == [scene.id for scene in scenes if not scene.caption]
    monkeypatch.setattr(captions_module, "Captioner", None)  # is not even loaded again
    assert caption_scenes(scenes, source, blip2, tmp_path) == described


def test_another_captioner_does_not_reuse_captions(scenes, small_photos, blip2, make_blip2, tmp_path):
    other = CaptionerConfig(str(make_blip2(1)), device="cpu")
    source = FolderSource(small_photos)
    described = caption_scenes(scenes, source, blip2, tmp_path)
    assert sum(map(len, known_captions(scenes, other, tmp_path)[1])) == len(scenes)
    assert caption_scenes(scenes, source, other, tmp_path) != described
    assert caption_scenes(scenes, source, blip2, tmp_path) == described


class CountingCaptioner(Captioner):
    """Remembers the sizes of its batches."""

    sizes: ClassVar[list[int]] = []

    def __call__(self, photos):
        self.sizes.append(len(photos))
        return super().__call__(photos)


class DyingCaptioner(CountingCaptioner):
    """Is killed with its process at the second batch."""

    def __call__(self, photos):
        if self.sizes:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(photos)


def describe(scenes, photos, config, folder, captioner):
    """Describe scenes in batches of two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captions_module, "BATCH_SIZE", 2)
        patch.setattr(captions_module, "Captioner", captioner)
        return caption_scenes(scenes, FolderSource(photos), config, folder)


def test_a_killed_run_goes_on(scenes, small_photos, blip2, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    child = PROCESSES.Process(target=describe, args=(scenes, small_photos, blip2, killed, DyingCaptioner))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    notes = killed / NOTES
    lines = [line for line in notes.read_text().split("\n") if line]
    assert len(lines) == 2
    notes.write_text("\n".join(lines)[:-9])  # the last note is torn
    CountingCaptioner.sizes.clear()
    described = describe(scenes, small_photos, blip2, killed, CountingCaptioner)
    assert CountingCaptioner.sizes == [2, 2, 1]  # the same batches as of a run that was not killed
    assert described == describe(scenes, small_photos, blip2, whole, Captioner)
    assert len([line for line in notes.read_text().split("\n") if line]) == len(scenes) + 1  # and the torn one


def test_two_runs_do_not_describe_the_same_photos(scenes, small_photos, blip2, tmp_path):
    program = (
        "import pathlib, sys; from gendeg.synthesis.lock import lock_folder; "
        "held = lock_folder(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(DatasetError, match=f"another run .process {process.pid}"):
            caption_scenes(scenes, FolderSource(small_photos), blip2, tmp_path)
        process.stdin.close()


def test_captions_that_come_out_empty_are_none(scenes, small_photos, blip2, tmp_path):
    notes = tmp_path / NOTES
    notes.write_text("\n".join(json.dumps([blip2.identity, scene.id, ""]) for scene in scenes))
    assert {scene.caption for scene in caption_scenes(scenes, FolderSource(small_photos), blip2, tmp_path)} == {None}


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("somebody/no-such-model", CheckpointError, "hf download Salesforce/blip2-opt-2.7b .*--captions"),
        ("no such folder", InputError, "no folder no such folder with a captioner"),
        ("../no-such-folder", InputError, "no folder ../no-such-folder with a captioner"),
    ],
)
def test_captioners_out_of_reach(name, error, message):
    with pytest.raises(error, match=r"(?s)" + message):
        Captioner(CaptionerConfig(name, device="cpu"))


def test_folders_that_hold_something_else(tiny_restorer_folder, blip2, tmp_path):
    with pytest.raises(CheckpointError, match="Cannot load the captioner"):
        Captioner(CaptionerConfig(str(tiny_restorer_folder), device="cpu"))
    OPTConfig().save_pretrained(tmp_path / "opt")
    with pytest.raises(CheckpointError, match="'opt', not 'blip-2'"):
        Captioner(CaptionerConfig(str(tmp_path / "opt"), device="cpu"))


def make(source, output, captioner=None, **settings):
    return synthesize(
        source,
        output,
        PlanConfig(degradations=("haze",), rows_per_shard=2),
        SIMULATOR,
        captioner=captioner,
        **settings,
    )


def test_prompts_of_a_data_set_have_the_captions(small_photos, blip2, tmp_path):
    manifest = make(FolderSource(small_photos), tmp_path / "gends", blip2)
    tables = [pyarrow.parquet.read_table(path) for path in sorted((tmp_path / "gends" / "data").iterdir())]
    rows = [row for table in tables for row in table.select(["caption", "prompt", "scene_id"]).to_pylist()]
    noted = {
        id_: caption for _, id_, caption in map(json.loads, (tmp_path / "gends" / NOTES).read_text().split("\n")[1:-1])
    }
    assert rows
    for row in rows:
        assert row["caption"] == noted[row["scene_id"]]
        assert row["prompt"] == f"{row['caption'].rstrip(' ,.')}, in hazy conditions"
    assert manifest.config["captioner"] == blip2.identity
    assert make(FolderSource(small_photos), tmp_path / "gends", blip2) == manifest
    with pytest.raises(DatasetError, match=r"--captions was blip2-0 .*, now not given"):
        make(FolderSource(small_photos), tmp_path / "gends")
    assert Manifest.load(tmp_path / "gends") == manifest


def test_a_folder_of_other_files_is_refused_before_photos_are_described(small_photos, blip2, tmp_path, monkeypatch):
    monkeypatch.setattr(captions_module, "Captioner", None)
    (tmp_path / "other.txt").write_text("other")
    with pytest.raises(DatasetError, match="holds other files"):
        make(FolderSource(small_photos), tmp_path, blip2)


def write_table(path, rows):
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        lines = [",".join(rows[0]), *(",".join(value or "" for value in row.values()) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_captions_from_a_table(small_photos, tmp_path, suffix):
    rows = [
        {"image": "photos/0.png", "caption": "a street"},
        {"image": "photos/0.png", "caption": "a road"},
        {"image": "photos/../photos/1.png", "caption": " a house "},
        {"image": "photos/2.png", "caption": None},
        {"image": "photos/9.png", "caption": "a ghost"},
    ]
    source = CaptionedSource(FolderSource(small_photos), write_table(tmp_path / f"captions{suffix}", rows))
    captions = {entry.location[-5:]: entry.caption for entry in source.entries()}
    assert captions == {"0.png": "a street", "1.png": "a house", "2.png": None, "3.png": None, "4.png": None}
    assert source.strangers == [str((small_photos / "9.png").resolve())]


def test_captions_of_the_photos_table_win_over_another_table(small_photos, tmp_path):
    photos = write_table(tmp_path / "a.csv", [{"image": "photos/0.png", "caption": "own"}])
    others = write_table(tmp_path / "b.csv", [{"image": "photos/0.png", "caption": "other"}])
    assert [entry.caption for entry in CaptionedSource(TableSource(photos), others).entries()] == ["own"]


def test_a_caption_of_a_copy_counts(small_photos, tmp_path):
    (small_photos / "copy.png").write_bytes((small_photos / "0.png").read_bytes())
    table = write_table(tmp_path / "captions.csv", [{"image": "photos/copy.png", "caption": "a street"}])
    scenes = index_scenes(CaptionedSource(FolderSource(small_photos), table)).scenes
    assert sorted(scene.caption or "" for scene in scenes) == ["", "", "", "", "a street"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"path": "photos/0.png", "caption": "a"}], "no column 'image'; it has path, caption"),
        ([{"image": "photos/0.png", "text": "a"}], "no column 'caption'; it has image, text"),
        ([{"image": "photos/0.png", "caption": 3}], "'caption' of .* does not hold text"),
        ([{"image": "9.png", "caption": "a"}], "about one of the photos .*9.png.*relative to the table's folder"),
        ([{"image": "photos/0.png", "caption": ""}], "about one of the photos .it is empty"),
    ],
)
def test_tables_that_cannot_be_used(small_photos, tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        CaptionedSource(FolderSource(small_photos), write_table(tmp_path / "captions.jsonl", rows))


def test_files_that_are_no_tables(small_photos, tmp_path):
    for name in ("captions.txt", "missing.csv"):
        with pytest.raises(InputError, match=name):
            CaptionedSource(FolderSource(small_photos), tmp_path / name)
