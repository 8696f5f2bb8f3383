// The page's files, built into the program (embed.cmake makes the table). Immutable.
#pragma once

#include <span>
#include <string_view>

namespace qvl {

struct EmbeddedFile {
  std::string_view path;  // of its URL: "/index.html", "/assets/app.js", "/samples/a.png"
  std::string_view bytes;
};

std::span<const EmbeddedFile> embedded_files();

}  // namespace qvl
