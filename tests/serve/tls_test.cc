// TLS to engines behind the server: a certificate of one's own authority, known by SSL_CERT_FILE, and one that nobody vouches for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>

#include "serve/http_client.h"
#include "serve/http_url.h"
#include "tests/serve/test_server.h"

namespace qvl {
namespace {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const { Free(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;

void extend(X509* certificate, int nid, const char* value) {
  const std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
  ASSERT_NE(extension, nullptr);
  ASSERT_EQ(X509_add_ext(certificate, extension.get(), -1), 1);
}

// Signed by the issuer, or, without one, by itself: an authority.
Certificate make_certificate(const char* name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key, const char* alternative_names) {
  static long serial = 1;
  Certificate out(X509_new());
  X509_set_version(out.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(out.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(out.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(out.get()), 3600);
  X509_set_pubkey(out.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(out.get(), X509_get_subject_name(issuer ? issuer : out.get()));
  if (!issuer) extend(out.get(), NID_basic_constraints, "critical,CA:TRUE");
  if (alternative_names) extend(out.get(), NID_subject_alt_name, alternative_names);
  EXPECT_GT(X509_sign(out.get(), issuer ? issuer_key : key, EVP_sha256()), 0);
  return out;
}

// Answers every request of every connection with "hello", one after the other.
class TlsServer {
 public:
  TlsServer(X509* certificate, EVP_PKEY* key) : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_use_certificate(context_.get(), certificate);
    SSL_CTX_use_PrivateKey(context_.get(), key);
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(fd_, 8);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (int peer; (peer = ::accept(fd_, nullptr, nullptr)) >= 0; ::close(peer)) answer(peer);
    });
  }
  ~TlsServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::string url(const std::string& host) const { return "https://" + host + ":" + std::to_string(port_) + "/"; }

 private:
  void answer(int peer) {
    const std::unique_ptr<SSL, Freed<SSL_free>> tls(SSL_new(context_.get()));
    SSL_set_fd(tls.get(), peer);
    char buffer[4096];
    if (SSL_accept(tls.get()) != 1 || SSL_read(tls.get(), buffer, sizeof buffer) <= 0) return;
    constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    SSL_write(tls.get(), kAnswer.data(), static_cast<int>(kAnswer.size()));
    SSL_shutdown(tls.get());
  }

  std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> context_;
  int fd_ = -1, port_ = 0;
  std::thread thread_;
};

class Tls : public testing::Test {
 protected:
  Tls() {
    std::FILE* file = std::fopen(file_.c_str(), "w");
    PEM_write_X509(file, authority_.get());
    std::fclose(file);
  }
  ~Tls() override {
    ::unsetenv("SSL_CERT_FILE");
    std::filesystem::remove(file_);
  }
  FetchResult fetch(const std::string& url) {
    HttpClient client;  // reads SSL_CERT_FILE
    ClientRequest request;
    request.url = parse_http_url(url);
    if (!request.url.address) request.addresses = {"127.0.0.1"};
    std::promise<FetchResult> result;
    client.fetch(request, 1000, [&](FetchResult got) { result.set_value(std::move(got)); });
    return result.get_future().get();
  }

  const std::string file_ = testing::TempDir() + "qvl_tls_" + std::to_string(::getpid()) + ".pem";
  Key authority_key_{EVP_EC_gen("P-256")}, key_{EVP_EC_gen("P-256")};
  Certificate authority_ = make_certificate("our authority", authority_key_.get(), nullptr, nullptr, nullptr);
  Certificate certificate_ =
      make_certificate("engine", key_.get(), authority_.get(), authority_key_.get(), "DNS:engine.example,IP:127.0.0.1");
};

TEST_F(Tls, OnesOwnAuthorityIsBelieved) {
  const TlsServer server(certificate_.get(), key_.get());
  ::setenv("SSL_CERT_FILE", file_.c_str(), 1);
  for (const char* host : {"127.0.0.1", "engine.example"}) {
    const FetchResult result = fetch(server.url(host));
    EXPECT_EQ(result.status, 200) << host << ": " << result.reason;
    EXPECT_EQ(result.body, "hello");
  }
}

TEST_F(Tls, AnotherNameAndAnUnknownAuthorityAreRefused) {
  const TlsServer server(certificate_.get(), key_.get());
  const FetchResult unknown = fetch(server.url("127.0.0.1"));
  EXPECT_EQ(unknown.status, 0);
  EXPECT_THAT(unknown.reason, testing::HasSubstr("certificate"));
  ::setenv("SSL_CERT_FILE", file_.c_str(), 1);
  EXPECT_EQ(fetch(server.url("other.example")).status, 0);
  Certificate own = make_certificate("engine", key_.get(), nullptr, nullptr, "IP:127.0.0.1");
  const TlsServer self_signed(own.get(), key_.get());
  const FetchResult result = fetch(self_signed.url("127.0.0.1"));
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.reason, testing::HasSubstr("certificate"));
}

}  // namespace
}  // namespace qvl
