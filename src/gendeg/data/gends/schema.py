"""The columns of a GenDS data set, and the row that becomes one line of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gendeg.degradations import Degradation, Mixture
from gendeg.version import __version__

if TYPE_CHECKING:
    import datasets

SPLITS = ("train", "validation")
IMAGE_COLUMNS = ("degraded", "target")

# What `load_dataset("gends", part)` reads: the rows with this value in this column.
PARTS: dict[str, tuple[str, str | int] | None] = {
    "all": None,
    "existing": ("origin", "existing"),
    "generated": ("origin", "generated"),
    **{name.value: ("degradation", label) for label, name in enumerate(Degradation)},
}

Origin = Literal["generated", "existing"]
Verdict = Literal["accepted", "retried", "rejected"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one attempt at one planned row.

    A planned row ends with one `Row` that is `"accepted"` or `"rejected"`; each attempt that was given up before that
    is a `Row` that is `"retried"`. Only accepted rows enter the data; all of them are recorded.

    Attributes:
        row: number of the row in the plan of its split, from 0.
        mixture: what degrades the image; the leading degradation becomes the label of the row.
        scene_id: names the clean image; all rows of a scene lie in one split.
        scene_set: the data set that the clean image comes from; may be empty.
        source_set: the data set whose severity statistics were drawn from; for an existing pair, its data set.
        origin: made by a generator, or a pair that existed before.
        degraded, target: encoded image files (see `gendeg.data.gends.images`), of the same size; needed when accepted.
        caption: description of the scene, without the phrase of the degradation; may be empty.
        prompt: what the generator read; empty for an existing pair.
        mu, sigma: requested severity; None for an existing pair.
        random_severity: the 1 in 20 whose severity was not drawn from the statistics of `source_set`.
        achieved_mu, achieved_sigma: severity measured between target and degraded image; None if there was nothing to
            measure.
        seed: of the noise; None for an existing pair.
        attempt: 0 for the first.
        alignment: how degraded image and target were aligned; empty for an existing pair.
        model: name of the generator or of the physical model; empty for an existing pair.
        verdict: of the filter.
        reason: why the verdict is not `"accepted"`.
    """

    row: int
    mixture: Mixture
    scene_id: str
    source_set: str
    origin: Origin
    degraded: bytes | None = None
    target: bytes | None = None
    scene_set: str = ""
    caption: str = ""
    prompt: str = ""
    mu: float | None = None
    sigma: float | None = None
    random_severity: bool = False
    achieved_mu: float | None = None
    achieved_sigma: float | None = None
    seed: int | None = None
    attempt: int = 0
    alignment: str = ""
    model: str = ""
    verdict: Verdict = "accepted"
    reason: str = ""

    def columns(self) -> dict[str, Any]:
        """The row as the columns of `features`, and `reason`."""
        values = dict(vars(self))
        mixture = values.pop("mixture")
        images = {name: {"bytes": values.pop(name), "path": None} for name in IMAGE_COLUMNS}
        label = list(Degradation).index(mixture[0])
        return values | images | {"degradation": label, "mixture": "+".join(mixture), "version": __version__}


def features() -> "datasets.Features":
    """Columns of the data: two embedded images, the label, text, numbers, and where the row comes from."""
    from datasets import ClassLabel, Features, Image, Value

    text, number, integer = Value("string"), Value("float64"), Value("int64")
    return Features(
        {
            "degraded": Image(),
            "target": Image(),
            "degradation": ClassLabel(names=[name.value for name in Degradation]),
            "mixture": text,
            "caption": text,
            "prompt": text,
            "mu": number,
            "sigma": number,
            "achieved_mu": number,
            "achieved_sigma": number,
            "random_severity": Value("bool"),
            "source_set": text,
            "scene_set": text,
            "scene_id": text,
            "origin": text,
            "alignment": text,
            "model": text,
            "version": text,
            "seed": integer,
            "attempt": integer,
            "verdict": text,
            "row": integer,
        }
    )


def verdict_features() -> "datasets.Features":
    """Columns of the record of all attempts: those of the data without the images, and the reason."""
    from datasets import Features, Value

    columns = {name: kind for name, kind in features().items() if name not in IMAGE_COLUMNS}
    return Features(columns | {"reason": Value("string")})
