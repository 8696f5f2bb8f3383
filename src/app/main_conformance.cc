// conformance DIR: compares this program with a folder of reference data.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "app/conformance.h"
#include "base/error.h"
#include "base/log.h"

int main(int argc, char** argv) {
  qvl::log_init();
  spdlog::set_level(spdlog::level::warn);
  CLI::App app("Compares this program with a folder of reference data; a line for each family, exit 1 if any fails.");
  qvl::ConformanceOptions options;
  std::string precision = "float32", backend = "cpu";
  app.add_option("folder", options.folder, "the reference data")->required();
  app.add_option("--precision", precision, "of the end-to-end cases")->check(CLI::IsMember({"float32", "bfloat16"}))->capture_default_str();
  app.add_option("--backend", backend, "cpu, or ref: plain loops")->check(CLI::IsMember({"cpu", "ref"}))->capture_default_str();
  app.add_option("--threads", options.load.threads, "0: all cores")->check(CLI::Range(0, 1024));
  app.add_option("--only", options.only, "families whose name contains this");
  app.add_option("--max-cases", options.max_cases, "of each checkpoint; 0: all");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  options.load.precision = precision == "float32" ? qvl::Precision::kFloat32 : qvl::Precision::kBFloat16;
  options.load.reference = backend == "ref";
  try {
    return qvl::run_conformance(options);
  } catch (const qvl::Error& e) {
    std::fprintf(stderr, "error: %s (%s)\n", e.what(), e.code.c_str());
    return qvl::exit_code(e.kind);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
}
