import json

import numpy as np
import PIL.Image

from gendeg import SeverityPrior
from gendeg.severity import check_severity


def test_show(gendeg, tmp_path):
    result = gendeg("prior", "show", "haze", "blur", "-o", tmp_path / "prior.png")
    assert result.exit_code == 0, result.output
    assert "RESIDE" in result.output
    assert "motion_blur: mu" in result.output
    assert PIL.Image.open(tmp_path / "prior.png").width > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["prior.png"]


def test_suffix_in_capitals(gendeg, tmp_path):
    result = gendeg("prior", "show", "haze", "-o", tmp_path / "PRIOR.PNG")
    assert result.exit_code == 0, result.output
    assert PIL.Image.open(tmp_path / "PRIOR.PNG").format == "PNG"


def test_show_refuses_unknown_formats(gendeg, tmp_path):
    result = gendeg("prior", "show", "haze", "-o", tmp_path / "prior.xyz")
    assert result.exit_code == 2
    assert "unknown figure format" in result.stderr
    assert not list(tmp_path.iterdir())


def test_sample(gendeg):
    result = gendeg("prior", "sample", "rain", "-n", 20, "--seed", 4)
    header, *lines = result.stdout.splitlines()
    assert header == "mu,sigma"
    draws = np.array([line.split(",") for line in lines], dtype=float)
    assert np.abs(draws - SeverityPrior.published().sample("rain", 20, 4)).max() < 1e-6
    assert gendeg("prior", "sample", "rain", "-n", -1).exit_code == 2


def test_printed_draws_are_requests_that_are_accepted(gendeg):
    for line in gendeg("prior", "sample", "snow", "-n", 2000).stdout.splitlines()[1:]:
        check_severity(*map(float, line.split(",")))


def test_mode_of_a_sample(gendeg, tmp_path):
    prior = SeverityPrior(SeverityPrior.published().statistics, random_fraction=1)
    prior.save(tmp_path / "prior.json")
    options = ("prior", "sample", "rain", "-n", 5, "--prior", tmp_path / "prior.json")
    as_saved, official = gendeg(*options), gendeg(*options, "--mode", "official")
    assert as_saved.stdout == gendeg(*options, "--mode", "paper").stdout
    assert as_saved.stdout != official.stdout
    assert len(official.stdout.splitlines()) == 6


def test_measure(gendeg, tmp_path):
    rng = np.random.default_rng(0)
    for name, offset in [("near", 0.1), ("far", 0.2)]:
        for kind, change in [("input", offset), ("target", 0)]:
            folder = tmp_path / "pairs" / "haze" / name / kind
            folder.mkdir(parents=True)
            for index in range(3):
                pixels = np.full((20, 20, 3), 0.2 + index / 10 + change) * 255
                PIL.Image.fromarray(pixels.round().astype(np.uint8)).save(folder / f"{index}.png")
    (tmp_path / "pairs" / "haze" / "near" / "input" / "2.png").write_text("broken")
    PIL.Image.fromarray(rng.integers(0, 255, (5, 5, 3), dtype=np.uint8)).save(
        tmp_path / "pairs" / "haze" / "far" / "target" / "0.png"
    )
    result = gendeg("prior", "measure", tmp_path / "pairs", "-o", tmp_path / "prior.json")
    assert result.exit_code == 1  # one broken image, one pair of two sizes
    assert "Pairs that could not be used: 2" in result.stderr
    prior = SeverityPrior.load(tmp_path / "prior.json")
    assert prior.datasets("haze") == ("far", "near")
    assert [source.pairs for source in prior.statistics[prior.degradations[0]].sets] == [2, 2]
    mu = prior.sample("haze", 500, 0)[:, 0]
    assert ((np.abs(mu - 0.1) < 0.01) | (np.abs(mu - 0.2) < 0.01)).all()


def test_measure_without_a_readable_pair(gendeg, tmp_path):
    for kind in ("input", "target"):
        (tmp_path / "haze" / kind).mkdir(parents=True)
        (tmp_path / "haze" / kind / "a.png").write_text("broken")
    result = gendeg("prior", "measure", tmp_path, "-o", tmp_path / "prior.json")
    assert result.exit_code == 2
    assert "None of the 1 pairs" in result.stderr
    assert "a.png" in result.stderr
    assert not (tmp_path / "prior.json").exists()


def test_not_a_prior(gendeg, tmp_path):
    (tmp_path / "prior.json").write_text(json.dumps({"a": 1}))
    result = gendeg("prior", "sample", "haze", "--prior", tmp_path / "prior.json")
    assert result.exit_code == 2
    assert "not a severity prior" in result.stderr


def test_convert_refuses_other_folders(gendeg, tmp_path):
    result = gendeg("prior", "convert", tmp_path, "-o", tmp_path / "prior.json")
    assert result.exit_code == 2
    assert "no sub-folder" in result.stderr
