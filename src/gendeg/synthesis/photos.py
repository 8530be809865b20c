"""The photos of scenes and pairs, as a worker reads them."""

import io

import PIL.Image

from gendeg.errors import DatasetError
from gendeg.imaging import to_rgb
from gendeg.synthesis.scenes import Scene
from gendeg.synthesis.sources import PhotoSource, file_id


def open_scene(source: PhotoSource, scene: Scene) -> PIL.Image.Image:
    """The clean photo of a scene, upright 8-bit RGB.

    Raises:
        DatasetError: it is gone or has changed.
    """
    with PIL.Image.open(io.BytesIO(read_unchanged(source, scene.location, scene.id))) as image:
        return to_rgb(image)


def read_unchanged(source: PhotoSource, location: str, id_: str) -> bytes:
    """An image file that was seen before.

    Raises:
        DatasetError: it is gone or has changed.
    """
    try:
        data = source.read(location)
    except OSError as error:
        raise DatasetError(f"{location} is gone or cannot be read: {error}. Bring it back and go on.") from error
    if file_id(data) != id_:
        raise DatasetError(f"{location} has changed since the data set was begun. Bring back the old file.")
    return data


def reduce_photo(photo: PIL.Image.Image, short_side: int | None) -> PIL.Image.Image:
    """Reduce a photo whose short side is longer than `short_side` pixels to it."""
    scale = short_side / min(photo.size) if short_side is not None else 1.0
    if scale >= 1:
        return photo
    size = (round(photo.width * scale), round(photo.height * scale))
    return photo.resize(size, PIL.Image.Resampling.LANCZOS)
