#include "weights/safetensors_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <tuple>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "base/json.h"

namespace qvl {
namespace {

std::string make_header(const std::vector<const NamedTensor*>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const NamedTensor* tensor : tensors) {
    QVL_CHECK(tensor->name != "__metadata__" && !header.contains(tensor->name), "tensor name {}", tensor->name);
    const uint64_t end = offset + tensor->tensor.bytes();
    header[tensor->name] = {
        {"dtype", dtype_name(tensor->tensor.dtype)}, {"shape", tensor->tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

[[noreturn]] void fail(const std::filesystem::path& path) {
  const int error = errno;
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  throw_error(ErrorKind::kDataDir, "write_failed", "{}: cannot write: {}", path.string(), std::strerror(error));
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    const size_t a_bytes = dtype_bytes(a->tensor.dtype), b_bytes = dtype_bytes(b->tensor.dtype);
    return std::tie(b_bytes, a->name) < std::tie(a_bytes, b->name);
  });
  // The rename below would put a file in the place of a device or a folder: as root, of /dev/null itself.
  std::error_code unknown;
  const auto place = std::filesystem::status(path, unknown);
  if (std::filesystem::exists(place) && !std::filesystem::is_regular_file(place)) {
    throw_error(ErrorKind::kDataDir, "write_failed", "{}: expected the name of a file to write, found a folder or a device",
                path.string());
  }
  const std::string header = make_header(order, metadata);
  std::filesystem::path part = path;
  part += ".part";
  errno = 0;
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  const uint64_t length = header.size();
  char prefix[8];
  for (size_t i = 0; i < sizeof prefix; ++i) prefix[i] = static_cast<char>(length >> (8 * i) & 0xff);
  out.write(prefix, sizeof prefix);
  out.write(header.data(), static_cast<std::streamsize>(header.size()));
  for (const NamedTensor* tensor : order) {
    const size_t bytes = tensor->tensor.bytes();
    if (bytes != 0) out.write(reinterpret_cast<const char*>(tensor->tensor.data), static_cast<std::streamsize>(bytes));
  }
  out.close();
  if (!out) fail(part);
  std::error_code error;
  std::filesystem::rename(part, path, error);
  if (error) {
    errno = error.value();
    fail(part);
  }
}

}  // namespace qvl
