"""Data sets of haze."""

from gendeg.data.layouts.layout import Layout, PathPairs
from gendeg.data.layouts.patterns import TEST, TRAIN
from gendeg.data.pair_index import REAL, SYNTHETIC

HAZE = (
    Layout(
        "REVIDE",
        "haze",
        REAL,
        release="Zhang et al., CVPR 2021; REVIDE_indoor. The frames of a video lie in one folder.",
        rules=(PathPairs("{split}/hazy/{video}/{frame}", "{split}/gt/{video}/{frame}", scene="{split}/{video}"),),
    ),
    Layout(
        "O-HAZE",
        "haze",
        REAL,
        release="Ancuti et al., CVPRW 2018; '# O-HAZY NTIRE 2018'. The paper tests on it: all test.",
        rules=(PathPairs("hazy/{scene}_outdoor_hazy", "GT/{scene}_outdoor_GT", TEST),),
    ),
    Layout(
        "I-HAZE",
        "haze",
        REAL,
        release="Ancuti et al., ACIVS 2018; '# I-HAZY NTIRE 2018'. No splits: all train.",
        rules=(PathPairs("hazy/{scene}_indoor_hazy", "GT/{scene}_indoor_GT", TRAIN),),
    ),
    Layout(
        "NH-HAZE",
        "haze",
        REAL,
        release="Ancuti et al., CVPRW 2020; NH-HAZE.zip, all files in one folder. No splits: all train.",
        rules=(PathPairs("{scene}_hazy", "{scene}_GT", TRAIN),),
    ),
    Layout(
        "DenseHaze",
        "haze",
        REAL,
        release="Ancuti et al., ICIP 2019; Dense_Haze_NTIRE19.zip. No splits: all train.",
        rules=(PathPairs("hazy/{scene}_hazy", "GT/{scene}_GT", TRAIN),),
        aliases=("Dense-Haze", "Dense_Haze_NTIRE19"),
    ),
    Layout(
        "RESIDE",
        "haze",
        SYNTHETIC,
        release="Li et al., TIP 2019; ITS and OTS train, SOTS tests. The standard and the beta release.",
        rules=(
            PathPairs("{place:indoor|outdoor|nyuhaze500}/hazy/{image}_*", "{place}/(gt|clear)/{image}", TEST),
            PathPairs("{split}/(hazy|haze|ITS_haze)/{image}_*", "{split}/(GT|clear|ITS_clear)/{image}"),
            PathPairs("{part:ITS*|OTS*}/(hazy|haze|OTS)/{image}_*", "{part}/(clear|clear_images)/{image}", TRAIN),
            PathPairs("{split}/hazy/{image}", "{split}/GT/{image}"),
        ),
        aliases=("ITS", "OTS", "SOTS", "RESIDE-Standard", "RESIDE-Beta"),
        note="Several hazy images share a clear one: 1400_3.png and 1400_3_0.8.png belong to 1400.png. Where the "
        "clear images of SOTS indoor have 640 x 480 pixels, cut 10 off each side: the hazy ones have 620 x 460.",
    ),
    Layout(
        "CityscapesFog",
        "haze",
        SYNTHETIC,
        release="Foggy Cityscapes, Sakaridis et al., IJCV 2018, all three densities; with leftImg8bit of Cityscapes.",
        rules=(
            PathPairs(
                "**/leftImg8bit_(foggy|foggyDBF)/{split}/{city}/{frame}_leftImg8bit_foggy_beta_*",
                "**/leftImg8bit/{split}/{city}/{frame}_leftImg8bit",
            ),
        ),
        aliases=("Foggy Cityscapes",),
        note="Give the folder that both archives, the foggy and the clear images, were unpacked to.",
    ),
)
