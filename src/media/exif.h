// The one thing that we want from EXIF: which way up. Bounded: one directory is read, links are never followed.
#pragma once

#include "media/codec.h"

namespace qvl::media {

// tiff: an EXIF block, with or without the leading "Exif\0\0". Anything malformed, and values outside 1..8, give 1.
int exif_orientation(Bytes tiff);
// The orientation of a JPEG's first EXIF segment / a PNG's eXIf chunk; 1 where there is none.
int jpeg_orientation(Bytes file);
int png_orientation(Bytes file);

// Turns a stored picture the right way up. Sides swap for orientations 5..8.
Image upright(Raster raster);

}  // namespace qvl::media
