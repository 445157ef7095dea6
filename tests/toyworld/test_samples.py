"""Sample scenes are images, and the same ones each time."""

from frozenseg.toyworld import sample_scene


def test_a_scene_is_the_same_image_each_time() -> None:
    image = sample_scene(2, size=64)
    assert (image.mode, image.size) == ("RGB", (64, 64))
    assert image.tobytes() == sample_scene(2, size=64).tobytes()
    assert image.tobytes() != sample_scene(3, size=64).tobytes()
