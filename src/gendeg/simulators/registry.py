"""The physical models of each degradation, by name."""

from gendeg.degradations import Degradation
from gendeg.errors import InputError
from gendeg.simulators.base import Simulator
from gendeg.simulators.haze import DepthHaze, PatchyHaze
from gendeg.simulators.low_light import LampLight, Underexposure
from gendeg.simulators.motion_blur import CameraShake, LinearBlur, MovingObject, PanningBlur
from gendeg.simulators.rain import RainStreaks, VeiledRain
from gendeg.simulators.raindrop import DefocusedDrops, RefractingDrops, Rivulets
from gendeg.simulators.snow import SnowFlakes, VeiledSnow

_MODELS: dict[Degradation, tuple[type[Simulator], ...]] = {
    Degradation.HAZE: (DepthHaze, PatchyHaze),
    Degradation.RAIN: (RainStreaks, VeiledRain),
    Degradation.SNOW: (SnowFlakes, VeiledSnow),
    Degradation.MOTION_BLUR: (LinearBlur, CameraShake, MovingObject, PanningBlur),
    Degradation.LOW_LIGHT: (Underexposure, LampLight),
    Degradation.RAINDROP: (RefractingDrops, Rivulets, DefocusedDrops),
}

SIMULATORS: dict[Degradation, dict[str, type[Simulator]]] = {
    degradation: {model.name: model for model in models} for degradation, models in _MODELS.items()
}
"""Model classes by degradation and name."""


def model_names(degradation: str | Degradation) -> list[str]:
    """Names of the physical models of one degradation, e.g. `["depth", "patchy"]` for haze.

    Raises:
        UnknownDegradationError: not one of the six degradations.
    """
    return list(SIMULATORS[Degradation(degradation)])


def find_model(degradation: Degradation, name: str) -> type[Simulator]:
    """The model class of that name.

    Raises:
        InputError: the degradation has no such model; the message lists those it has.
    """
    models = SIMULATORS[degradation]
    if name not in models:
        raise InputError(f"{degradation} has no model {name!r}; its models are {', '.join(map(repr, models))}.")
    return models[name]


def parse_simulation(name: str) -> tuple[Degradation, str | None]:
    """Read `"raindrop"`, all models of a degradation, or `"raindrop/drops"`, one of them.

    Raises:
        UnknownDegradationError: not one of the six degradations.
        InputError: the degradation has no such model.
    """
    name, slash, model = name.partition("/")
    degradation = Degradation(name)
    if not slash:
        return degradation, None
    find_model(degradation, model)
    return degradation, model
