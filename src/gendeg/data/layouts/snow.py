"""Data sets of snow."""

from gendeg.data.layouts.layout import Layout, PathPairs
from gendeg.data.layouts.patterns import TEST, TRAIN
from gendeg.data.pair_index import SYNTHETIC

SNOW = (
    Layout(
        "Snow100k",
        "snow",
        SYNTHETIC,
        release="Liu et al., TIP 2018 (DesnowNet); Snow100K-training (all/) and Snow100K-testset (Snow100K-S, -M, -L).",
        rules=(
            PathPairs("{level:Snow100K-S|Snow100K-M|Snow100K-L}/synthetic/{image}", "{level}/gt/{image}", TEST),
            PathPairs("all/synthetic/{image}", "all/gt/{image}", TRAIN),
            PathPairs("Snow100K-training/synthetic/{image}", "Snow100K-training/gt/{image}", TRAIN),
            PathPairs("{split}/synthetic/{image}", "{split}/gt/{image}"),
        ),
    ),
    Layout(
        "CSD",
        "snow+haze",
        SYNTHETIC,
        release="Chen et al., ICCV 2021 (HDCW-Net); Train and Test with Snow, Gt and Mask.",
        rules=(PathPairs("{split}/Snow/{image}", "{split}/Gt/{image}"),),
    ),
    Layout(
        "CityscapesSnow",
        "snow",
        SYNTHETIC,
        release="SnowCityScapes, Zhang et al., TIP 2021 (DDMSNet); folder Cityscape-Dataset.",
        rules=(
            PathPairs("train/synthetic/{image}", "train/gt/{image}", TRAIN, passes_over=True),
            PathPairs("test/{level:smallSnow|mediumSnow|largeSnow}/{image}", "test/gt/{image}", TEST),
        ),
        aliases=("SnowCityScapes", "Cityscapes snow"),
        note="Snowy training images beyond those that have a clean one of their own name are passed over.",
    ),
    Layout(
        "RSVD",
        "snow",
        SYNTHETIC,
        release="Realistic Video DeSnowing, Chen et al., ICCV 2023; frames in train/snow/<video>, train/clean/<video>.",
        rules=(
            PathPairs(
                "{split}/(snow|input)/{video}/{frame}", "{split}/(clean|gt)/{video}/{frame}", scene="{split}/{video}"
            ),
        ),
        aliases=("RVSD",),
    ),
)
