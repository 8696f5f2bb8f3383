#include "media/sniff.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string>

namespace qvl::media {
namespace {

using namespace std::string_view_literals;

bool at(Bytes bytes, size_t offset, std::string_view magic) {
  return bytes.size() >= offset + magic.size() && std::memcmp(bytes.data() + offset, magic.data(), magic.size()) == 0;
}

struct Magic {
  std::string_view bytes;
  std::string_view name;
  size_t offset = 0;
};

// Formats that people do send. The name goes into the message, so that they know what to convert.
constexpr Magic kUnread[] = {
    {"8BPS"sv, "PSD"},
    {"#?RADIANCE"sv, "Radiance HDR"},
    {"#?RGBE"sv, "Radiance HDR"},
    {"\x53\x80\xf6\x34"sv, "Softimage PIC"},
    {"\0\0\0\x0cjP  \r\n\x87\n"sv, "JPEG 2000"},
    {"\xff\x4f\xff\x51"sv, "JPEG 2000"},
    {"\0\0\0\x0cJXL \r\n\x87\n"sv, "JPEG XL"},
    {"\xff\x0a"sv, "JPEG XL"},
    {"II\xbc"sv, "JPEG XR"},
    {"\0\0\1\0"sv, "ICO"},
    {"\0\0\2\0"sv, "CUR"},
    {"%PDF-"sv, "PDF"},
    {"%!PS"sv, "PostScript"},
    {"\xc5\xd0\xd3\xc6"sv, "EPS"},
    {"DDS "sv, "DDS"},
    {"\x76\x2f\x31\x01"sv, "OpenEXR"},
    {"qoif"sv, "QOI"},
    {"FLIF"sv, "FLIF"},
    {"BPG\xfb"sv, "BPG"},
    {"icns"sv, "ICNS"},
    {"gimp xcf"sv, "XCF"},
    {"SIMPLE  ="sv, "FITS"},
    {"AT&TFORM"sv, "DjVu"},
    {"\xd7\xcd\xc6\x9a"sv, "WMF"},
    {" EMF"sv, "EMF", 40},
    {"\x8aMNG\r\n\x1a\n"sv, "MNG"},
    {"\x8bJNG\r\n\x1a\n"sv, "JNG"},
    {"DICM"sv, "DICOM", 128},
    {"\x1a\x45\xdf\xa3"sv, "Matroska or WebM video"},
    {"AVI "sv, "AVI video", 8},
    {"PK\3\4"sv, "ZIP"},
};

bool is_space(uint32_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// PBM, PGM, PPM, PAM: 'P', a digit, white space; PFM: "PF" or "Pf".
bool is_pnm(Bytes b) {
  if (b.size() < 3 || u8_at(b, 0) != 'P' || !is_space(u8_at(b, 2))) return false;
  const uint32_t kind = u8_at(b, 1);
  return (kind >= '1' && kind <= '7') || kind == 'F' || kind == 'f';
}

// TGA has no magic at its start: the footer of version 2, or a header in which every field is one that TGA allows.
bool is_tga(Bytes b) {
  if (b.size() >= 26 && at(b, b.size() - 18, "TRUEVISION-XFILE."sv)) return true;
  if (b.size() < 18) return false;
  const uint32_t map = u8_at(b, 1), type = u8_at(b, 2), map_depth = u8_at(b, 7), depth = u8_at(b, 16);
  const bool palette = type == 1 || type == 9;
  if (!palette && type != 2 && type != 3 && type != 10 && type != 11) return false;
  if (map != (palette ? 1u : 0u)) return false;
  if (palette ? (map_depth != 15 && map_depth != 16 && map_depth != 24 && map_depth != 32) : map_depth != 0)
    return false;
  const bool gray = type == 3 || type == 11;
  if (palette || gray ? depth != 8 && depth != 16 : depth != 15 && depth != 16 && depth != 24 && depth != 32)
    return false;
  return le16_at(b, 12) != 0 && le16_at(b, 14) != 0 && (u8_at(b, 17) & 0xc0) == 0;
}

// True where the first element of an XML text is <svg>. An HTML page with an <svg> inside is not a picture.
bool is_svg(Bytes b) {
  std::string text(reinterpret_cast<const char*>(b.data()), std::min<size_t>(b.size(), 4096));
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view rest = text;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  for (;;) {
    while (!rest.empty() && is_space(static_cast<unsigned char>(rest.front()))) rest.remove_prefix(1);
    std::string_view end;
    if (rest.starts_with("<?"))
      end = "?>";
    else if (rest.starts_with("<!--"))
      end = "-->";
    else if (rest.starts_with("<!doctype svg"))
      end = ">";
    else
      return rest.starts_with("<svg");
    const size_t stop = rest.find(end);
    if (stop == std::string_view::npos) return false;
    rest.remove_prefix(stop + end.size());
  }
}

constexpr std::string_view kHeifBrands[] = {"heic", "heix", "hevc", "hevx", "heim", "heis",
                                            "mif1", "msf1", "miaf", "avif", "avis"};

// An ISO base media file: HEIF by its brands, otherwise a video. Compatible brands count too: many writers put the
// precise brand only there.
Sniffed sniff_ftyp(Bytes b) {
  const size_t size = std::min<size_t>({be32_at(b, 0), b.size(), 4096});
  for (size_t pos = 8; pos + 4 <= size; pos += 4) {
    if (pos == 12) continue;  // minor version
    if (pos == 8 && at(b, pos, "crx ")) return {std::nullopt, "Canon raw"};
    for (const std::string_view brand : kHeifBrands)
      if (at(b, pos, brand)) return {ImageFormat::kHeif, {}};
  }
  return {std::nullopt, "MP4 or QuickTime video"};
}

}  // namespace

Sniffed sniff(Bytes b) {
  if (at(b, 0, "\xff\xd8\xff"sv)) return {ImageFormat::kJpeg, {}};
  if (at(b, 0, "\x89PNG\r\n\x1a\n"sv)) return {ImageFormat::kPng, {}};
  if (at(b, 0, "RIFF"sv) && at(b, 8, "WEBP"sv)) return {ImageFormat::kWebp, {}};
  if (at(b, 0, "GIF87a"sv) || at(b, 0, "GIF89a"sv)) return {ImageFormat::kGif, {}};
  if (at(b, 0, "II*\0"sv) || at(b, 0, "MM\0*"sv) || at(b, 0, "II+\0"sv) || at(b, 0, "MM\0+"sv))
    return {ImageFormat::kTiff, {}};
  if (at(b, 4, "ftyp"sv) && b.size() >= 12) return sniff_ftyp(b);
  // Two letters are a weak magic: the size of the header that follows must be one of BMP's.
  if (at(b, 0, "BM"sv) && b.size() >= 18 && le32_at(b, 14) >= 12 && le32_at(b, 14) <= 256)
    return {ImageFormat::kBmp, {}};
  for (const Magic& magic : kUnread)
    if (at(b, magic.offset, magic.bytes)) return {std::nullopt, magic.name};
  if (is_pnm(b)) return {std::nullopt, "PNM"};
  if (is_svg(b)) return {std::nullopt, "SVG"};
  if (is_tga(b)) return {std::nullopt, "TGA"};
  return {};
}

}  // namespace qvl::media
