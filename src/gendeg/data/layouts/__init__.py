"""Published data sets of degraded and clean images: where their pairs lie.

A data set is a `Layout`: its name, what degrades its images, and rules that say how degraded and clean files are
called. One engine, `find_pairs`, reads them all. To add a set, write its layout into the file of its degradation:

    Layout(
        "MyRain",
        "rain",
        REAL,
        release="Who published it, and what the archive is called.",
        rules=(PathPairs("{split}/rainy/{scene}_*", "{split}/clean/{scene}"),),
    )

`gendeg.data.layouts.patterns` says how the rules are written.
"""

from gendeg.data.layouts.finding import FoundPairs, find_pairs, lies_in_set
from gendeg.data.layouts.known import LAYOUTS, find_layout
from gendeg.data.layouts.layout import Layout, ListedPairs, PathPairs
from gendeg.data.layouts.plain import FOLDERS, find_plain_pairs, lies_in_folders
from gendeg.data.layouts.report import LEGEND, describe_layout

__all__ = [
    "FOLDERS",
    "LAYOUTS",
    "LEGEND",
    "FoundPairs",
    "Layout",
    "ListedPairs",
    "PathPairs",
    "describe_layout",
    "find_layout",
    "find_pairs",
    "find_plain_pairs",
    "lies_in_folders",
    "lies_in_set",
]
