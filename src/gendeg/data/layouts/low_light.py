"""Data sets of low light."""

from gendeg.data.layouts.layout import Layout, PathPairs
from gendeg.data.layouts.patterns import TEST, TRAIN, VALIDATION
from gendeg.data.pair_index import REAL, SYNTHETIC

_SID_SPLITS = (("0*", TRAIN), ("1*", TEST), ("2*", VALIDATION))  # by the first digit of the scene

LOW_LIGHT = (
    Layout(
        "SID",
        "low_light",
        REAL,
        release="Chen et al., CVPR 2018; short and long exposures, converted: 00001_00_0.1s.png and 00001_00_10s.png.",
        rules=tuple(
            rule
            for scene, split in _SID_SPLITS
            for rule in (
                PathPairs(f"short/{{scene:{scene}}}_*", "long/{scene}_*", split),
                PathPairs(f"short_sid2/{{scene:{scene}}}/*", "long_sid2/{scene}/*", split),
            )
        ),
        note="Raw files (.ARW, .RAF) and arrays (.npy) are not read: convert them to PNG and keep names and folders.",
    ),
    Layout(
        "LOLv1",
        "low_light",
        REAL,
        release="Wei et al., BMVC 2018 (RetinexNet); our485 (train) and eval15 (test).",
        rules=(
            PathPairs("our485/low/{image}", "our485/high/{image}", TRAIN),
            PathPairs("eval15/low/{image}", "eval15/high/{image}", TEST),
        ),
        aliases=("LOL",),
    ),
    Layout(
        "LOLv2",
        "low_light",
        REAL,
        release="Yang et al., TIP 2021; Real_captured and Synthetic, each with Train and Test.",
        rules=(
            PathPairs("Real_captured/{split}/Low/low{image}", "Real_captured/{split}/Normal/normal{image}"),
            PathPairs("Real_captured/{split}/Low/{image}", "Real_captured/{split}/Normal/{image}"),
            PathPairs("Synthetic/{split}/Low/{image}", "Synthetic/{split}/Normal/{image}", category=SYNTHETIC),
        ),
    ),
    Layout(
        "SICE",
        "low_light",
        REAL,
        release="Cai et al., TIP 2018; Dataset_Part1, Dataset_Part2. The paper tests on it: all test.",
        rules=(PathPairs("{part:Dataset_Part*}/{scene}/{shot:1|2|3}", "{part}/Label/{scene}", TEST),),
        note="Exposures 1 to 3 of a scene are read, which are too dark in sequences of 7 and of 9 alike.",
    ),
)
