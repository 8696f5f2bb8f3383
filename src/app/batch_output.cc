#include "app/batch_output.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/error.h"

namespace qvl {
namespace {

[[noreturn]] void output_failed(const std::filesystem::path& path) {
  throw_error(ErrorKind::kBadFlag, "output_failed", "cannot write {}: {}", printable(path.string()), std::strerror(errno));
}

void check_begin(std::istream& file, std::string_view begin) {
  std::string found(begin.size(), '\0');
  file.read(found.data(), static_cast<std::streamsize>(found.size()));
  found.resize(static_cast<size_t>(file.gcount()));
  if (!begin.starts_with(found)) foreign_output();
  file.clear();
  file.seekg(0);
}

// Where the last whole line ends.
int64_t read_lines(std::istream& file, const BatchOutput::OldRecord& old) {
  int64_t end = 0;
  for (std::string line; std::getline(file, line) && !file.eof();) {
    end += static_cast<int64_t>(line.size()) + 1;
    if (!line.empty()) old({line});
  }
  return end;
}

// Where the last whole record ends: fields in quotes may have lines in them.
int64_t read_csv(std::istream& file, const BatchOutput::OldRecord& old) {
  int64_t end = 0, at = 0;
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (int c = file.get(); c != EOF; c = file.get()) {
    ++at;
    if (c == '"') {
      const bool doubled = quoted && file.peek() == '"';
      if (doubled) {
        file.get();
        ++at;
        fields.back() += '"';
      } else {
        quoted = !quoted;
      }
    } else if (quoted || (c != ',' && c != '\n' && c != '\r')) {
      fields.back() += static_cast<char>(c);
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      old(fields);
      fields.assign(1, "");
      end = at;
    }
  }
  return end;
}

}  // namespace

void foreign_output() {
  throw Error(ErrorKind::kBadFlag, "output_failed",
              "the output exists and no batch of this kind wrote it: choose another file, or move it away");
}

std::string csv_record(const std::vector<std::string>& fields) {
  std::string out;
  for (const std::string& field : fields) {
    if (&field != &fields.front()) out += ',';
    if (field.find_first_of(",\"\r\n") == field.npos) {
      out += field;
      continue;
    }
    out += '"';
    for (const char c : field) out += c == '"' ? "\"\"" : std::string(1, c);
    out += '"';
  }
  return out + "\r\n";
}

BatchOutput::BatchOutput(const std::filesystem::path& path, BatchFormat format, std::string_view begin, const OldRecord& old)
    : path_(path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) output_failed(path);
  try {
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      throw_error(ErrorKind::kBadFlag, "output_busy", "another run writes to {}", printable(path.string()));
    }
    std::ifstream file(path, std::ios::binary);
    check_begin(file, begin);
    size_ = format == BatchFormat::kCsv ? read_csv(file, old) : read_lines(file, old);
    if (::ftruncate(fd_, size_) != 0) output_failed(path);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

BatchOutput::~BatchOutput() { ::close(fd_); }

void BatchOutput::append(std::string_view records) {
  const std::lock_guard lock(mutex_);
  for (size_t done = 0; done < records.size();) {
    const ssize_t written = ::write(fd_, records.data() + done, records.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int why = errno;
      if (::ftruncate(fd_, size_) != 0) errno = why;
      errno = why;
      output_failed(path_);
    }
    done += static_cast<size_t>(written);
  }
  size_ += static_cast<int64_t>(records.size());
}

}  // namespace qvl
