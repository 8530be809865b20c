import inspect
import subprocess
import sys

import pytest
import typer

from gendeg.cli import app


def find_verbs(command, words=()):
    """Each verb's words, such as ("prior", "show"), and its command."""
    if not hasattr(command, "commands"):
        return [(words, command)]
    return [verb for name, own in command.commands.items() for verb in find_verbs(own, (*words, name))]


VERBS = dict(find_verbs(typer.main.get_command(app)))


@pytest.fixture
def help_of(gendeg, monkeypatch):
    def run(words, columns):
        monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", columns)
        result = gendeg(*words, "--help")
        assert result.exit_code == 0
        return result.output

    return run


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_each_example_stands_on_a_line_of_its_own(help_of, words):
    text = inspect.getdoc(VERBS[words].callback)
    examples = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert any(example.startswith(f"gendeg {' '.join(words)}") for example in examples)
    lines = [line.strip() for line in help_of(words, 140).splitlines()]
    assert [line for line in lines if line in examples] == examples


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_help_is_not_cut_on_a_narrow_terminal(help_of, words):
    assert "…" not in help_of(words, 80)


SEEDED = {
    ("demo",): [],
    ("degrade",): ["photo.png", "-d", "haze"],
    ("simulate",): ["photo.png", "-d", "haze"],
    ("synthesize",): ["photos/"],
    ("prior", "sample"): ["haze"],
}


def test_these_verbs_take_a_seed():
    assert set(SEEDED) == {words for words, verb in VERBS.items() if any(one.name == "seed" for one in verb.params)}


@pytest.mark.parametrize("words", SEEDED, ids=" ".join)
@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused_before_the_work(gendeg, tmp_path, words, seed):
    output = [] if words == ("prior", "sample") else ["-o", tmp_path / "output"]
    result = gendeg(*words, *SEEDED[words], *output, "--seed", seed)
    assert result.exit_code == 2
    assert f"{seed} is no seed" in result.stderr
    assert not list(tmp_path.iterdir())


def test_top_level_help_and_version(gendeg):
    assert all(words[0] in gendeg("--help").output for words in VERBS)
    assert gendeg("--version").output.startswith("gendeg 0.")


def test_help_needs_no_torch():
    code = "import sys; from gendeg.cli import app; assert not {'torch', 'diffusers', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_runs_as_module():
    result = subprocess.run([sys.executable, "-m", "gendeg", "--version"], check=True, capture_output=True, text=True)
    assert result.stdout.startswith("gendeg 0.")


def test_errors_are_one_line_on_stderr(gendeg, tmp_path):
    result = gendeg("simulate", tmp_path / "missing.png", "-d", "haze", "-o", tmp_path / "out.png")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: No such image")
    assert result.stderr.count("\n") == 1
