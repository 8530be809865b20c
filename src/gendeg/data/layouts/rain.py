"""Data sets of rain, and of raindrops on the lens."""

from gendeg.data.layouts.layout import Layout, PathPairs
from gendeg.data.layouts.patterns import TEST, TRAIN
from gendeg.data.pair_index import REAL, SYNTHETIC


def _real(folder: str, degradation: str) -> PathPairs:
    """Pairs of RainDS_real, whose files are called alike."""
    return PathPairs(
        f"RainDS_real/{{split}}/{folder}/{{image}}", "RainDS_real/{split}/gt/{image}", degradation=degradation
    )


def _synthetic(degraded: str, degradation: str) -> PathPairs:
    """Pairs of RainDS_syn, whose file names say what they are."""
    return PathPairs(
        f"RainDS_syn/{{split}}/{degraded}",
        "RainDS_syn/{split}/gt/{kind:pie-|}norain-{image}",
        degradation=degradation,
        category=SYNTHETIC,
    )


RAIN = (
    Layout(
        "Rain13K",
        "rain",
        SYNTHETIC,
        release="As collected by Zamir et al., CVPR 2021 (MPRNet): train/Rain13K, test/Rain100H, test/Rain100L, ...",
        rules=(
            PathPairs("{split}/{part}/input/{image}", "{split}/{part}/target/{image}"),
            PathPairs("{split}/input/{image}", "{split}/target/{image}"),
        ),
        note="The test images of Test2800 are those of Rain1400.",
    ),
    Layout(
        "Rain1400",
        "rain",
        SYNTHETIC,
        release="Fu et al., CVPR 2017 (DDN); rainy_image_dataset. 901_1.jpg to 901_14.jpg belong to 901.jpg.",
        rules=(PathPairs("{split}/rainy_image/{image}_*", "{split}/ground_truth/{image}"),),
        aliases=("Rain14000", "DDN"),
    ),
    Layout(
        "ORD",
        "rain+haze",
        SYNTHETIC,
        release="Outdoor-Rain, Li et al., CVPR 2019; CVPR19RainTrain. im_0001_s80_a04.png belongs to im_0001.png.",
        rules=(
            PathPairs("{split}/(in|input|data)/{image:im_*}_s*_a*", "{split}/gt/{image}"),
            PathPairs("{split}/(in|input|data)/{image}", "{split}/gt/{image}"),
        ),
        aliases=("Outdoor-Rain", "CVPR19RainTrain"),
    ),
    Layout(
        "SPAC",
        "rain",
        SYNTHETIC,
        release="NTURain, Chen et al., CVPR 2018; SPAC-SupplementaryMaterials. a1_Rain, a1_Rain_01, ... are of a1_GT.",
        rules=tuple(
            PathPairs(f"{folder}/{{video}}_Rain*/{{frame}}", f"{folder}/{{video}}_GT/{{frame}}", split, scene="{video}")
            for folder, split in (("Dataset_Training_Synthetic", TRAIN), ("Dataset_Testing_Synthetic", TEST))
        ),
        aliases=("NTURain", "NTU-Rain"),
    ),
    Layout(
        "RealRain1k",
        "rain",
        REAL,
        release="Li et al., 2022; RealRain-1k-L and RealRain-1k-H. SynRain-13k, which comes with them, is left out.",
        rules=(
            PathPairs(
                "{part:RealRain-1k-*}/{split}/input/{image}", "{part}/{split}/target/{image}", scene="{split}/{image}"
            ),
        ),
        aliases=("RealRain-1k",),
    ),
    Layout(
        "RainDS",
        "rain",
        REAL,
        release="Quan et al., CVPR 2021; RainDS_real and RainDS_syn, with streaks, drops, and both.",
        rules=(
            _real("rainstreak", "rain"),
            _real("raindrop", "raindrop"),
            _real("rainstreak_raindrop", "rain+raindrop"),
            _synthetic("rainstreak/{kind:pie-|}rain-{image}", "rain"),
            _synthetic("raindrop/{kind:pie-|}rd-{image}", "raindrop"),
            _synthetic("rainstreak_raindrop/{kind:pie-|}rd-rain-{image}", "rain+raindrop"),
        ),
    ),
    Layout(
        "LHP",
        "rain",
        REAL,
        release="LHP-Rain, Guo et al., ICCV 2023; images in input/<split> and gt/<split>.",
        rules=(
            PathPairs("input/{split}/{image}", "gt/{split}/{image}"),
            PathPairs("{split}/input/{image}", "{split}/(gt|target)/{image}"),
        ),
        aliases=("LHP-Rain",),
    ),
    Layout(
        "Raindrop",
        "raindrop",
        REAL,
        release="Qian et al., CVPR 2018 (DeRaindrop); train, test_a, test_b. 0_rain.png belongs to 0_clean.png.",
        rules=(
            PathPairs("train/data/{image}_rain", "train/gt/{image}_clean", TRAIN),
            PathPairs("{part:test_a|test_b|test}/data/{image}_rain", "{part}/gt/{image}_clean", TEST),
        ),
        aliases=("DeRaindrop", "AGAN"),
    ),
)
