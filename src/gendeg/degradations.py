"""The six degradations: names, aliases, prompt phrases, and how the paper aligns each."""

import difflib
from collections.abc import Iterable
from enum import StrEnum

from gendeg.errors import InputError, UnknownDegradationError


class Degradation(StrEnum):
    """One of the six degradations of GenDeg (paper section 3; the phrases are those of the authors' program).

    `Degradation("fog")` accepts the aliases too, in any case, with spaces or hyphens for underscores.

    Raises:
        UnknownDegradationError: the name is none of them; the message lists the nearest.
    """

    HAZE = "haze"
    RAIN = "rain"
    SNOW = "snow"
    MOTION_BLUR = "motion_blur"
    LOW_LIGHT = "low_light"
    RAINDROP = "raindrop"

    @classmethod
    def _missing_(cls, value: object) -> "Degradation":
        accepted = ", ".join(member.value for member in cls)
        if not isinstance(value, str):
            raise UnknownDegradationError(f"{value!r} is not the name of a degradation; give one of {accepted}.")
        name = value.strip().lower().replace("-", "_").replace(" ", "_")
        if name in _ALIASES:
            return _ALIASES[name]
        near = difflib.get_close_matches(name, _ALIASES, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise UnknownDegradationError(f"Unknown degradation {value!r}.{hint} Accepted: {accepted}.")

    @property
    def phrase(self) -> str:
        """The words that name the degradation in a prompt, e.g. `"in hazy conditions"`."""
        return _PHRASES[self]

    @property
    def paper_alignment(self) -> str:
        """How the paper aligns image and target: `"scm"`, or `"target"` (target becomes D(E(clean)))."""
        return "scm" if self in _ALIGNED_BY_SCM else "target"


_CONDITIONS = {  # phrases of the form "in ... conditions", which mixtures join with "and"
    Degradation.HAZE: "hazy",
    Degradation.RAIN: "rainy",
    Degradation.SNOW: "snowy",
    Degradation.MOTION_BLUR: "blurry",
    Degradation.LOW_LIGHT: "low-light",
}
_PHRASES = {name: f"in {adjective} conditions" for name, adjective in _CONDITIONS.items()}
_PHRASES[Degradation.RAINDROP] = "with raindrops in it"

_ALIGNED_BY_SCM = {Degradation.HAZE, Degradation.MOTION_BLUR, Degradation.RAINDROP}

_ALIASES = {member.value: member for member in Degradation} | {
    "fog": Degradation.HAZE,
    "motion": Degradation.MOTION_BLUR,
    "blur": Degradation.MOTION_BLUR,
    "lowlight": Degradation.LOW_LIGHT,
    "raindrops": Degradation.RAINDROP,
}

Mixture = tuple[Degradation, ...]


# Published data sets whose images are degraded twice, and say so in the prompt (authors' program).
_MIXTURE_SETS: dict[str, Mixture] = {
    "CSD": (Degradation.SNOW, Degradation.HAZE),
    "ORD": (Degradation.RAIN, Degradation.HAZE),
}


def mixture_of_set(degradation: Degradation, dataset: str) -> Mixture:
    """What degrades the images that a data set has of a degradation: that alone, or of CSD and ORD with haze."""
    mixture = _MIXTURE_SETS.get(dataset, (degradation,))
    return mixture if mixture[0] == degradation else (degradation,)


def parse_mixture(name: "str | Degradation | Iterable[str | Degradation]") -> Mixture:
    """Read one degradation, or several at once.

    Args:
        name: `"haze"`, `"rain+haze"`, or an iterable of names in order such as `("rain", "haze")`. As `degradation` of
            a pipeline's call, a list or tuple holds one such name for each image instead.

    Returns:
        The degradations in the order given, each once. The first is the leading one: it chooses
        the prior and the paper's alignment rule.

    Raises:
        UnknownDegradationError: one of the names is unknown.
        InputError: no name, a name given twice, or a set, which has no order.
    """
    if isinstance(name, (set, frozenset)):
        raise InputError(
            f"{name!r} is a set, which has no order, and the first degradation of a mixture leads; give e.g. "
            "'rain+haze' or ('rain', 'haze')."
        )
    names = name.split("+") if isinstance(name, str) else name
    mixture = tuple(Degradation(part) for part in (names if isinstance(names, Iterable) else [names]))
    if not mixture or len(set(mixture)) != len(mixture):
        raise InputError(f"A mixture names one or more different degradations, e.g. 'rain+haze'; got {name!r}.")
    return mixture


def degradation_phrase(mixture: Iterable[Degradation]) -> str:
    """The phrase of a mixture, e.g. `"in rainy and hazy conditions"`.

    A single degradation has its own phrase; raindrops, which are on the lens and not in the scene, come last:
    `"in hazy conditions, with raindrops in it"`.
    """
    mixture = tuple(mixture)
    conditions = [_CONDITIONS[part] for part in mixture if part in _CONDITIONS]
    parts = [f"in {' and '.join(conditions)} conditions"] if conditions else []
    if Degradation.RAINDROP in mixture:
        parts.append(Degradation.RAINDROP.phrase)
    return ", ".join(parts)


def build_prompt(description: str | None, mixture: Iterable[Degradation]) -> str:
    """Append the degradation's phrase to a scene description: `"a street, in hazy conditions"`.

    Without a description the phrase stands alone, and a description that already ends in the phrase of some
    degradation or mixture is used as given.

    Raises:
        InputError: the description is not text.
    """
    if description is not None and not isinstance(description, str):
        raise InputError(f"prompt={description!r} is not text; describe the scene, e.g. 'a street', or give None.")
    description = (description or "").strip()
    if _ends_in_phrase(description):
        return description
    phrase = degradation_phrase(mixture)
    return f"{description.rstrip(' ,.')}, {phrase}" if description else phrase


def _ends_in_phrase(description: str) -> bool:
    text = description.lower().rstrip(" .")
    if text.endswith(Degradation.RAINDROP.phrase):
        return True
    words = text.removesuffix(" conditions").split(" ")
    # "in rainy and hazy conditions" -> walk back over "hazy", "and", "rainy" to "in"
    while text.endswith(" conditions") and len(words) >= 2 and words[-1] in _CONDITIONS.values():
        if words[-2] == "in":
            return True
        words = words[:-2] if words[-2] == "and" else []
    return False
