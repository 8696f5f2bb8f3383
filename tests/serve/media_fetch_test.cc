// Pictures by URL and by path: what must not be reached is not, whatever it is called.
#include "serve/media_fetch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "tests/serve/fake_upstream.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Fake = FakeUpstream;

std::string code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("127.0.0.1"), std::string::npos) << error.what();
    return error.code;
  }
  return "-";
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Hostile {
  std::string url, code;
};

std::vector<Hostile> hostile_urls(int port) {
  std::vector<Hostile> all;
  const auto add = [&](const char* code, std::initializer_list<std::string> urls) {
    for (const std::string& url : urls) all.push_back({url, code});
  };
  const std::string p = ":" + std::to_string(port);
  // Addresses that are not global, in their canonical spelling.
  for (const char* host :
       {"127.0.0.1",       "127.0.0.2",   "127.255.255.255", "0.0.0.0",         "0.1.2.3",      "10.0.0.1",    "10.255.255.255",
        "100.64.0.1",      "100.127.9.9", "169.254.169.254", "169.254.0.1",     "172.16.0.1",   "172.31.1.1",  "192.0.0.1",
        "192.0.2.1",       "192.88.99.1", "192.168.0.1",     "192.168.255.255", "198.18.0.1",   "198.19.1.1",  "198.51.100.7",
        "203.0.113.9",     "224.0.0.1",   "239.1.1.1",       "240.0.0.1",       "255.255.255.255"}) {
    add("url_host_not_allowed", {"http://" + std::string(host) + "/", "https://" + std::string(host) + "/a.png"});
  }
  for (const char* host :
       {"::1", "::", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1",
        "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::", "2001::1", "2001:0:4136:e378::1",
        "2001:10::1", "2001:db8::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "ff02::1", "100::1",
        "5f00::1", "::ffff:169.254.169.254", "4000::1"}) {
    add("url_host_not_allowed", {"http://[" + std::string(host) + "]/"});
  }
  // Other spellings of addresses.
  add("url_host_not_allowed",
      {"http://2130706433/", "http://017700000001/", "http://0x7f000001/", "http://0x7f.1/", "http://0x7f.0.0.1/", "http://0177.0.0.1/",
       "http://127.1/", "http://127.0.1/", "http://127.0.0.01/", "http://127.000.000.001/", "http://1/", "http://0/", "http://0x0/",
       "http://127.0.0.1.1/", "http://256.0.0.1/", "http://3232235521/", "http://a.0x1/", "http://0X7F000001/"});
  // Names that resolve to what is not global, and ports.
  add("url_host_not_allowed",
      {"http://localhost/", "http://LOCALHOST/", "http://private.example/", "http://mixed.example/", "http://mapped.example/",
       "http://metadata.example/", "http://scoped.example/", "http://public.example" + p + "/", "http://public.example:22/",
       "https://public.example:8443/", "http://127.0.0.1" + p + "/", "http://[::1]" + p + "/", "http://localhost" + p + "/",
       "HTTP://LocalHost/", "http://1.1.1.1:8080/"});
  // What parsers read in different ways.
  add("invalid_url",
      {"http://public.example\\@127.0.0.1/", "http://127.0.0.1\\.public.example/", "http:\\\\127.0.0.1/", "http:/127.0.0.1/",
       "http:127.0.0.1/", "http:///127.0.0.1/", "http://user@127.0.0.1/", "http://user:pass@public.example/", "http://@127.0.0.1/",
       "http://public.example@127.0.0.1/", "http://public.example#@127.0.0.1@/\x01", "http://127.0.0.1%00.public.example/",
       "http://%31%32%37.0.0.1/", "http://127%2e0%2e0%2e1/", "http://public.example%2f@127.0.0.1/", "http://\xe2\x91\xa0.example/",
       "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", "http://public\xe3\x80\x82""example/", "http://public.example./",
       "http://127.0.0.1./", "http://.public.example/", "http://public..example/", "http://-a.example/", "http://a-.example/",
       "http://public.example:/", "http://public.example:0/", "http://public.example:65536/", "http://public.example:080/",
       "http://public.example:+80/", "http://public.example:80:80/", "http://public.example: 80/", "http://public.example:99999999999/",
       "http://", "http:///", "http://?x", "http://:80/", "http://[127.0.0.1]/", "http://[::1", "http://[::1%25lo]/", "http://[::1%lo]/",
       "http://[]/", "http://[::1]80/", "http://::1/", "http://public.example /", "http://public.example\t/", "http://public.example\r\n/",
       "http://public.example/a\r\nHost: x", "http://public.example/a b", "http://public.example/\\..\\", "http://pub;lic/", "http://a,b/",
       "http://a|b/", "http://<a>/", "http://a'b/", "http://a*b/", "http://(a)/", "http://$a/", "http://public.example/\x7f",
       "http://" + std::string(300, 'a') + "/", "http://" + std::string(64, 'a') + ".example/", "http://public.example/" + std::string(3000, 'a')});
  add("url_scheme_not_allowed", {"ftp://public.example/", "gopher://127.0.0.1/", "javascript:alert(1)", "httpx://public.example/",
                                 "//127.0.0.1/", "127.0.0.1/", "", "data:image/png;base64,AA", "ws://127.0.0.1/", "unix:/run/x"});
  return all;
}

// What a stub of the resolver says, and how often it was asked.
struct Names {
  std::shared_ptr<std::atomic<int>> asked = std::make_shared<std::atomic<int>>(0);
  std::vector<std::string> operator()(const std::string& host) const {
    const int time = ++*asked;
    if (host == "public.example") return {"1.1.1.1"};
    if (host == "localhost") return {"127.0.0.1", "::1"};
    if (host == "private.example") return {"192.168.1.1"};
    if (host == "mixed.example") return {"1.1.1.1", "10.0.0.1"};
    if (host == "mapped.example") return {"::ffff:127.0.0.1"};
    if (host == "metadata.example") return {"169.254.169.254"};
    if (host == "scoped.example") return {"fe80::1%lo"};
    if (host == "rebinds.example") return {time % 2 == 1 ? "127.0.0.1" : "10.9.9.9"};
    if (host == "slow.example") std::this_thread::sleep_for(milliseconds(700));
    return {};
  }
};

TEST(MediaFetch, HostileUrlsConnectToNothing) {
  Fake canary;
  MediaFetchOptions options;
  options.urls = true;
  options.resolve = Names();
  const MediaFetcher media(options);
  const auto urls = hostile_urls(canary.port());
  EXPECT_GE(urls.size(), 180u);
  for (const auto& [url, code] : urls) {
    EXPECT_EQ(code_of([&] { media.fetch(url, 1000, nullptr); }), code) << url;
  }
  EXPECT_EQ(canary.connections(), 0);
}

TEST(MediaFetch, GlobalAddresses) {
  for (const char* address : {"1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "198.20.0.1", "2606:4700::1111",
                              "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2a00:1450::1", "223.255.255.255"}) {
    EXPECT_TRUE(is_global_address(address)) << address;
  }
  for (const char* text : {"", "x", "1.1.1", "01.1.1.1", "1.1.1.1 ", "fe80::1%eth0"}) EXPECT_FALSE(is_global_address(text)) << text;
}

// Fetches from the fake host, which the list names with its port.
struct Allowed {
  explicit Allowed(const std::function<void(MediaFetchOptions&)>& change = [](MediaFetchOptions&) {}) {
    MediaFetchOptions options;
    options.urls = true;
    options.resolve = Names{asked};
    options.hosts = {"127.0.0.1:" + std::to_string(host.port()), "rebinds.example:" + std::to_string(host.port()), "public.example",
                     "localhost"};
    change(options);
    media = std::make_unique<MediaFetcher>(options);
  }
  std::string url(const std::string& path) const { return host.url() + path; }
  std::string code(const std::string& text) const {
    return code_of([&] { media->fetch(text, 1000, nullptr); });
  }
  std::shared_ptr<std::atomic<int>> asked = std::make_shared<std::atomic<int>>(0);
  Fake host;
  std::unique_ptr<MediaFetcher> media;
};

TEST(MediaFetch, AnAllowedHostIsAsked) {
  Allowed allowed;
  allowed.host.set_answer(Fake::say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"));
  EXPECT_EQ(text_of(allowed.media->fetch(allowed.url("/a?b=c#d"), 1000, nullptr)), "abcd");
  const std::string head = allowed.host.last_head();
  EXPECT_EQ(head.substr(0, head.find("\r\n")), "GET /a?b=c HTTP/1.1");
  EXPECT_THAT(head, testing::HasSubstr("Accept-Encoding: identity\r\n"));
  EXPECT_THAT(head, testing::Not(testing::HasSubstr("Cookie")));
  EXPECT_THAT(head, testing::Not(testing::HasSubstr("Authorization")));
  // Hosts that the list does not name, and another port of one that it names with a port.
  for (const char* url : {"http://1.1.1.1/", "http://other.example/", "http://127.0.0.1/", "http://127.0.0.1:81/", "http://localhost/"}) {
    EXPECT_EQ(allowed.code(url), "url_host_not_allowed") << url;
  }
}

TEST(MediaFetch, TheCheckedAddressIsTheOneConnectedTo) {
  Allowed allowed;
  allowed.host.set_answer(Fake::say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  const std::string url = "http://rebinds.example:" + std::to_string(allowed.host.port()) + "/x";
  EXPECT_EQ(text_of(allowed.media->fetch(url, 1000, nullptr)), "ok");
  EXPECT_EQ(*allowed.asked, 1);
  EXPECT_THAT(allowed.host.last_head(), testing::HasSubstr("Host: rebinds.example:"));
  // A name that is global when it is checked and private at the second look: there is no second look.
  Fake canary;
  int times = 0;
  MediaFetchOptions options;
  options.urls = true;
  options.total = milliseconds(300);
  options.resolve = [&](const std::string&) {
    return ++times == 1 ? std::vector<std::string>{"192.0.2.1"} : std::vector<std::string>{"127.0.0.1"};
  };
  const MediaFetcher media(options);
  EXPECT_EQ(code_of([&] { media.fetch("http://rebinds.example/", 1000, nullptr); }), "url_host_not_allowed");
  EXPECT_EQ(times, 1);
}

TEST(MediaFetch, RedirectsAreCheckedLikeUrls) {
  Allowed allowed;
  Fake canary;
  const auto redirect = [&](const std::string& location) {
    allowed.host.set_answer(Fake::say("HTTP/1.1 302 Found\r\nLocation: " + location + "\r\nContent-Length: 0\r\n\r\n"));
    return allowed.code(allowed.url("/dir/a"));
  };
  EXPECT_EQ(redirect(canary.url() + "/"), "url_host_not_allowed");
  EXPECT_EQ(redirect("//127.0.0.1:" + std::to_string(canary.port()) + "/"), "url_host_not_allowed");
  EXPECT_EQ(redirect("http://localhost/"), "url_host_not_allowed");
  EXPECT_EQ(redirect("http://169.254.169.254/latest/meta-data"), "url_host_not_allowed");
  EXPECT_EQ(redirect("http://0x7f.1/"), "url_host_not_allowed");
  EXPECT_EQ(redirect("http://127.0.0.1\\@public.example/"), "invalid_url");
  EXPECT_EQ(redirect("file:///etc/passwd"), "url_scheme_not_allowed");
  EXPECT_EQ(redirect("ftp://public.example/"), "url_scheme_not_allowed");
  EXPECT_EQ(redirect("/again"), "too_many_redirects");
  EXPECT_EQ(canary.connections(), 0);
  allowed.host.set_answer([](Fake::Peer& peer, const Fake::Request& request) {
    peer.send(request.path == "/dir/b?c" ? std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                                         : "HTTP/1.1 301 Moved\r\nLocation: b?c\r\nContent-Length: 0\r\n\r\n");
  });
  const int before = allowed.host.posts();
  EXPECT_EQ(text_of(allowed.media->fetch(allowed.url("/dir/a"), 1000, nullptr)), "ok");
  EXPECT_EQ(allowed.host.posts(), before + 2);
}

TEST(MediaFetch, BytesAndTimeAreBounded) {
  Allowed allowed([](MediaFetchOptions& options) {
    options.total = milliseconds(600);
    options.grace = milliseconds(100);
  });
  const auto answered = [&](const Fake::Answer& answer) {
    allowed.host.set_answer(answer);
    return allowed.code(allowed.url("/"));
  };
  const std::string head = "HTTP/1.1 200 OK\r\n";
  EXPECT_EQ(answered(Fake::say(head + "Content-Length: 1001\r\n\r\n" + std::string(1001, 'x'))), "fetch_too_large");
  EXPECT_EQ(answered(Fake::say(head + "\r\n" + std::string(5000000, 'x'))), "fetch_too_large");
  EXPECT_EQ(answered(Fake::say(head + "Content-Length: 1000\r\n\r\n" + std::string(1000, 'x'))), "-");
  EXPECT_EQ(answered(Fake::say(head + "Content-Length: 1000\r\n\r\nshort")), "fetch_failed");
  EXPECT_EQ(answered(Fake::say(head + "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx")), "fetch_failed");
  EXPECT_EQ(answered(Fake::say("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")), "fetch_failed");
  EXPECT_EQ(answered(Fake::say("nonsense\r\n\r\n")), "fetch_failed");
  EXPECT_EQ(answered([](Fake::Peer& peer, const Fake::Request&) { peer.closed_within(3000); }), "fetch_timeout");
  EXPECT_EQ(answered([&](Fake::Peer& peer, const Fake::Request&) {
              peer.send(head + "Content-Length: 900\r\n\r\n");
              while (peer.send("x") && !peer.closed_within(20)) {
              }
            }),
            "fetch_timeout");
  EXPECT_EQ(code_of([&] { Allowed([](MediaFetchOptions& options) {
                            options.total = milliseconds(100);
                            options.hosts = {};
                          }).media->fetch("http://slow.example/", 1000, nullptr); }),
            "fetch_timeout");
  EXPECT_EQ(allowed.code("http://public.example:1/"), "url_host_not_allowed");
}

TEST(MediaFetch, EndsWhenTheClientLeaves) {
  Allowed allowed;
  std::atomic<bool> abandoned{false}, closed{false};
  allowed.host.set_answer([&](Fake::Peer& peer, const Fake::Request&) {
    abandoned = true;
    closed = peer.closed_within(5000);
  });
  EXPECT_EQ(code_of([&] { allowed.media->fetch(allowed.url("/"), 1000, &abandoned); }), "abandoned");
  EXPECT_TRUE(eventually([&] { return closed.load(); }));
}

TEST(MediaFetch, BadListsAreFlagErrors) {
  for (const char* host : {"", "http://a", "a/b", "a:0", "a:x", "*", "a b", "127.1"}) {
    MediaFetchOptions options;
    options.urls = true;
    options.hosts = {host};
    EXPECT_EQ(code_of([&] { MediaFetcher media(options); }), "bad_flag") << host;
  }
}

class MediaFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "qvl_media_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = fs::canonical(name);
    fs::create_directories(root_ / "open/sub dir");
    fs::create_directories(root_ / "open-secret");
    write("open/a.png", "A");
    write("open/sub dir/b.png", "B");
    write("secret.png", "S");
    write("open-secret/s.png", "S");
    write("open/large.png", std::string(2000, 'x'));
    fs::create_symlink(root_ / "secret.png", root_ / "open/out.png");
    fs::create_symlink("../secret.png", root_ / "open/up.png");
    fs::create_symlink("..", root_ / "open/parent");
    fs::create_symlink("/", root_ / "open/root");
    fs::create_symlink("/dev/zero", root_ / "open/zero.png");
    fs::create_symlink("loop.png", root_ / "open/loop.png");
    ASSERT_EQ(mkfifo((root_ / "open/pipe.png").c_str(), 0600), 0);
    folder_ = std::make_unique<MediaFolder>((root_ / "open").string());
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(root_ / name) << text; }
  std::string read(const std::string& path) const { return text_of(folder_->read(path, 1000)); }

  fs::path root_;
  std::unique_ptr<MediaFolder> folder_;
};

TEST_F(MediaFolderTest, FilesBelowAreRead) {
  const std::string open = (root_ / "open").string();
  for (const std::string& path : {std::string("a.png"), open + "/a.png", "file://" + open + "/a.png", "FILE://localhost" + open + "/a.png"}) {
    EXPECT_EQ(read(path), "A") << path;
  }
  EXPECT_EQ(read("sub dir/b.png"), "B");
  EXPECT_EQ(read("file://" + open + "/sub%20dir/b.png"), "B");
}

TEST_F(MediaFolderTest, NothingElseIs) {
  const std::string open = (root_ / "open").string(), url = "file://" + open;
  const std::vector<std::string> paths = {
      "../secret.png", "./../secret.png", "sub dir/../../secret.png", "a.png/../../secret.png", "..", ".", "", "/", "//", "...", "./a.png",
      "a.png/", "sub dir//b.png", "/etc/passwd.txt", "//etc/passwd", "/proc/self/environ", "/dev/zero.png", open, open + "/", open + "/..",
      open + "/../secret.png", open + "-secret/s.png", root_.string() + "/secret.png", "out.png", "up.png", "parent/secret.png", "root/etc/passwd",
      "zero.png", "loop.png", "pipe.png", "sub dir", "..\\secret.png", "..%2fsecret.png", "%2e%2e/secret.png", "..%5csecret.png",
      "..;/secret.png", "..%00/secret.png", std::string("a.png\0.txt", 10), "a.png\n", "\xc0\xae\xc0\xae/secret.png", "..%c0%af/secret.png",
      "\xe2\x80\xa5/secret.png", "%252e%252e/secret.png", url + "/../secret.png", url + "/%2e%2e/secret.png", url + "/%2E%2E%2Fsecret.png",
      url + "/..%2fsecret.png", url + "/..%5csecret.png", url + "/%252e%252e/secret.png", url + "/a.png%00", url + "/a.png?x", url + "/a.png#x",
      url + "/%zz", url + "/%2", url + "/", url, "file:", "file:/", "file://", "file:///", "file:///etc/passwd", "file:/etc/passwd",
      "file:etc/passwd", "file:////etc/passwd", "file://127.0.0.1/etc/passwd", "file://host" + open + "/a.png", "file://localhost/etc/passwd",
      "file:///proc/self/root/etc/passwd", "file:///" + std::string(5000, 'a'), "missing.png", url + "/missing.png", "~/.ssh/id.rsa", "$HOME/.x"};
  EXPECT_GE(paths.size(), 70u);
  for (const std::string& path : paths) {
    const std::string code = code_of([&] { read(path); });
    EXPECT_TRUE(code == "media_path_not_allowed" || code == "media_not_found") << path << " " << code;
  }
  EXPECT_EQ(code_of([&] { read("large.png"); }), "image_too_large");
  EXPECT_EQ(code_of([&] { MediaFolder((root_ / "nothing").string()); }), "bad_flag");
  EXPECT_EQ(code_of([&] { MediaFolder((root_ / "secret.png").string()); }), "bad_flag");
}

TEST(MediaSource, TheAccessDecides) {
  struct Access final : MediaAccess {
    bool allows_urls() const override { return true; }
    bool allows_files() const override { return true; }
    std::vector<std::byte> fetch(std::string_view, size_t, const std::atomic<bool>*) const override { return {std::byte{1}}; }
    std::vector<std::byte> read_file(std::string_view, size_t) const override { return {std::byte{2}}; }
  } access;
  const auto first = [&](const char* text) { return static_cast<int>(decode_media_source(text, 100, "", &access).at(0)); };
  EXPECT_EQ(first("https://a/"), 1);
  EXPECT_EQ(first("HTTP://a/"), 1);
  EXPECT_EQ(first("file:///a.png"), 2);
  EXPECT_EQ(first("a.png"), 2);
  EXPECT_EQ(first("AwAA"), 3);
  EXPECT_EQ(first("data:image/png;base64,AwAA"), 3);
  EXPECT_EQ(code_of([&] { decode_media_source("ftp://a/", 100, "", &access); }), "url_scheme_not_allowed");
}

}  // namespace
}  // namespace qvl
