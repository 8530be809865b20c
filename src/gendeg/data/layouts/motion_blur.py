"""Data sets of motion blur.

Where the blur is the mean of sharp frames of a fast camera (GoPro, HIDE, REDS) the authors of GenDeg count it as real.
"""

from gendeg.data.layouts.layout import Layout, ListedPairs, PathPairs
from gendeg.data.layouts.patterns import TEST, TRAIN
from gendeg.data.pair_index import REAL

_REALBLUR_J = "RealBlur-J_ECC_IMCORR_centroid_itensity_ref"
_REALBLUR_R = "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref"


def _realblur(file: str, split: str, folder: str) -> ListedPairs:
    return ListedPairs(file, split, f"{folder}/{{scene}}/blur/*", f"{folder}/{{scene}}/gt/*", scene="{scene}")


MOTION_BLUR = (
    Layout(
        "REDS",
        "motion_blur",
        REAL,
        release="Nah et al., CVPRW 2019; train_blur, train_sharp, val_blur, val_sharp, wherever they lie.",
        rules=(
            PathPairs("**/{split}_blur/{video}/{frame}", "**/{split}_sharp/{video}/{frame}", scene="{split}/{video}"),
        ),
        note="Not train_blur_comp or train_blur_bicubic, which are for other tasks.",
    ),
    Layout(
        "HIDE",
        "motion_blur",
        REAL,
        release="Shen et al., ICCV 2019; HIDE_dataset: train, test/test-close-ups, test/test-long-shot, one GT.",
        rules=(
            PathPairs("test/{part:test-close-ups|test-long-shot}/{image}", "GT/{image}", TEST),
            PathPairs("train/{image}", "GT/{image}", TRAIN),
        ),
    ),
    Layout(
        "RealBlur",
        "motion_blur",
        REAL,
        release="Rim et al., ECCV 2020; RealBlur-J and RealBlur-R with their lists, RealBlur_J_train_list.txt, ...",
        rules=(
            _realblur("RealBlur_J_train_list.txt", TRAIN, _REALBLUR_J),
            _realblur("RealBlur_J_test_list.txt", TEST, _REALBLUR_J),
            _realblur("RealBlur_R_train_list.txt", TRAIN, _REALBLUR_R),
            _realblur("RealBlur_R_test_list.txt", TEST, _REALBLUR_R),
        ),
        aliases=("RealBlur-J", "RealBlur-R"),
        note="The lists tell train from test, and are needed.",
    ),
    Layout(
        "GoPro",
        "motion_blur",
        REAL,
        release="Nah et al., CVPR 2017; GOPRO_Large: blur (linear) and sharp frames, one folder a video.",
        rules=(
            PathPairs("{split}/{video}/blur/{frame}", "{split}/{video}/sharp/{frame}", scene="{video}"),
            PathPairs("{split}/input/{image}", "{split}/target/{image}"),
        ),
        aliases=("GOPRO_Large",),
        note="Frames of blur_gamma are not read.",
    ),
)
