import json
import pickle

import numpy as np
import pytest

from gendeg.degradations import Degradation
from gendeg.errors import InputError, SeverityError, UnknownDegradationError
from gendeg.priors import SeverityPrior
from gendeg.priors.figure import plot_prior
from gendeg.priors.tables import SigmaTable
from gendeg.severity import (
    MU_BIN_WIDTH,
    MU_RANGE,
    NUM_BINS,
    SIGMA_BIN_WIDTH,
    SIGMA_RANGE,
    check_severity,
    severity_bins,
)

DRAWS = 40_000


@pytest.fixture(scope="module")
def published():
    return SeverityPrior.published()


def two_sets(**options):
    """Set "a": mu near 0.10 and sigma near 0.05, or near 0.20 and 0.11. Set "b": mu near 0.10 and sigma near 0.20."""
    rng = np.random.default_rng(0)
    centres = np.repeat([[0.10, 0.05], [0.20, 0.11], [0.10, 0.20]], 300, axis=0)
    mu, sigma = (centres + rng.uniform(-0.01, 0.01, centres.shape)).T
    datasets = ["a"] * 600 + ["b"] * 300
    return SeverityPrior.from_severities(mu, sigma, ["haze"] * 900, datasets, **options)


@pytest.mark.parametrize("mode", ["paper", "official"])
@pytest.mark.parametrize("degradation", list(Degradation))
def test_every_draw_is_feasible_and_in_range(mode, degradation):
    draws = SeverityPrior.published(mode).sample(degradation, DRAWS, seed=1)
    assert draws.shape == (DRAWS, 2)
    assert draws.dtype == np.float64
    mu, sigma = draws.T
    assert ((mu >= 0) & (mu <= MU_RANGE[1]) & (sigma >= 0) & (sigma <= SIGMA_RANGE[1])).all()
    assert (sigma**2 <= mu * (1 - mu)).all()
    for pair in draws[np.argsort(mu)[:50]]:  # the smallest mu are the tightest
        check_severity(*pair)


def test_published_values(published):
    assert published.degradations == tuple(Degradation)
    assert published.datasets("fog") == ("CityscapesFog", "DenseHaze", "I-HAZE", "NH-HAZE", "RESIDE")
    weights = {source.name: source.weight for source in published.statistics[Degradation.HAZE].sets}
    assert weights == {"CityscapesFog": 1, "DenseHaze": 0.05, "I-HAZE": 0.25, "NH-HAZE": 0.1, "RESIDE": 1}
    assert sum(source.pairs for source in published.statistics[Degradation.HAZE].sets) == 80184
    assert published.sample("haze", DRAWS, 0)[:, 0].max() <= 52 * MU_BIN_WIDTH
    # row "haze, mu bin 3" of the published table
    assert published.sigma_quantiles("haze", [0, 0.05, 0.5, 1])[3] == pytest.approx(
        [0.00938, 0.01274, 0.01737, 0.02813]
    )
    assert np.isnan(published.sigma_quantiles("haze", [0.5])[100])


@pytest.mark.parametrize("degradation", ["haze", "rain", "raindrop"])
def test_draws_follow_the_published_histograms(published, degradation):
    prior = SeverityPrior(published.statistics, random_fraction=0)
    mu, sigma = prior.sample(degradation, 10 * DRAWS, seed=2).T
    expected = prior.statistics[Degradation(degradation)].mu_probability.sum(axis=0)
    found = np.bincount(severity_bins(mu, MU_RANGE), minlength=NUM_BINS) / len(mu)
    assert np.abs(found - expected).max() < 0.002
    busiest = expected.argmax()
    here = sigma[severity_bins(mu, MU_RANGE) == busiest]
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    assert np.quantile(here, levels) == pytest.approx(prior.sigma_quantiles(degradation, levels)[busiest], abs=5e-4)


def test_same_seed_same_draws_whatever_their_number(published):
    draws = published.sample("rain", 1000, seed=7)
    assert (published.sample("rain", 1000, seed=7) == draws).all()
    assert (published.sample("rain", 10, seed=7) == draws[:10]).all()
    assert (published.sample("rain", 1000, seed=8) != draws).any()
    rng = np.random.default_rng(7)
    assert (np.concatenate([published.sample("rain", 400, rng), published.sample("rain", 600, rng)]) == draws).all()


def test_mixture_takes_the_prior_of_its_first(published):
    assert (published.sample("rain+haze", 100, 0) == published.sample("rain", 100, 0)).all()


def test_sigma_is_conditioned_on_mu_within_the_set():
    mu, sigma = two_sets(random_fraction=0).sample("haze", DRAWS, seed=3).T
    high = mu > 0.15
    assert high.mean() == pytest.approx(0.25, abs=0.01)  # half of set a, which is half of the draws
    assert np.abs(sigma[high] - 0.11).max() < 0.015
    assert (sigma[~high] > 0.15).mean() == pytest.approx(0.5 / 0.75, abs=0.01)


def test_official_mode_pools_the_sets():
    _, sigma = two_sets(mode="official", random_fraction=0).sample("haze", DRAWS, seed=3).T
    # of the 600 images near mu = 0.1 one half has the high sigma, whatever set mu was drawn from
    assert (sigma > 0.15).mean() == pytest.approx(0.75 * 0.5, abs=0.01)


def test_weights_choose_the_set():
    mu, _ = two_sets(weights={"b": 3}, random_fraction=0).sample("haze", DRAWS, seed=4).T
    assert (mu > 0.15).mean() == pytest.approx(0.5 * 0.25, abs=0.01)


def test_random_draws_of_the_paper_redraw_sigma_only():
    mu, sigma = two_sets(random_fraction=1).sample("haze", DRAWS, seed=5).T
    assert ((np.abs(mu - 0.1) < 0.02) | (np.abs(mu - 0.2) < 0.02)).all()
    assert np.histogram(sigma[mu > 0.15], bins=4, range=(0.04, 0.12))[0] / (mu > 0.15).sum() == pytest.approx(
        [0.25] * 4, abs=0.04
    )


def test_random_draws_of_the_program_redraw_both():
    mu, sigma = two_sets(mode="official", random_fraction=1).sample("haze", DRAWS, seed=5).T
    assert ((mu > 0.13) & (mu < 0.17)).mean() > 0.1
    assert abs(np.corrcoef(mu[sigma < 0.15], sigma[sigma < 0.15])[0, 1]) < 0.05


def test_one_draw_in_twenty_is_random():
    _, regular = two_sets(random_fraction=0).sample("haze", DRAWS, seed=6).T
    _, mixed = two_sets().sample("haze", DRAWS, seed=6).T
    assert (regular != mixed).mean() == pytest.approx(0.05, abs=0.005)


def test_sample_sigma(published):
    sigma = published.sample_sigma("haze", np.full(DRAWS, 0.1), seed=0)
    mu_bin = severity_bins(0.1, MU_RANGE)
    levels = [0.05, 0.5, 0.95]
    assert np.quantile(sigma, levels) == pytest.approx(published.sigma_quantiles("haze", levels)[mu_bin], abs=1e-3)
    assert published.sample_sigma("haze", [0.0], seed=0) == [0]
    beyond = published.sample_sigma("motion_blur", [0.6], seed=0)  # far above every set: like the nearest bin
    assert 0.1 < beyond[0] < 0.2


def test_sample_mu_inverts_sample_sigma():
    prior = two_sets(random_fraction=0)
    assert np.abs(prior.sample_mu("haze", np.full(500, 0.11), seed=0) - 0.2).max() < 0.02
    assert np.abs(prior.sample_mu("haze", np.full(500, 0.05), seed=0) - 0.1).max() < 0.02
    assert prior.sample_mu("haze", [0.4], seed=0)[0] >= 0.2  # the smallest mu that allows sigma = 0.4
    unseen = prior.sample_mu("haze", np.full(50, 0.0), seed=0)  # below every set: where sigma is smallest
    assert np.abs(unseen - 0.1).max() < 0.02


@pytest.mark.parametrize("bad", [-0.1, 0.71, float("nan")])
def test_conditional_draws_refuse_impossible_values(published, bad):
    with pytest.raises(SeverityError):
        published.sample_sigma("haze", [0.1, bad], seed=0)
    with pytest.raises(SeverityError):
        published.sample_mu("haze", [0.1, bad], seed=0)


def test_histogram_is_uniform_inside_a_bin():
    counts = np.zeros((NUM_BINS, NUM_BINS))
    counts[10, 5], counts[10, 7] = 1, 3
    table = SigmaTable.from_counts(counts)
    sigma, cumulative = table.rows()[10]
    assert sigma == pytest.approx(np.arange(5, 9) * SIGMA_BIN_WIDTH)
    assert cumulative == pytest.approx([0, 0.25, 0.25, 1])
    density = table.density((np.array([4, 5, 6, 7, 8]) + 0.5) * SIGMA_BIN_WIDTH)[:, 10] * SIGMA_BIN_WIDTH
    assert density == pytest.approx([0, 0.25, 0, 0.75, 0])


def test_save_and_load(tmp_path, published):
    for prior in [two_sets(random_fraction=0.2), SeverityPrior.published("official")]:
        prior.save(tmp_path / "new" / "prior.json")
        loaded = SeverityPrior.load(tmp_path / "new" / "prior.json")
        assert (loaded.mode, loaded.random_fraction) == (prior.mode, prior.random_fraction)
        assert (loaded.sample("haze", 1000, 0) == prior.sample("haze", 1000, 0)).all()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["prior.json"]


def edit(content, path, value):
    """Set one entry deep in a JSON document."""
    *parents, last = path
    for key in parents:
        content = content[key]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format"], "something else", "not a severity prior"),
        (["version"], 2, "not a severity prior that this version reads"),
        (["degradations", "sleet"], {}, "sleet"),
        (["degradations"], [], "broken"),
        (["degradations"], {}, "at least one degradation"),
        (["mode"], "mine", "mode"),
        (["random_fraction"], 1.5, "random_fraction"),
        (["degradations", "haze", "sets", 0, "weight"], -1, "positive"),
        (["degradations", "haze", "sets", 0, "pairs"], float("inf"), "broken"),
        (["degradations", "haze", "sets", 0, "sigma_range"], [], "broken"),
        (["degradations", "haze", "sets", 0, "mu_probability"], {"3": 0.5}, "sums to"),
        (["degradations", "haze", "sets", 0, "mu_probability"], {"200": 1.0}, "200"),
        (["degradations", "haze", "sets", 0, "mu_probability"], {"90": 1.0}, "no sigma"),
        (["degradations", "haze", "sets", 0, "sigma_range"], [0.2, 0.1], "interval"),
        (["degradations", "haze", "sets"], [], "at least one"),
        (["degradations", "haze", "sigma_given_mu", 0, "3", "cumulative"], [0.1, 1], "probabilities"),
        (["degradations", "haze", "sigma_given_mu", 0, "3", "sigma"], [0.1] * 6 + [0.9], "outside"),
        (["degradations", "haze", "sigma_given_mu", 0, "3"], {}, "sigma"),
    ],
)
def test_broken_files_are_refused(tmp_path, published, path, value, message):
    file = tmp_path / "prior.json"
    published.save(file)
    content = json.loads(file.read_text())
    edit(content, path, value)
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        SeverityPrior.load(file)


@pytest.mark.parametrize("content", ["", "[1, 2]", "{", "\x80 not text", "[" * 200_000])
def test_files_that_are_no_prior(tmp_path, content):
    file = tmp_path / "prior.json"
    file.write_text(content)
    with pytest.raises(InputError, match="not a severity prior"):
        SeverityPrior.load(file)
    with pytest.raises(InputError, match="No prior file"):
        SeverityPrior.load(tmp_path / "missing.json")


def photo_pairs(count, offset):
    rng = np.random.default_rng(count)
    for _ in range(count):
        clean = rng.uniform(0, 0.5, (8, 8, 3))
        yield clean, clean + offset


def test_from_pairs_measures():
    pairs = [(clean, degraded, "fog", "near") for clean, degraded in photo_pairs(5, 0.1)]
    pairs += [{"clean": a, "degraded": b, "degradation": "rain+haze"} for a, b in photo_pairs(3, 0.3)]
    prior = SeverityPrior.from_pairs(pairs, random_fraction=0)
    assert prior.degradations == (Degradation.HAZE, Degradation.RAIN)
    assert prior.datasets("haze") == ("near",)
    assert prior.statistics[Degradation.RAIN].sets[0].pairs == 3
    mu, sigma = prior.sample("haze", 100, 0).T
    assert np.abs(mu - 0.1).max() <= MU_BIN_WIDTH
    assert sigma.max() <= SIGMA_BIN_WIDTH


def test_from_pairs_takes_severities_above_the_range():
    prior = SeverityPrior.from_severities([0.9], [0.45], ["haze"], ["x"], random_fraction=0)
    mu, sigma = prior.sample("haze", 100, 0).T
    assert mu.max() <= MU_RANGE[1]
    assert sigma.max() <= SIGMA_RANGE[1]


def test_a_batch_is_no_pair():
    batch = np.zeros((2, 4, 4, 3))
    with pytest.raises(InputError, match="Pair 0 is a batch of 2 images; give a pair for each"):
        SeverityPrior.from_pairs([(batch, batch, "haze")])
    assert SeverityPrior.from_pairs([(batch[:1], batch[:1], "haze")]).datasets("haze") == ("pairs",)


def test_names_of_sets_are_taken_as_text():
    prior = SeverityPrior.from_severities([0.1] * 3, [0.1] * 3, ["haze"] * 3, [3, "a", None], weights={3: 2})
    assert prior.datasets("haze") == ("3", "None", "a")
    assert [source.weight for source in prior.statistics[Degradation.HAZE].sets] == [2, 1, 1]


def test_statistics_by_name_or_alias():
    known = two_sets().statistics[Degradation.HAZE]
    assert SeverityPrior({"fog": known}).degradations == (Degradation.HAZE,)
    with pytest.raises(UnknownDegradationError, match="'hazy'"):
        SeverityPrior({"hazy": known})
    with pytest.raises(InputError, match="haze, fog name a degradation twice"):
        SeverityPrior({"haze": known, "fog": known})


@pytest.mark.parametrize("pair", [3, (1, 2), {"clean": 1}, "abc"])
def test_from_pairs_refuses_what_is_no_pair(pair):
    with pytest.raises(InputError, match="Pair 0"):
        SeverityPrior.from_pairs([pair])


def test_from_severities_refuses():
    with pytest.raises(InputError, match="at least one pair"):
        SeverityPrior.from_pairs([])
    with pytest.raises(InputError, match="Weights for z"):
        SeverityPrior.from_severities([0.1], [0.1], ["haze"], ["x"], weights={"z": 1})
    with pytest.raises(InputError, match="NaN"):
        SeverityPrior.from_severities([np.nan], [0.1], ["haze"], ["x"])
    with pytest.raises(SeverityError):
        SeverityPrior.from_severities([-0.1], [0.1], ["haze"], ["x"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SeverityPrior.published([]), r"mode=\[\] is not one of"),
        (lambda: SeverityPrior.from_pairs(5), "pairs=5; give an iterable"),
        (lambda: SeverityPrior.from_pairs([{"mu": "x", "sigma": 0.1, "degradation": "haze"}]), "mu of pair 0='x'"),
        (lambda: SeverityPrior.from_severities(0.1, 0.1, ["haze"], ["x"]), r"mu must be numbers \(N,\)"),
        (lambda: SeverityPrior.from_severities(["a"], [0.1], ["haze"], ["x"]), "mu must be numbers.*'a'"),
        (lambda: SeverityPrior.from_severities([0.1], [0.1], None, ["x"]), "degradations=None; give a list"),
        (lambda: SeverityPrior.from_severities([0.1], [0.1], ["haze"], ["x"], weights=5), "weights=5; give a mapping"),
        (
            lambda: SeverityPrior.from_severities([0.1], [0.1], ["haze"], ["x"], weights={"x": "2"}),
            "weight of x='2' is not a number",
        ),
        (lambda: SeverityPrior.from_severities([10**400], [0.1], ["haze"], ["x"]), "mu must be numbers"),
        (lambda: SeverityPrior({Degradation.HAZE: 5}), "DegradationStatistics of each"),
        (lambda: SeverityPrior.load(None), "path=None is neither text nor a path"),
        (lambda: SeverityPrior.from_original(5), "folder=5 is neither text nor a path"),
        (lambda: SeverityPrior.published().save(None), "path=None is neither text nor a path"),
        (lambda: SeverityPrior.published().mu_quantiles("haze", "x"), "levels='x'; give a list"),
        (lambda: SeverityPrior.published().sigma_quantiles("haze", [1.5]), r"levels=\[1.5\]; give a list"),
        (lambda: SeverityPrior.published().transform("haze", np.zeros((3, 2))), r"has the shape \(3, 2\); give"),
        (lambda: SeverityPrior.published().transform("haze", [0.1, 0.2, 0.3, 0.4]), r"has the shape \(4,\); give"),
        (
            lambda: SeverityPrior.published().transform("haze", [[0.1], [0.2, 0.3]]),
            r"uniforms=\[\[0.1\], .* give an",
        ),
        (
            lambda: SeverityPrior.published().transform("haze", np.full((3, 4), np.nan)),
            "uniforms holds nan; give",
        ),
        (lambda: SeverityPrior.published().transform("haze", np.ones((3, 4))), "uniforms holds 1.0; give numbers"),
        (lambda: SeverityPrior.published().sample("haze", 1, seed=None), "seed=None is not a whole number"),
    ],
)
def test_arguments_of_another_kind(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_transform_takes_a_list_of_rows():
    rows, prior = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]], SeverityPrior.published()
    from_list, from_array = (prior.transform("haze", uniforms) for uniforms in (rows, np.array(rows)))
    assert np.array_equal(from_list.mu, from_array.mu)
    assert np.array_equal(from_list.sigma, from_array.sigma)


def write_original(folder, name, joint, table):
    """One data set in the authors' layout: `joint` is its own histogram, `table` what its Mu-Sigma file says."""
    folder.mkdir(parents=True, exist_ok=True)
    mu_edges, sigma_edges = np.linspace(0, 0.7, NUM_BINS + 1), np.linspace(0, 0.4, NUM_BINS + 1)

    def bins(kind, edges, counts):
        pairs = zip(edges[:-1], edges[1:], counts, strict=True)
        return [{f"{kind} min": low, f"{kind} max": high, "Count": int(count)} for low, high, count in pairs]

    files = {
        f"Mu_{name}.json": bins("Mu", mu_edges, joint.sum(axis=1)),
        f"Sigma_{name}.json": bins("Sigma", sigma_edges, joint.sum(axis=0)),
        f"Mu-Sigma-_{name}.json": [
            {"Mu range": f"{low:.3f} - {high:.3f}", "Count": bins("Sigma", sigma_edges, counts)}
            for low, high, counts in zip(mu_edges[:-1], mu_edges[1:], table, strict=True)
        ],
    }
    for file, entries in files.items():
        (folder / file).write_text(json.dumps([entry | {"Dataset": name} for entry in entries]))


@pytest.fixture
def original_folder(tmp_path):
    """Haze with two sets whose Mu-Sigma table is pooled, as released; motion blur with one set."""
    near, far = np.zeros((2, NUM_BINS, NUM_BINS), dtype=int)
    near[10, 8], far[10, 30], far[40, 40] = 4, 1, 3
    write_original(tmp_path / "haze", "RESIDE", near, near + far)
    write_original(tmp_path / "haze", "DenseHaze", far, near + far)
    write_original(tmp_path / "motion blur", "HIDE", near, near)
    (tmp_path / "notes").mkdir()
    (tmp_path / "haze" / "mu_sigma_weighted_haze.json").write_text("{}")
    return tmp_path


def test_from_original(original_folder):
    prior = SeverityPrior.from_original(original_folder, random_fraction=0)
    assert prior.mode == "official"
    assert set(prior.degradations) == {Degradation.HAZE, Degradation.MOTION_BLUR}
    sets = {source.name: source for source in prior.statistics[Degradation.HAZE].sets}
    assert (sets["RESIDE"].weight, sets["DenseHaze"].weight) == (1, 0.05)
    assert (sets["RESIDE"].pairs, sets["DenseHaze"].pairs) == (4, 4)
    assert sets["DenseHaze"].sigma_range == pytest.approx((30 * SIGMA_BIN_WIDTH, 41 * SIGMA_BIN_WIDTH))
    mu, sigma = prior.sample("haze", DRAWS, 0).T
    assert (mu > 0.1).mean() == pytest.approx(0.75 * 0.05 / 1.05, abs=0.005)
    assert (sigma[mu < 0.1] > 0.05).mean() == pytest.approx(0.2, abs=0.01)  # pooled: 1 of 5 images in the bin


def test_from_original_weights_by_name(original_folder):
    prior = SeverityPrior.from_original(original_folder, weights={"DenseHaze": 1}, random_fraction=0)
    assert (prior.sample("haze", DRAWS, 0)[:, 0] > 0.1).mean() == pytest.approx(0.75 / 2, abs=0.01)


def test_from_original_refuses(original_folder, tmp_path):
    with pytest.raises(InputError, match="not a folder"):
        SeverityPrior.from_original(tmp_path / "missing")
    with pytest.raises(InputError, match=r"Weights for RESIDES.*DenseHaze, HIDE, RESIDE"):
        SeverityPrior.from_original(original_folder, weights={"RESIDES": 2})
    with pytest.raises(InputError, match="no sub-folder"):
        SeverityPrior.from_original(tmp_path / "notes")
    table = original_folder / "motion blur" / "Mu-Sigma-_HIDE.json"
    whole = table.read_text()
    for rows in (json.loads(whole)[:-1], [{"Dataset": "HIDE"}] * NUM_BINS):
        table.write_text(json.dumps(rows))
        with pytest.raises(InputError, match="the table of HIDE needs 128 rows"):
            SeverityPrior.from_original(original_folder)
    table.write_text(whole)
    (original_folder / "haze" / "Mu_RESIDE.json").write_text("{")
    with pytest.raises(InputError, match="Mu_RESIDE"):
        SeverityPrior.from_original(original_folder)
    (original_folder / "haze" / "Mu_RESIDE.json").unlink()
    with pytest.raises(InputError, match="same sets"):
        SeverityPrior.from_original(original_folder)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], r"weights=\[1\]; give a mapping"),
        ({"RESIDE": None}, "weight of RESIDE=None is not a number"),
        ({"RESIDE": "2"}, "weight of RESIDE='2' is not a number"),
        ({3: 1}, "Weights for 3"),
    ],
)
def test_weights_that_are_no_numbers(original_folder, weights, message):
    with pytest.raises(InputError, match=message):
        SeverityPrior.from_original(original_folder, weights=weights)


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (None, "null, NaN or infinite"),
        (float("nan"), "null, NaN or infinite"),
        (float("inf"), "null, NaN or infinite"),
        (10**400, "no counts"),
        ("many", "no counts"),
        ([1], "no counts"),
        (-1, "the count -1; counts are at least 0"),
    ],
)
def test_counts_that_are_none(original_folder, count, message):
    file = original_folder / "haze" / "Mu_RESIDE.json"
    bins = json.loads(file.read_text())
    bins[7]["Count"] = count
    file.write_text(json.dumps(bins))
    with pytest.raises(InputError, match=f"a histogram of RESIDE has .*{message}"):
        SeverityPrior.from_original(original_folder)
    file.write_text(json.dumps(bins[:3]))
    with pytest.raises(InputError, match="RESIDE has 3 bins; 128 counts are expected"):
        SeverityPrior.from_original(original_folder)


def test_the_published_prior_cannot_be_changed(published):
    with pytest.raises(TypeError):
        del published.statistics[Degradation.HAZE]
    assert (pickle.loads(pickle.dumps(published)).sample("haze", 9, 0) == published.sample("haze", 9, 0)).all()


def test_bad_arguments(published):
    with pytest.raises(InputError, match="mode"):
        SeverityPrior.published("mine")
    with pytest.raises(UnknownDegradationError, match="haze"):
        published.sample("hase", 1, 0)
    with pytest.raises(InputError, match="knows haze, not rain"):
        two_sets().sample("rain", 1, 0)
    with pytest.raises(InputError, match="n=-1"):
        published.sample("haze", -1, 0)
    assert published.sample("haze", 0, 0).shape == (0, 2)


def test_figure(published, tmp_path):
    figure = plot_prior(published, ["haze", "blur"])
    assert [axis.get_ylabel() for axis in figure.axes[::2]] == ["haze", "motion blur"]
    figure.savefig(tmp_path / "prior.png", dpi=40)
    assert len(plot_prior(two_sets()).axes) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 2.5}, "n=2.5 is not a whole number"),
        ({"n": "3"}, "n='3' is not a whole number"),
        ({"seed": -1}, "seed=-1; give a whole number from 0"),
        ({"seed": "a"}, "seed='a'"),
    ],
)
def test_draws_that_are_no_numbers(arguments, message):
    with pytest.raises(InputError, match=message):
        SeverityPrior.published().sample("haze", **{"n": 1, "seed": 0, **arguments})


def test_given_values_may_be_one_number_and_must_be_numbers():
    prior = SeverityPrior.published()
    assert prior.sample_sigma("haze", 0.1, 0) == prior.sample_sigma("haze", [0.1], 0)
    assert prior.sample_sigma("haze", [], 0).shape == prior.sample_mu("haze", [], 0).shape == (0,)
    with pytest.raises(InputError, match=r"mu=.*'a'.* is not a number"):
        prior.sample_sigma("haze", ["a"], 0)
    with pytest.raises(InputError, match="sigma=None is not a number"):
        prior.sample_mu("haze", [None], 0)
