import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

import gendeg
from gendeg import RandomDegradation, SeverityPrior, measure_severity
from gendeg.degradations import Degradation
from gendeg.errors import ImageError, InputError, UnknownDegradationError

pytestmark = pytest.mark.timeout(900)  # new processes import torch, which takes its time on a busy machine

# Children are forked off a process without threads; forked off this one they may wait for its threads for ever.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["gendeg.synthesis.random_degradation"])


class Pairs(Dataset):
    """The same clean image again and again, degraded."""

    def __init__(self, image, degrade, length=8):
        self.image, self.degrade, self.length = image, degrade, length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return self.degrade(self.image)


def same(first, second):
    for name, values in first.items():
        other = second[name]
        assert torch.equal(values, other) if isinstance(values, torch.Tensor) else values == other, name


@pytest.fixture
def small(photo_tensor):
    return photo_tensor[:, 20:52, 30:62]


@pytest.mark.parametrize("kind", ["pil", "array", "tensor"])
def test_takes_images_of_any_kind_and_measures_the_pair(photo, photo_tensor, kind):
    image = {"pil": PIL.Image.fromarray(photo), "array": photo, "tensor": photo_tensor}[kind]
    sample = RandomDegradation()(image, "a woman", seed=3)
    assert torch.equal(sample["target"], photo_tensor)
    assert sample["degraded"].shape == photo_tensor.shape
    assert sample["degraded"].dtype == torch.float32
    achieved = measure_severity(sample["target"], sample["degraded"])
    assert sample["achieved_mu"].item() == pytest.approx(achieved.mu, abs=1e-6)
    assert sample["achieved_sigma"].item() == pytest.approx(achieved.sigma, abs=1e-6)
    assert sample["prompt"].startswith("a woman, ")
    assert sample["mixture"].startswith(list(Degradation)[int(sample["degradation"])])


@pytest.mark.parametrize("name", list(Degradation))
def test_the_drawn_severity_is_met(photo_tensor, name):
    batch = RandomDegradation([name])([photo_tensor] * 4, seed=0)
    assert batch["degradation"].tolist() == [list(Degradation).index(name)] * 4
    reached = (batch["achieved_mu"] - batch["mu"]).abs() < 0.01
    assert reached.sum() >= (3 if name == Degradation.MOTION_BLUR else 4)  # a photo holds only so much blur


def test_a_sample_depends_on_image_and_seed_alone(photo_tensor):
    degrade = RandomDegradation()
    batch = degrade(torch.stack([photo_tensor] * 3), seed=5)
    same(batch, default_collate([RandomDegradation()(photo_tensor, seed=seed) for seed in (5, 6, 7)]))
    assert batch["seed"].tolist() == [5, 6, 7]
    assert batch["degraded"].shape == (3, *photo_tensor.shape)
    torch.manual_seed(0)
    drawn = degrade(photo_tensor)
    same(drawn, degrade(photo_tensor, seed=int(drawn["seed"])))
    assert drawn["seed"] != degrade(photo_tensor)["seed"]


def test_images_of_different_sizes_come_as_lists(photo_tensor, small):
    batch = RandomDegradation()([photo_tensor, small], ["a", None], seed=0)
    assert [image.shape for image in batch["degraded"]] == [photo_tensor.shape, small.shape]
    assert batch["mu"].shape == (2,)


def test_draws_follow_the_prior(small):
    count, name = 240, Degradation.SNOW
    prior = SeverityPrior.published()
    batch = RandomDegradation([name])([small[:, :16, :16]] * count, seed=0)
    low, high = prior.mu_quantiles(name, (0.35, 0.65))
    assert low < batch["mu"].median() < high
    assert 2 <= int(batch["random_severity"].sum()) <= 25  # 1 in 20
    assert set(batch["source_set"]) <= set(prior.datasets(name))
    mixed = [mixture == "snow+haze" for mixture in batch["mixture"]]
    assert mixed == [source_set == "CSD" for source_set in batch["source_set"]]
    assert 0 < sum(mixed) < count


def test_own_prior(small):
    always = SeverityPrior(SeverityPrior.published().statistics, "official", random_fraction=1)
    never = SeverityPrior(SeverityPrior.published().statistics, random_fraction=0)
    for prior, expected in ((always, True), (never, False)):
        batch = RandomDegradation(["fog", "low light"], prior=prior)([small] * 5, seed=0)
        assert batch["random_severity"].tolist() == [expected] * 5
        assert set(batch["degradation"].tolist()) <= {0, 4}
    haze = SeverityPrior({Degradation.HAZE: always.statistics[Degradation.HAZE]})
    with pytest.raises(InputError, match="not rain"):
        RandomDegradation(["haze", "rain"], prior=haze)


def test_degradations_are_drawn_evenly_by_how_often_they_are_named(small):
    batch = RandomDegradation(["haze", "haze", "low_light"])([small[:, :16, :16]] * 150, seed=0)
    assert (batch["degradation"] == 0).float().mean().item() == pytest.approx(2 / 3, abs=0.12)


def test_workers_and_epochs_differ_and_repeat(small):
    pairs = Pairs(small, RandomDegradation())
    loader = DataLoader(
        pairs,
        batch_size=2,
        num_workers=2,
        multiprocessing_context=PROCESSES,
        generator=torch.Generator(),
        persistent_workers=False,
    )

    def epochs(seed):
        loader.generator.manual_seed(seed)
        return [[batch["seed"].tolist() for batch in loader] for _ in range(2)]

    first = epochs(0)
    seeds = np.ravel(first)
    assert len(set(seeds.tolist())) == 2 * len(pairs)  # none twice: not in another worker, nor in another epoch
    assert epochs(0) == first


def test_collate_and_pickle(small):
    degrade = pickle.loads(pickle.dumps(RandomDegradation(["rain"])))
    batch = next(iter(DataLoader(Pairs(small, degrade), batch_size=4)))
    assert batch["degraded"].shape == (4, *small.shape)
    assert batch["degradation"].tolist() == [1] * 4
    assert len(batch["mixture"]) == 4


def test_the_pipeline(tiny_pipeline, photo_tensor):
    degrade = RandomDegradation(backend=tiny_pipeline, num_inference_steps=1, alignment="none")
    batch = degrade([photo_tensor] * 2, ["a woman", None], seed=1)
    assert batch["degraded"].shape == (2, *photo_tensor.shape)
    alone = pickle.loads(pickle.dumps(degrade))(photo_tensor, "a woman", seed=1)
    assert torch.allclose(alone["degraded"], batch["degraded"][0], atol=1e-4)
    assert alone["mixture"] == batch["mixture"][0]
    direct = tiny_pipeline(
        photo_tensor,
        alone["mixture"],
        batch["mu"][0].item(),
        batch["sigma"][0].item(),
        "a woman",
        generator=torch.Generator().manual_seed(0),
        num_inference_steps=1,
        alignment="none",
        output_type="pt",
    )
    assert not torch.equal(direct.images[0], alone["degraded"])  # other noise
    assert torch.equal(direct.targets[0], alone["target"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"degradations": []}, InputError, "at least one"),
        ({"degradations": ["hase"]}, UnknownDegradationError, "Did you mean 'haze'"),
        ({"degradations": 5}, UnknownDegradationError, "5"),
        ({"prior": "paper"}, InputError, "prior='paper' is not a SeverityPrior"),
        ({"backend": "pipeline"}, InputError, "neither 'simulator' nor a GenDegPipeline"),
        ({"num_inference_steps": 3}, InputError, "num_inference_steps; this backend takes none"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, error, message):
    with pytest.raises(error, match=message):
        RandomDegradation(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("photo.png",), ImageError, "Not an image: str"),
        ((torch.full((3, 8, 8), 2.0),), ImageError, "lie in"),
        ((torch.zeros(3, 8, 8), ["a", "b"]), InputError, "2 prompts for 1 images"),
        ((torch.zeros(3, 8, 8), 5), InputError, "prompt=5 is not text"),
    ],
)
def test_inputs_that_cannot_be_used(arguments, error, message):
    with pytest.raises(error, match=message):
        RandomDegradation()(*arguments)


@pytest.mark.parametrize("seed", [-1, 2**62, 0.5])
def test_seeds_that_are_none(small, seed):
    with pytest.raises(InputError, match="seed="):
        RandomDegradation()(small, seed=seed)


def test_is_public():
    assert gendeg.RandomDegradation is RandomDegradation


def test_the_example_of_the_page_runs(photo, tmp_path, monkeypatch):
    page = Path(__file__).parents[2] / "docs" / "degrading-on-the-fly.md"
    example = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    for wanted, tried in (("size=128", "size=32"), ("num_workers=2", "num_workers=0")):
        assert wanted in example
        example = example.replace(wanted, tried)
    (tmp_path / "photos").mkdir()
    for number in range(5):
        PIL.Image.fromarray(np.roll(photo, number, axis=1)).save(tmp_path / "photos" / f"{number}.jpg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(example, names)
    assert names["loss"].isfinite()
    assert names["batch"]["degraded"].shape == (1, 3, 32, 32)  # five photos in batches of four
