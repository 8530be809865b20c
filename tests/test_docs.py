"""What README and docs tell people to type: it compiles, uses only what it imports, names real options, and runs."""

import ast
import builtins
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import typer

import gendeg
from gendeg.cli import app
from gendeg.models import auto

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
# What a page leaves to the reader: images of their own, or the place in the source that a line is added to.
READERS_OWN = {
    "README.md": {"photo"},
    "docs/restoring.md": {"image", "another"},
    "docs/training-a-restorer.md": {"photo"},
    "docs/training-a-generator.md": {"photo"},
    "docs/degrading-on-the-fly.md": {"clean_images"},
    "docs/existing-pairs.md": {"Layout", "REAL", "PathPairs"},
}


def snippets(page: str, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


def names_used(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def names_made(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg


@pytest.mark.parametrize("page", PAGES)
def test_snippets_use_only_what_the_page_imports(page: str) -> None:
    known = set(dir(builtins)) | READERS_OWN.get(page, set())
    for snippet in snippets(page, "python"):
        tree = ast.parse(snippet)
        known |= set(names_made(tree))
        assert names_used(tree) <= known, snippet


def commands(page: str) -> Iterator[list[str]]:
    """Every command of the page's shell snippets, as words."""
    for snippet in snippets(page, "bash"):
        for line in snippet.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            for separator in ("&&", "|", ";", ">"):
                words = ["\n" if word == separator else word for word in words]
            yield from (command.split("\0") for command in "\0".join(words).split("\0\n\0") if command)


def options_of(words: list[str]) -> set[str]:
    """The options that the verb after `gendeg` knows."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        assert words, "a verb is missing"
        assert words[0] in command.commands, words[0]
        command, words = command.commands[words[0]], words[1:]
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_their_options_exist(page: str) -> None:
    for words in commands(page):
        paths = [word for word in words if word.startswith("examples/")]
        assert [path for path in paths if not (ROOT / path).exists()] == []
        if "gendeg" in words:
            given = words[words.index("gendeg") + 1 :]
            options = {word for word in given if re.match(r"--?[a-z]", word)}
            assert options <= options_of(given), words


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(
    tmp_path: Path, tiny_pipeline_folder: Path, tiny_restorer_folder: Path, photo: Any, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run the Python of a page in an empty folder, with tiny networks in place of the packaged ones."""
    packaged = {"gendeg-tiny": tiny_pipeline_folder, "nafnet-tiny": tiny_restorer_folder}
    monkeypatch.setattr(gendeg, "checkpoint", lambda name: packaged[name])
    monkeypatch.setattr(auto, "_registered", {})
    monkeypatch.chdir(tmp_path)
    for name in ("photo.jpg", "foggy.jpg", "blurred.png"):
        PIL.Image.fromarray(photo).save(name)

    def execute(page: str, leave_out: str = "", **readers_own: Any) -> dict[str, Any]:
        for snippet in snippets(page, "python"):
            if not leave_out or leave_out not in snippet:
                exec(compile(snippet, page, "exec"), readers_own)
        return readers_own

    return execute


def test_the_snippets_of_the_readme_run(run: Run) -> None:
    names = run("README.md")
    assert names["out"].parameters[0]["degradation"] == "rain"
    assert names["snowy"].requested.mu == names["reached"].mu


def test_the_snippets_on_restoring_run(run: Run) -> None:
    names = run("docs/restoring.md", leave_out="export_onnx")  # tests/models/test_export.py
    image = names["image"]
    assert "MyRestorer" in auto.known_restorers()
    assert names["MyRestorer"]().restore(image).size == image.size


def test_the_snippets_on_training_run(run: Run, tmp_path: Path, tiny_restorer_folder: Path) -> None:
    shutil.copytree(tiny_restorer_folder, tmp_path / "runs" / "my-restorer" / "best")
    run("docs/training-a-restorer.md")


def test_the_snippets_on_training_a_generator_run(run: Run, tmp_path: Path, tiny_pipeline_folder: Path) -> None:
    shutil.copytree(tiny_pipeline_folder, tmp_path / "runs" / "my-gendeg")
    assert run("docs/training-a-generator.md")["out"].images
