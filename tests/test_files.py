from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gendeg.errors import InputError
from gendeg.files import new_folder, whole_file


def test_new_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="Cannot write"), new_folder(tmp_path / "file" / "sub"):
        pass


@pytest.mark.parametrize("write", [whole_file, new_folder])
def test_messages_name_the_path_that_was_given(tmp_path: Path, write: Callable[[Path], Any]) -> None:
    with pytest.raises(InputError) as error, write(tmp_path / "photo.png") as temporary:
        (temporary / "missing" / "a.txt").write_text("a")
    assert str(error.value) == f"Cannot write {tmp_path / 'photo.png'}: No such file or directory."


@pytest.mark.parametrize("write", [whole_file, new_folder])
def test_a_file_in_place_of_a_folder(tmp_path: Path, write: Callable[[Path], Any]) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="a part of its path is a file"), write(tmp_path / "file" / "new"):
        pass


@pytest.mark.parametrize("letter", ["a", "\N{CAT}"])
def test_a_name_as_long_as_names_can_be(tmp_path: Path, letter: str) -> None:
    path = tmp_path / (letter * (250 // len(letter.encode())) + ".png")
    with whole_file(path) as temporary:
        temporary.write_text("a")
    assert path.read_text() == "a"


def test_the_working_folder_is_no_file() -> None:
    with pytest.raises(InputError, match="it is a folder"), whole_file(Path(".")):
        pass


def test_new_folder_may_be_the_empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with new_folder(Path(".")) as folder:
        (folder / "a.txt").write_text("a")
    assert [path.name for path in tmp_path.rglob("*")] == ["empty", "a.txt"]


def test_new_folder_is_whole_or_absent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot write"), new_folder(tmp_path / "new") as folder:
        (folder / "missing" / "a.txt").write_text("a")
    assert not list(tmp_path.iterdir())
