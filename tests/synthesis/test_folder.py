import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from gendeg.errors import DatasetError
from gendeg.synthesis import folder as folder_module
from gendeg.synthesis.folder import DatasetFolder
from gendeg.synthesis.manifest import Manifest, verify_dataset
from gendeg.synthesis.shards import cut_shards, data_path, write_shard
from gends import CONFIG, SHARDS, make_dataset, rows

WORKER = """
    import sys, time
    from pathlib import Path
    from gends import CONFIG, SHARDS, rows
    from gendeg.synthesis.folder import DatasetFolder
    from gendeg.synthesis.shards import write_shard

    def slow(shard):
        for row in rows(shard):
            print(shard.name, row.row, flush=True)
            time.sleep(0.02)
            yield row

    with DatasetFolder.open(sys.argv[1], CONFIG, SHARDS) as folder:
        for shard in folder.missing():
            write_shard(folder.path, shard, slow(shard))
        folder.finalise()
"""


def start_worker(folder: Path) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", textwrap.dedent(WORKER), str(folder)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def wait_for(worker: subprocess.Popen, line: str) -> None:
    assert any(printed.startswith(line) for printed in worker.stdout)


def test_finished_data_set(tmp_path: Path) -> None:
    manifest = make_dataset(tmp_path / "gends")
    assert manifest.planned == {"train": 24, "validation": 6}
    assert manifest.rows == {"train": 23, "validation": 6}
    assert manifest.config == CONFIG
    assert Manifest.load(tmp_path / "gends") == verify_dataset(tmp_path / "gends") == manifest


def test_hash_does_not_depend_on_who_writes_what_when(tmp_path: Path) -> None:
    manifest = make_dataset(tmp_path / "a")
    with DatasetFolder.open(tmp_path / "b", CONFIG, SHARDS) as leader:
        for shard in reversed(SHARDS):
            rank = DatasetFolder.open(tmp_path / "b", CONFIG, SHARDS, leader=False)
            assert shard in rank.missing()
            write_shard(rank.path, shard, rows(shard))
        assert leader.finalise() == manifest


def test_killed_and_resumed(tmp_path: Path) -> None:
    worker = start_worker(tmp_path / "gends")
    wait_for(worker, "train-00001-of-00003 15")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    first = data_path(tmp_path / "gends", SHARDS[0].name)
    written = first.stat().st_mtime_ns
    assert list((tmp_path / "gends").rglob(".*.tmp*"))
    with DatasetFolder.open(tmp_path / "gends", CONFIG, SHARDS) as folder:
        assert folder.missing() == SHARDS[1:]
        assert not list((tmp_path / "gends").rglob(".*.tmp*"))
    assert make_dataset(tmp_path / "gends").hash == make_dataset(tmp_path / "undisturbed").hash
    assert first.stat().st_mtime_ns == written


def test_two_runs_on_one_folder(tmp_path: Path) -> None:
    worker = start_worker(tmp_path / "gends")
    wait_for(worker, "train-00000-of-00003 0")
    with pytest.raises(DatasetError, match=rf"written by another run \(process {worker.pid} on "):
        DatasetFolder.open(tmp_path / "gends", CONFIG, SHARDS)
    worker.communicate()
    assert worker.returncode == 0
    verify_dataset(tmp_path / "gends")


def test_changed_config(tmp_path: Path) -> None:
    before = make_dataset(tmp_path)
    config = {"seed": 1, "images": {"format": "jpeg"}}
    message = "begun with other photos or settings: --seed was 0, now 1; --images format was png, now jpeg"
    with pytest.raises(DatasetError, match=message):
        DatasetFolder.open(tmp_path, config, SHARDS)
    with pytest.raises(DatasetError, match="cut into other shards"):
        DatasetFolder.open(tmp_path, CONFIG, cut_shards({"train": 24, "validation": 6}, 12))
    assert verify_dataset(tmp_path) == before


def test_another_version_does_not_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_dataset(tmp_path)
    monkeypatch.setattr(folder_module, "__version__", "9.9")
    with pytest.raises(DatasetError, match=r"version of gendeg was .*, now 9\.9\."):
        DatasetFolder.open(tmp_path, CONFIG, SHARDS)


def test_folder_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_text("")
    with pytest.raises(DatasetError, match=r"holds other files \(holiday.jpg\)"):
        DatasetFolder.open(tmp_path, CONFIG, SHARDS)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match=r"Cannot write the data set to .*Not a directory"):
        DatasetFolder.open(tmp_path / "file" / "gends", CONFIG, SHARDS)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_read_only_folder(tmp_path: Path) -> None:
    (tmp_path / "gends").mkdir(mode=0o500)
    with pytest.raises(DatasetError, match=r"Cannot write the data set to .*Permission denied"):
        DatasetFolder.open(tmp_path / "gends", CONFIG, SHARDS)


def test_rank_before_its_leader(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Cannot write the data set to .*No such file"):
        DatasetFolder.open(tmp_path / "gends", CONFIG, SHARDS, leader=False)


def test_unfinished_data_set_is_not_finalised(tmp_path: Path) -> None:
    with DatasetFolder.open(tmp_path, CONFIG, SHARDS) as folder:
        write_shard(tmp_path, SHARDS[0], rows(SHARDS[0]))
        with pytest.raises(DatasetError, match=r"lacks 3 of 4 shards, e.g. train-00001"):
            folder.finalise()
    with pytest.raises(DatasetError, match=r"no readable manifest.json"):
        verify_dataset(tmp_path)


def test_damaged_plan(tmp_path: Path) -> None:
    make_dataset(tmp_path)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(DatasetError, match=r"plan.json is damaged"):
        DatasetFolder.open(tmp_path, CONFIG, SHARDS)
