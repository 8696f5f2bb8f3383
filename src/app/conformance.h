// Compares the program with a folder of reference data, family by family.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "app/model_loader.h"

namespace qvl {

// What one family found.
class FamilyReport {
 public:
  void pass() { ++passed_; }
  void fail(const std::string& what);  // one line; the first few are kept
  void expect(bool ok, const std::string& what) { ok ? pass() : fail(what); }
  void error(double value) { worst_ = value > worst_ ? value : worst_; }  // the largest difference seen

  int passed() const { return passed_; }
  int failed() const { return failed_; }
  double worst() const { return worst_; }
  const std::vector<std::string>& failures() const { return failures_; }
  std::string note;  // printed at the line's end

 private:
  int passed_ = 0, failed_ = 0;
  double worst_ = 0;
  std::vector<std::string> failures_;
};

struct ConformanceOptions {
  std::filesystem::path folder;
  LoadOptions load;
  std::string only;      // families and cases whose names contain it; empty: all
  size_t max_cases = 0;  // of each checkpoint; 0: all
};

struct Family {
  std::string name;
  std::vector<std::string> needs;  // paths below the folder; one that lacks makes the family skipped
  std::function<void(const ConformanceOptions&, FamilyReport&)> run;
};

std::vector<Family> text_families();
std::vector<Family> media_families();
std::vector<Family> model_families();
std::vector<Family> case_families(const ConformanceOptions& options);  // one for each folder below cases/

// Prints a line for each family; 0 where none failed, 1 else.
int run_conformance(const ConformanceOptions& options);

// Rows of a JSON-lines file. Errors: kInvalidRequest, naming the file.
std::vector<Json> read_json_lines(const std::filesystem::path& file);
Json read_json(const std::filesystem::path& file);

}  // namespace qvl
