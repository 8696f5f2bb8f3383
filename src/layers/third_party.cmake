# Libraries of Debian that come without CMake packages, each as one interface target.
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
add_library(qvl_utf8proc INTERFACE)
target_link_libraries(qvl_utf8proc INTERFACE PkgConfig::utf8proc)

# For a tokenizer.json of several MB: nlohmann's ordered objects search their keys linearly.
pkg_check_modules(simdjson REQUIRED IMPORTED_TARGET simdjson)
add_library(qvl_simdjson INTERFACE)
target_link_libraries(qvl_simdjson INTERFACE PkgConfig::simdjson)

pkg_check_modules(imaging REQUIRED IMPORTED_TARGET libjpeg libpng libwebp libwebpdemux libtiff-4 libheif)
find_package(GIF REQUIRED)
add_library(qvl_imaging INTERFACE)
target_link_libraries(qvl_imaging INTERFACE PkgConfig::imaging GIF::GIF)

find_package(Boost 1.81 REQUIRED)
add_library(qvl_boost INTERFACE)
target_link_libraries(qvl_boost INTERFACE Boost::headers OpenSSL::SSL)
