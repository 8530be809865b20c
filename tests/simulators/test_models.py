"""What is true of each degradation, physically."""

import pytest
import torch

from gendeg.simulators.base import Simulator
from gendeg.simulators.color import linear_to_srgb, srgb_to_linear
from gendeg.simulators.haze import DepthHaze, PatchyHaze
from gendeg.simulators.low_light import LampLight, Underexposure
from gendeg.simulators.motion_blur import CameraShake, LinearBlur, MovingObject, PanningBlur, PathBlur
from gendeg.simulators.particles import LAYERS, layer_of, splat
from gendeg.simulators.rain import RainStreaks, VeiledRain
from gendeg.simulators.raindrop import DefocusedDrops, RefractingDrops, Rivulets
from gendeg.simulators.random_fields import RandomStreams, fractal_noise
from gendeg.simulators.registry import SIMULATORS
from gendeg.simulators.snow import SnowFlakes, VeiledSnow

ALL_MODELS = [model for models in SIMULATORS.values() for model in models.values()]


def streams(count: int = 1, seed: int = 0) -> RandomStreams:
    return RandomStreams([torch.Generator().manual_seed(seed + i) for i in range(count)], torch.device("cpu"))


def render(simulator: Simulator, clean: torch.Tensor, strength: float, spread: float = 0.5) -> torch.Tensor:
    fields = simulator.draw(clean, streams(len(clean)))
    return simulator.render(clean, fields, torch.full((len(clean),), strength), torch.full((len(clean),), spread))


@pytest.fixture
def clean(photo_tensor):
    return photo_tensor[None]


@pytest.mark.parametrize("model", ALL_MODELS)
def test_nothing_at_strength_zero_and_more_with_strength(clean, model):
    simulator = model()
    fields = simulator.draw(clean, streams())
    knobs = torch.linspace(0, 1, 9)
    mu = [
        (simulator.render(clean, fields, knob[None], torch.tensor([0.5])).clamp(0, 1) - clean).abs().mean()
        for knob in knobs
    ]
    assert mu[0] < 1e-4
    assert (torch.stack(mu).diff() > -1e-3).all()
    assert mu[-1] > 0.01


@pytest.mark.parametrize("model", ALL_MODELS)
def test_a_sample_of_the_pixels_is_rendered_alike(clean, model):
    simulator = model()
    fields = simulator.draw(clean, streams())
    strength, spread = torch.tensor([0.6]), torch.tensor([0.5])
    whole, _ = simulator.thin(simulator.render(clean, fields, strength, spread), fields, 3)
    sample = simulator.render(*simulator.thin(clean, fields, 3), strength, spread)
    tolerance = 0.05 if issubclass(model, PathBlur) else 1e-5  # a sample of blur looks at fewer moments
    torch.testing.assert_close(sample, whole, atol=tolerance, rtol=0)


def test_haze_thickens_with_depth(clean):
    simulator = DepthHaze()
    fields = simulator.draw(clean, streams())
    black = torch.zeros_like(clean)
    haze = simulator.render(black, fields, torch.tensor([0.7]), torch.tensor([0.5]))[0, 0].flatten()
    far_first = fields["log_thickness"].flatten().argsort(descending=True)
    assert (haze[far_first].diff() <= 1e-6).all()


def test_depth_grows_towards_the_horizon():
    flat = torch.full((8, 3, 64, 64), 0.5)
    depth = DepthHaze().draw(flat, streams(8))["log_thickness"].mean((0, 1, 3))
    assert depth[:10].mean() > depth[-10:].mean() + 0.5


@pytest.mark.parametrize("model", [DepthHaze, PatchyHaze])
def test_haze_approaches_the_airlight(clean, model):
    simulator = model()
    fields = simulator.draw(clean, streams())
    airlight = fields["airlight"][:, :, None, None]
    hazy = simulator.render(clean, fields, torch.tensor([0.8]), torch.tensor([0.3]))
    assert ((hazy - airlight).abs() <= (clean - airlight).abs() + 1e-6).all()


@pytest.mark.parametrize("model", [RainStreaks, VeiledRain, SnowFlakes, VeiledSnow])
def test_rain_and_snow_only_brighten(clean, model):
    degraded = render(model(), clean, 0.8)
    assert (degraded >= clean - 1e-6).all()
    assert degraded.max() <= 1


def test_streaks_follow_their_angle():
    """The spectrum of the streaks is strongest across their direction."""
    black = torch.zeros(1, 3, 128, 128)
    simulator = RainStreaks()
    fields = simulator.draw(black, streams())
    rain = simulator.render(black, fields, torch.tensor([0.6]), torch.tensor([0.8]))[0, 0]
    down, right = torch.gradient(rain)
    tensor = torch.stack([(right * right).mean(), (right * down).mean(), (down * down).mean()])
    orientation = 0.5 * torch.atan2(2 * tensor[1], tensor[0] - tensor[2])  # of the gradient, from the right
    assert torch.rad2deg(-orientation).item() == pytest.approx(fields["angle_degrees"].item(), abs=4)


def test_flakes_are_sparse_and_small():
    black = torch.zeros(1, 3, 128, 128)
    snow = render(SnowFlakes(), black, 0.5, 0.9)[0, 0]
    assert 0.01 < (snow > 0.3).float().mean() < 0.3


@pytest.mark.parametrize("model", [LinearBlur, CameraShake, PanningBlur])
def test_motion_blur_keeps_the_mean_light(clean, model):
    blurred = render(model(), clean, 0.6)
    assert srgb_to_linear(blurred).mean().item() == pytest.approx(srgb_to_linear(clean).mean().item(), rel=0.03)
    assert blurred.diff(dim=-1).abs().mean() < clean.diff(dim=-1).abs().mean()


def test_a_line_blurs_along_itself_only():
    """A point becomes its path: blur the picture of one point."""
    point = torch.zeros(1, 3, 65, 65)
    point[..., 32, 32] = 1
    simulator = LinearBlur()
    fields = simulator.draw(point, streams())
    light = srgb_to_linear(simulator.render(point, fields, torch.tensor([1.0]), torch.tensor([0.5])))[0, 0]
    rows, columns = torch.meshgrid(torch.arange(65.0) - 32, torch.arange(65.0) - 32, indexing="ij")
    direction = fields["path"][0, -1] - fields["path"][0, 0]
    direction = direction / direction.norm()
    along = (rows * direction[0] + columns * direction[1]) ** 2
    across = (columns * direction[0] - rows * direction[1]) ** 2
    assert (light * along).sum() > 8 * (light * across).sum()


def test_a_pan_is_nearly_horizontal_and_a_line_is_not():
    steepness = {}
    for model in (PanningBlur, LinearBlur):
        path = model().path(streams(64))
        reach = (path[:, -1] - path[:, 0]).abs()
        steepness[model] = torch.rad2deg(torch.atan2(reach[:, 0], reach[:, 1]))
    assert 5 < steepness[PanningBlur].max() <= 10.01
    assert steepness[LinearBlur].max() > 80


def test_a_moving_object_leaves_the_rest_sharp(clean):
    change = (render(MovingObject(), clean, 0.4) - clean).abs().amax(1)
    assert 0.1 < (change < 1e-3).float().mean() < 0.9


@pytest.mark.parametrize("model", [Underexposure, LampLight])
def test_low_light_is_darker_everywhere(clean, model):
    simulator = model()
    fields = simulator.draw(clean, streams())
    for spread in (0.0, 0.5, 1.0):
        light = simulator.expose(fields, torch.tensor([0.4]), torch.tensor([spread]))
        assert (light <= fields["light"] + 1e-6).all()
        assert light.mean() < 0.9 * fields["light"].mean()


def test_low_light_is_noisy_where_the_clean_photo_is_flat():
    grey = torch.full((1, 3, 64, 64), 0.6)
    assert render(Underexposure(), grey, 0.6).std() > 2e-3


def test_drops_show_the_scene_upside_down():
    """Over a picture that is bright above and dark below, a drop is darker above than below."""
    sky = torch.zeros(6, 3, 128, 128)
    sky[:, :, :64] = 0.8
    simulator = RefractingDrops()
    fields = simulator.draw(sky, streams(6))
    wet = fields["cover"][:, 0] > 0.5
    view = fields["view"][:, :3].mean(1)  # of the topmost layer
    assert view[:, 64:][wet[:, 64:]].mean() > 0.1  # drops before the dark half catch the sky
    assert view[:, :64][wet[:, :64]].mean() < 0.75


def test_defocused_drops_are_soft_and_blur_what_they_show():
    """Over stripes two pixels wide: sharp drops show contrast inside, defocused ones grey, with a gradual edge."""
    stripes = torch.zeros(6, 3, 128, 128)
    stripes[..., torch.arange(128) % 4 < 2] = 1
    drops, defocused = (model().draw(stripes, streams(6)) for model in (RefractingDrops, DefocusedDrops))
    shown = [fields["view"][:, :1][fields["cover"][:, :1] > 0.9] for fields in (drops, defocused)]
    assert shown[1].diff().abs().mean() < 0.5 * shown[0].diff().abs().mean()
    cover = [fields["cover"][:, 0] for fields in (drops, defocused)]
    cores = [(one > 0.9).sum() / (one > 0.1).sum() for one in cover]
    assert cores[1] < 0.6 * cores[0]


def test_defocused_drops_show_what_is_behind_them():
    """Bright above, dark below: so are these drops; those in focus also see the other half."""
    halves = torch.full((6, 3, 128, 128), 0.1)
    halves[:, :, :64] = 0.5
    ratios = []
    for model in (DefocusedDrops, RefractingDrops):
        fields = model().draw(halves, streams(6))
        view, wet = fields["view"][:, :3].mean(1), fields["cover"][:, 0] > 0.5
        ratios.append(view[:, :40][wet[:, :40]].mean() / view[:, 88:][wet[:, 88:]].mean())
    assert ratios[0] > 3.5
    assert ratios[1] < 3


def test_soft_edges_show_the_drop_below():
    """Where the edges of drops fade over another one, the glass does not turn dry: no ring."""
    cover = DefocusedDrops().draw(torch.rand(2, 3, 384, 384), streams(2))["cover"]
    wet = 1 - (1 - cover).prod(1)
    jumps, remaining = ((water.diff(dim=-1).abs() > 0.3).float().mean() for water in (cover[:, 0], wet))
    assert jumps > 0.005
    assert remaining < 0.05 * jumps  # where four drops overlap


def test_the_first_layer_of_water_is_on_top():
    white, black = torch.ones(1, 3, 1, 2), torch.zeros(1, 3, 1, 2)
    cover = torch.tensor([[[[1.0, 0.25]], [[1.0, 1.0]]]])  # the topmost drop ends in the second pixel
    fields = {"order": torch.zeros(1, 2, 1, 2), "cover": cover, "view": torch.cat([white, black], 1)}
    wet = RefractingDrops().render(torch.full((1, 3, 1, 2), 0.5), fields, torch.ones(1), torch.ones(1))
    torch.testing.assert_close(wet[0, 0, 0], torch.tensor([1.0, 0.25]))


@pytest.mark.parametrize("model", [RefractingDrops, DefocusedDrops, Rivulets])
def test_glass_is_dry_between_the_drops(clean, model):
    change = (render(model(), clean, 0.3, 1.0) - clean).abs().amax(1)
    assert 0.2 < (change < 1e-6).float().mean() < 0.99


def test_srgb_is_inverted():
    values = torch.linspace(0, 1, 101)
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(values)), values, atol=1e-5, rtol=0)
    assert srgb_to_linear(torch.tensor(0.5)).item() == pytest.approx(0.21404, abs=1e-4)  # IEC 61966-2-1


def test_layers_double():
    counts = torch.bincount(layer_of(255 * 8, torch.device("cpu")), minlength=LAYERS)
    assert (counts[1:] / counts[:-1] - 2).abs().max() < 0.2


def test_splat_adds_into_its_layer():
    pixel = torch.tensor([[[5, 6], [5, 7]]])
    canvas = splat(pixel, torch.ones(1, 2, 2), torch.tensor([0, 3]), (3, 4))
    assert canvas.sum() == 4
    assert canvas[0, 0, 1, 1] == 1
    assert canvas[0, 3, 1, 3] == 1


def test_fractal_noise_spans_the_unit_range_and_is_smooth():
    noise = fractal_noise(streams(2), (64, 80), (2, 2), octaves=3)
    assert noise.shape == (2, 1, 64, 80)
    assert noise.amin() == 0
    assert noise.amax() == pytest.approx(1)
    assert noise.diff(dim=-1).abs().max() < 0.2
