"""Low light: a dark exposure of the same scene, computed in linear light with the sensor's noise."""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from gendeg.simulators.base import Fields, Simulator, per_image, pixel_grid
from gendeg.simulators.color import linear_to_srgb, srgb_to_linear
from gendeg.simulators.random_fields import RandomStreams

MAX_STOPS = 7.0


class DarkExposure(Simulator):
    """Photons reaching the sensor are reduced; shot and read noise are added; the result is encoded as sRGB."""

    @abstractmethod
    def expose(self, light: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """The light that still arrives, (B, 3, H, W) linear, at most that of the clean scene."""

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """The scene in linear light and the sensor: gain of the shot noise, read noise, one noise draw per pixel."""
        return {
            "light": srgb_to_linear(clean),
            "noise": streams.normal(*clean.shape[1:]),
            "shot_noise": streams.uniform(low=2e-4, high=2e-3),
            "read_noise": streams.uniform(low=3e-4, high=2e-3),
        }

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Expose, add noise of variance `shot * signal + read^2` (growing with strength), encode."""
        signal = self.expose(fields, strength, spread)
        variance = per_image(fields["shot_noise"]) * signal + per_image(fields["read_noise"] ** 2)
        return linear_to_srgb(signal + fields["noise"] * variance.sqrt() * per_image(strength.sqrt().clamp_max(1)))


class Underexposure(DarkExposure):
    """A short exposure with a tone curve and a colour cast.

    `spread` goes from crushed mid-tones with bright highlights kept (gamma), over plain exposure, to compressed
    highlights.
    """

    name: ClassVar[str] = "exposure"

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Adds the colour cast: what each channel loses, in stops."""
        return super().draw(clean, streams) | {"cast_stops": streams.uniform(3, low=0, high=0.12)}

    def expose(self, light: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Gamma, highlight compression, exposure."""
        scene = light["light"]
        crush, compress = (1 - 2 * spread).clamp_min(0), (2 * spread - 1).clamp_min(0)
        stops = MAX_STOPS * strength * (1 - 0.93 * crush)
        cast = light["cast_stops"] * (MAX_STOPS * strength)[:, None]
        gain = torch.exp2(-(stops[:, None] + cast))[:, :, None, None]
        curved = scene.clamp_min(1e-6).pow(per_image(1 + 6 * strength * crush))
        return gain * curved / (1 + per_image(30 * strength * compress) * scene)


class LampLight(DarkExposure):
    """Night: pools of warm lamp light in a dark, bluish surrounding; `spread` is how much the pools keep lit."""

    name: ClassVar[str] = "lamps"
    LAMPS = 3

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Adds position and radius of the lamps' pools of light, and the colour of the darkness."""
        centre = streams.uniform(self.LAMPS, 2)
        radius = streams.uniform(self.LAMPS, low=0.1, high=0.45)
        rows, columns = pixel_grid(clean)
        down = rows / clean.shape[-2] - centre[..., 0, None, None]
        right = columns / clean.shape[-1] - centre[..., 1, None, None]
        lit = torch.exp(-(down**2 + right**2) / radius[..., None, None] ** 2).amax(1, keepdim=True)
        pools = 1 - (1 - lit) ** 3  # evenly lit inside, with a soft border
        red, blue = streams.uniform(low=0, high=0.2), streams.uniform(low=-0.15, high=0.0)
        cast = torch.stack([red, torch.zeros_like(red), blue], 1)
        lamps = {"lamp_centre": centre, "lamp_radius": radius, "pools": pools, "cast": cast}
        return super().draw(clean, streams) | lamps

    def expose(self, light: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Dim by stops: fewer where a lamp shines, coloured elsewhere."""
        shade = 1 - per_image(spread) * light["pools"]
        stops = MAX_STOPS * per_image(strength) * shade * (1 + light["cast"][:, :, None, None])
        return light["light"] * torch.exp(-math.log(2) * stops)
