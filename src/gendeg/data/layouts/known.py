"""The data sets that are known, by name."""

import difflib

from gendeg.data.layouts.haze import HAZE
from gendeg.data.layouts.layout import Layout
from gendeg.data.layouts.low_light import LOW_LIGHT
from gendeg.data.layouts.motion_blur import MOTION_BLUR
from gendeg.data.layouts.rain import RAIN
from gendeg.data.layouts.snow import SNOW
from gendeg.errors import InputError

LAYOUTS: tuple[Layout, ...] = (*HAZE, *RAIN, *SNOW, *MOTION_BLUR, *LOW_LIGHT)


def find_layout(name: str) -> Layout:
    """The layout of a data set.

    Args:
        name: its name or an alias; case, spaces and punctuation do not matter: `"O-HAZE"`, `"ohaze"`.

    Raises:
        InputError: no such data set is known; the message lists those that are.
    """
    known = {_plain(alias): layout for layout in LAYOUTS for alias in (layout.name, *layout.aliases)}
    if _plain(name) in known:
        return known[_plain(name)]
    near = [known[match].name for match in difflib.get_close_matches(_plain(name), known, n=3, cutoff=0.6)]
    hint = f" Did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    names = ", ".join(layout.name for layout in LAYOUTS)
    raise InputError(f"Unknown data set {name!r}.{hint} Known: {names}.")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
