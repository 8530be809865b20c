import subprocess
import sys

import pytest

VERBS = ["demo", "degrade", "restore", "simulate", "convert", "prior"]


@pytest.mark.parametrize("verb", [[verb] for verb in VERBS] + [["prior", v] for v in ("show", "sample", "measure")])
def test_help_shows_examples(gendeg, verb):
    result = gendeg(*verb, "--help")
    assert result.exit_code == 0
    assert verb == ["prior"] or "gendeg " + " ".join(verb) in result.output


def test_top_level_help_and_version(gendeg):
    assert all(verb in gendeg("--help").output for verb in VERBS)
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
