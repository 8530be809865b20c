import pytest

from gendeg.degradations import Degradation, build_prompt, degradation_phrase, parse_mixture
from gendeg.errors import GenDegError, InputError, UnknownDegradationError

HAZE, RAIN, SNOW = Degradation.HAZE, Degradation.RAIN, Degradation.SNOW
BLUR, LOW, DROP = Degradation.MOTION_BLUR, Degradation.LOW_LIGHT, Degradation.RAINDROP


def test_the_six():
    assert [str(name) for name in Degradation] == ["haze", "rain", "snow", "motion_blur", "low_light", "raindrop"]
    assert HAZE == "haze"


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("fog", HAZE),
        ("FOG", HAZE),
        (" haze ", HAZE),
        ("motion blur", BLUR),
        ("motion-blur", BLUR),
        ("motion", BLUR),
        ("Blur", BLUR),
        ("low-light", LOW),
        ("Low Light", LOW),
        ("lowlight", LOW),
        ("raindrops", DROP),
        (SNOW, SNOW),
    ],
)
def test_aliases(alias, name):
    assert Degradation(alias) is name


@pytest.mark.parametrize(("typo", "nearest"), [("hase", "'haze'"), ("rian", "'rain'"), ("motion_blr", "'motion_blur'")])
def test_unknown_names_get_the_nearest(typo, nearest):
    with pytest.raises(UnknownDegradationError, match=nearest) as error:
        Degradation(typo)
    assert "Accepted: haze, rain" in str(error.value)
    assert isinstance(error.value, ValueError)
    assert isinstance(error.value, GenDegError)


@pytest.mark.parametrize("name", [None, 3, "", "jpeg", object()])
def test_what_is_no_name(name):
    with pytest.raises(UnknownDegradationError):
        Degradation(name)
    with pytest.raises(UnknownDegradationError):
        parse_mixture(name)


@pytest.mark.parametrize("name", [None, 5, 2.5])
def test_what_is_no_text_is_not_taken_for_a_typo(name):
    with pytest.raises(
        UnknownDegradationError, match=f"^{name} is not the name of a degradation; give one of haze"
    ) as e:
        Degradation(name)
    assert "Did you mean" not in str(e.value)


def test_published_phrases():
    assert [name.phrase for name in Degradation] == [
        "in hazy conditions",
        "in rainy conditions",
        "in snowy conditions",
        "in blurry conditions",
        "in low-light conditions",
        "with raindrops in it",
    ]


def test_paper_alignment():
    assert {name for name in Degradation if name.paper_alignment == "scm"} == {HAZE, BLUR, DROP}


def test_mixtures():
    assert parse_mixture("rain+haze") == (RAIN, HAZE)
    assert parse_mixture("rain + fog") == (RAIN, HAZE)
    assert parse_mixture(["snow", HAZE]) == (SNOW, HAZE)
    assert parse_mixture(HAZE) == (HAZE,)
    for bad in ([], "rain+rain", ("fog", "haze")):
        with pytest.raises(InputError, match="different degradations"):
            parse_mixture(bad)


@pytest.mark.parametrize("unordered", [{"rain", "haze"}, frozenset({"haze"})])
def test_a_mixture_without_an_order_is_refused(unordered):
    with pytest.raises(InputError, match="is a set, which has no order"):
        parse_mixture(unordered)


def test_mixture_phrases_are_those_of_the_mixed_sets():
    assert degradation_phrase([SNOW, HAZE]) == "in snowy and hazy conditions"  # CSD
    assert degradation_phrase([RAIN, HAZE]) == "in rainy and hazy conditions"  # ORD
    assert degradation_phrase([DROP, HAZE]) == "in hazy conditions, with raindrops in it"


@pytest.mark.parametrize(
    ("description", "mixture", "prompt"),
    [
        ("a street", [HAZE], "a street, in hazy conditions"),
        ("a street.", [HAZE], "a street, in hazy conditions"),
        (" a street, ", [DROP], "a street, with raindrops in it"),
        ("a street", [RAIN, HAZE], "a street, in rainy and hazy conditions"),
        (None, [LOW], "in low-light conditions"),
        ("", [SNOW], "in snowy conditions"),
        ("a street, in hazy conditions", [HAZE], "a street, in hazy conditions"),
        ("a street in snowy and hazy conditions", [SNOW], "a street in snowy and hazy conditions"),
        ("a street, in rainy conditions.", [HAZE], "a street, in rainy conditions."),
        ("a window with raindrops in it", [DROP], "a window with raindrops in it"),
        ("hazy conditions", [HAZE], "hazy conditions, in hazy conditions"),
        ("a street in good conditions", [HAZE], "a street in good conditions, in hazy conditions"),
    ],
)
def test_prompts(description, mixture, prompt):
    assert build_prompt(description, mixture) == prompt
