#include "chat/picture_memory.h"

#include <gtest/gtest.h>

namespace qvl {
namespace {

PictureBytes of_size(size_t bytes) { return std::make_shared<const std::vector<std::byte>>(bytes); }

TEST(PictureMemory, ForgetsTheLeastRecentlyUsed) {
  PictureMemory memory(100, 8);
  memory.remember("a", of_size(40));
  memory.remember("b", of_size(40));
  EXPECT_NE(memory.find("a"), nullptr);
  memory.remember("c", of_size(40));
  EXPECT_EQ(memory.find("b"), nullptr);
  EXPECT_NE(memory.find("a"), nullptr);
  EXPECT_NE(memory.find("c"), nullptr);
}

TEST(PictureMemory, ANameIsGivenAnew) {
  PictureMemory memory(100, 8);
  memory.remember("a", of_size(90));
  memory.remember("a", of_size(10));
  EXPECT_EQ(memory.find("a")->size(), 10u);
  memory.remember("b", of_size(90));
  EXPECT_NE(memory.find("a"), nullptr);
  memory.remember("a", of_size(101));  // too large: forgotten rather than mistaken
  EXPECT_EQ(memory.find("a"), nullptr);
}

TEST(PictureMemory, CountIsBounded) {
  PictureMemory memory(1000, 2);
  for (const char* name : {"a", "b", "c"}) memory.remember(name, of_size(0));
  EXPECT_EQ(memory.find("a"), nullptr);
  EXPECT_NE(memory.find("c"), nullptr);
}

}  // namespace
}  // namespace qvl
