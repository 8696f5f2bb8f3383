#include "app/conformance.h"

#include <chrono>
#include <cstdio>
#include <sstream>

#include "base/error.h"
#include "base/file.h"

namespace qvl {
namespace fs = std::filesystem;

void FamilyReport::fail(const std::string& what) {
  ++failed_;
  if (failures_.size() < 8) failures_.push_back(what);
}

Json read_json(const fs::path& file) {
  return parse_json(read_file(file, ErrorKind::kInvalidRequest, "file_missing"), file.string(), ErrorKind::kInvalidRequest,
                    "invalid_json");
}

std::vector<Json> read_json_lines(const fs::path& file) {
  std::istringstream lines(read_file(file, ErrorKind::kInvalidRequest, "file_missing"));
  std::vector<Json> out;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) out.push_back(parse_json(line, file.string(), ErrorKind::kInvalidRequest, "invalid_json"));
  }
  return out;
}

namespace {

// The first path that the family needs and the folder lacks.
std::string missing(const Family& family, const fs::path& folder) {
  for (const auto& need : family.needs) {
    if (!fs::exists(folder / need)) return need;
  }
  return "";
}

bool run_family(const Family& family, const ConformanceOptions& options) {
  if (const auto lacks = missing(family, options.folder); !lacks.empty()) {
    std::printf("%-26s skipped: no %s\n", family.name.c_str(), lacks.c_str());
    return true;
  }
  FamilyReport report;
  const auto start = std::chrono::steady_clock::now();
  try {
    family.run(options, report);
  } catch (const std::exception& e) {
    report.fail(e.what());
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%-26s %5d passed %4d failed   worst error %-9.3g %6.2f s%s%s\n", family.name.c_str(), report.passed(),
              report.failed(), report.worst(), seconds.count(), report.note.empty() ? "" : "   ", report.note.c_str());
  for (const auto& failure : report.failures()) std::printf("    %s\n", failure.c_str());
  std::fflush(stdout);
  return report.failed() == 0;
}

}  // namespace

int run_conformance(const ConformanceOptions& options) {
  if (!fs::is_directory(options.folder)) {
    throw_error(ErrorKind::kBadFlag, "bad_flag", "{}: expected a folder of reference data", options.folder.string());
  }
  std::vector<Family> all;
  for (auto families : {text_families(), media_families(), model_families(), case_families(options)}) {
    all.insert(all.end(), families.begin(), families.end());
  }
  int failed = 0;
  for (const auto& family : all) {
    if (!options.only.empty() && family.name.find(options.only) == std::string::npos) continue;
    failed += !run_family(family, options);
  }
  std::printf("%s\n", failed == 0 ? "all families passed" : fmt::format("{} families failed", failed).c_str());
  return failed == 0 ? 0 : 1;
}

}  // namespace qvl
