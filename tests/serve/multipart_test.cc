// Multipart bodies, good and hostile, and the store that uploads go to.
#include "serve/multipart.h"

#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "serve/upload_store.h"

namespace qvl {
namespace {

const std::string kType = "multipart/form-data; boundary=XX";
const std::string kHead = "--XX\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.png\"\r\n\r\n";

TEST(Multipart, Parts) {
  const std::string body =
      "preamble\r\n" + kHead + "one\r\n--XX is no boundary\r\n--XX \t\r\n" +
      "content-type: image/png\r\nCONTENT-DISPOSITION: form-data; filename=b\\;c ; name = files\r\n\r\n" +
      "\r\n--XX\r\nContent-Disposition: form-data; name=\"q\\\"uote\"\r\n\r\n--X\r\n--XX--\r\nepilogue";
  // A line that begins like the boundary and goes on is refused: no client writes such a body.
  EXPECT_THROW(parse_multipart(kType, body), Error);
  const std::string good =
      "preamble\r\n" + kHead + "one\r\n-XX\r\n--XX \t\r\n" + body.substr(body.find("content-type"));
  const auto parts = parse_multipart(kType, good);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].name, "files");
  EXPECT_EQ(parts[0].filename, "a.png");
  EXPECT_EQ(parts[0].body, "one\r\n-XX");
  EXPECT_EQ(parts[1].name, "files");
  EXPECT_EQ(parts[1].body, "");
  EXPECT_EQ(parts[2].name, "q\"uote");
  EXPECT_EQ(parts[2].filename, "");
  EXPECT_EQ(parts[2].body, "--X");
  EXPECT_EQ(parse_multipart("multipart/form-data; charset=x; Boundary=\"X X\"", "--X X--").size(), 0u);
  std::string binary;
  for (int i = 0; i < 256; ++i) binary += static_cast<char>(i);
  EXPECT_EQ(parse_multipart(kType, kHead + binary + "\r\n--XX--")[0].body, binary);
}

TEST(Multipart, BadBodies) {
  const std::string cases[] = {
      "",
      "--",
      "--XX",
      "--XX\r\n",
      "--XX\r\n\r\nabc\r\n--XX--",
      "--YY\r\n\r\n--YY--",
      kHead,
      kHead + "abc",
      kHead + "abc\r\n--XX",
      kHead + "abc\r\n--XXjunk",
      kHead + "abc\n--XX--",
      "--XX\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--XX--",
      "--XX\r\nContent-Disposition: attachment; name=\"files\"\r\n\r\nabc\r\n--XX--",
      "--XX\r\nContent-Disposition: form-data; name=\"files\r\n\r\nabc\r\n--XX--",
      "--XX\r\nno colon\r\n\r\nabc\r\n--XX--",
      "--XX\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\nabc\r\n--XX--",
      std::string("--XX\r\nContent-Disposition: form-data; name=a\0b\r\n\r\nabc\r\n--XX--", 61),
      "--XX\r\nX: " + std::string(10000, 'x') + "\r\n\r\nabc\r\n--XX--",
  };
  for (const std::string& body : cases) {
    try {
      parse_multipart(kType, body);
      ADD_FAILURE() << body.substr(0, 100);
    } catch (const Error& error) {
      EXPECT_EQ(error.code, "invalid_multipart") << body.substr(0, 100);
    }
  }
  const std::string good = kHead + "abc\r\n--XX--";
  for (const std::string& type :
       {std::string("multipart/form-data"), std::string("multipart/form-data; boundary="),
        std::string("multipart/form-data; boundary=\"X"), "multipart/form-data; boundary=" + std::string(71, 'X'),
        std::string("multipart/form-data; boundary=\"X\tX\"")}) {
    EXPECT_THROW(parse_multipart(type, good), Error) << type;
  }
  std::string many;
  for (int i = 0; i < 65; ++i) many += kHead + "\r\n";
  try {
    parse_multipart(kType, many + "--XX--");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, "too_many");
  }
}

// Whatever is damaged, parts lie within the body, or the body is refused.
TEST(Multipart, DamagedBodies) {
  const std::string good = kHead + "one\r\n" + kHead + "two\r\n--XX--\r\n";
  for (size_t length = 0; length < good.size(); ++length) {
    try {
      parse_multipart(kType, good.substr(0, length));
    } catch (const Error&) {
    }
  }
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::string body = good, type = kType;
    for (int change = 0; change < 1 + round % 4; ++change) {
      std::string& target = random() % 8 == 0 ? type : body;
      target[random() % target.size()] = "\r\n-X\";:= \\a\0"[random() % 12];
    }
    try {
      for (const MultipartPart& part : parse_multipart(type, body)) {
        EXPECT_GE(part.body.data(), body.data());
        EXPECT_LE(part.body.data() + part.body.size(), body.data() + body.size());
      }
    } catch (const Error&) {
    }
  }
}

TEST(Uploads, NamesAreSafeAndSecret) {
  UploadStore store;
  const std::string path = store.add("../../etc/pass wd\"\r\n.png", "abc");
  EXPECT_EQ(path.find(".."), path.npos);
  EXPECT_TRUE(path.starts_with("/uploads/"));
  EXPECT_TRUE(path.ends_with("/passwd.png")) << path;
  EXPECT_NE(store.add("a.png", "abc"), store.add("a.png", "abc"));
  EXPECT_TRUE(store.add("", "abc").ends_with("/file"));
  EXPECT_TRUE(store.add(".htaccess", "abc").ends_with("/htaccess"));
  EXPECT_LT(store.add(std::string(100000, 'a'), "abc").size(), 200u);
  EXPECT_EQ(*store.find(path), "abc");
  EXPECT_EQ(store.find("/etc/passwd"), nullptr);
  EXPECT_EQ(store.find(""), nullptr);
}

TEST(Uploads, TheOldestGo) {
  UploadStore store({.max_bytes = 10, .max_files = 3});
  const std::string a = store.add("a", "1234"), b = store.add("b", "1234");
  EXPECT_NE(store.find(a), nullptr);  // used: b is the oldest now
  const std::string c = store.add("c", "1234");
  EXPECT_EQ(store.find(b), nullptr);
  EXPECT_NE(store.find(a), nullptr);
  const std::string d = store.add("d", ""), e = store.add("e", "");
  EXPECT_EQ(store.find(c), nullptr);
  EXPECT_NE(store.find(a), nullptr);
  EXPECT_THROW(store.add("f", "12345678901"), Error);
  EXPECT_NE(store.find(e), nullptr);
}

}  // namespace
}  // namespace qvl
