#include "base/utf8.h"

#include <gtest/gtest.h>

namespace qvl {
namespace {

TEST(Utf8, MaximalSubparts) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(utf8_repair("a\xf0\x9f\x98" "b"), "a" + r + "b");       // a cut emoji is one unit
  EXPECT_EQ(utf8_repair("\xe0\x80\x80"), r + r + r);                // overlong
  EXPECT_EQ(utf8_repair("\xed\xa0\x80"), r + r + r);                // surrogate
  EXPECT_EQ(utf8_repair("\xf4\x90\x80\x80"), r + r + r + r);        // above U+10FFFF
  EXPECT_EQ(utf8_repair("\xc3\xa9\xe4\xbd\xa0"), "\xc3\xa9\xe4\xbd\xa0");
  EXPECT_TRUE(utf8_next("\xe4\xbd", 0).incomplete);
  EXPECT_FALSE(utf8_next("\xe4z", 0).incomplete);
}

TEST(Utf8, AppendRoundTrips) {
  for (char32_t c : {0x41u, 0x7ffu, 0x800u, 0xffffu, 0x10000u, 0x10ffffu}) {
    std::string s;
    utf8_append(s, c);
    const auto step = utf8_next(s, 0);
    EXPECT_EQ(step.code_point, c);
    EXPECT_EQ(step.length, s.size());
  }
}

}  // namespace
}  // namespace qvl
