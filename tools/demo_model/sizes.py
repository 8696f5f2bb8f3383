"""The sizes of picture the model is trained on, and the limits of its processor, which must agree: a picture within the
limits is read as it is (to the next multiple of 32), and whatever is larger is scaled down to a size that was trained.

Standard library only: the export writes the limits into the checkpoint (export.py).
"""

PIXELS = (16384, 196608)  # shortest_edge and longest_edge of preprocessor_config.json: 128x128 to 384x512
VIDEO_PIXELS = (18432, 131072)  # of all frames together: 8 frames of 128x128
SMALL = {  # (height, width) -> how often, of the steps with small pictures
    (160, 160): 3,
    (192, 192): 3,
    (128, 192): 1,
    (192, 128): 1,
    (160, 256): 1.5,
    (256, 160): 1,
    (128, 256): 1,
    (256, 128): 0.7,
    (192, 256): 1.5,
    (256, 192): 1.5,
    (256, 256): 2,
}
LARGE = {
    (256, 384): 1.5,
    (384, 256): 1,
    (320, 320): 1,
    (384, 384): 1.5,
    (256, 512): 1,
    (288, 512): 1,
    (192, 512): 0.7,
    (320, 576): 1.2,  # what a wide screenshot becomes
    (576, 320): 0.7,  # and a telephone's
    (384, 512): 1.5,
    (512, 384): 1,
}
VIDEOS = {96: 2, 128: 1}  # side of a video's frames


def pick(r, large=0.5):
    """A picture's size: a large one with this probability."""
    sizes = LARGE if r.random() < large else SMALL
    return r.choices(list(sizes), list(sizes.values()))[0]


assert all(PIXELS[0] <= h * w <= PIXELS[1] and h % 32 == w % 32 == 0 for h, w in (*SMALL, *LARGE)), "outside the limits"
