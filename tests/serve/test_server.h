// A server in this process over a FakeEngine, and a raw client that can send what no library would.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "serve/http_server.h"
#include "tests/chat/tiny_model.h"

namespace qvl {

struct Reply {
  int status = 0;  // 0: the connection closed without an answer
  std::string head, body;
  bool has_header(std::string_view text) const { return head.find(text) != head.npos; }
  // "code" of the error object, or "-".
  std::string code() const {
    try {
      const Json json = Json::parse(body);
      if (json.contains("error") && json["error"]["code"].is_string()) return json["error"]["code"].get<std::string>();
    } catch (const Json::exception&) {
    }
    return "-";
  }
};

class Client {
 public:
  explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // Ends with a reset instead of a FIN.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // More bytes into pending(); false at the end of the stream or after the time.
  bool receive(int timeout_ms) {
    pollfd entry{fd_, POLLIN, 0};
    if (::poll(&entry, 1, timeout_ms) != 1) return false;
    char buffer[65536];
    const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
    if (got <= 0) {
      ended_ = true;
      return false;
    }
    pending_.append(buffer, static_cast<size_t>(got));
    return true;
  }
  bool wait_for(std::string_view text, int timeout_ms = 10000) {
    while (pending_.find(text) == pending_.npos) {
      if (!receive(timeout_ms)) return false;
    }
    return true;
  }
  // True where the server closes within the time.
  bool closed_within(int timeout_ms) {
    while (receive(timeout_ms)) {
    }
    return ended_;
  }
  // One answer with Content-Length, or until the end of chunks, out of pending().
  Reply read_reply(int timeout_ms = 10000) {
    Reply reply;
    if (!wait_for("\r\n\r\n", timeout_ms)) return reply;
    const size_t end = pending_.find("\r\n\r\n") + 4;
    reply.head = pending_.substr(0, end);
    pending_.erase(0, end);
    reply.status = std::stoi(reply.head.substr(9, 3));
    const size_t length_at = reply.head.find("Content-Length: ");
    if (length_at != reply.head.npos) {
      const size_t length = std::stoul(reply.head.substr(length_at + 16));
      while (pending_.size() < length && receive(timeout_ms)) {
      }
      reply.body = pending_.substr(0, length);
      pending_.erase(0, length);
    } else if (reply.has_header("chunked")) {
      while (true) {
        while (pending_.find("\r\n") == pending_.npos && receive(timeout_ms)) {
        }
        const size_t line = pending_.find("\r\n");
        if (line == pending_.npos) break;
        const size_t size = std::stoul(pending_.substr(0, line), nullptr, 16);
        while (pending_.size() < line + 4 + size && receive(timeout_ms)) {
        }
        reply.body += pending_.substr(line + 2, size);
        pending_.erase(0, line + 4 + size);
        if (size == 0) break;
      }
    }
    return reply;
  }
  bool connected() const { return connected_; }
  const std::string& pending() const { return pending_; }

 private:
  int fd_;
  bool connected_ = false, ended_ = false;
  std::string pending_;
};

class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}) {
    models_.add(tiny_model("demo", TemplateKind::kInstruct, engine));
    models_.add(tiny_model("demo-thinking", TemplateKind::kThinking, engine));
    engine.set_script({.ids = ids_of("A red circle.")});
    options.port = 0;
    options.handle_signals = false;
    if (options.limits.drain_timeout == ServerLimits().drain_timeout) options.limits.drain_timeout = {};
    server = std::make_unique<HttpServer>(std::move(options), models_);
    server->bind();
    // The logger makes itself at its first use, in a library that ThreadSanitizer cannot see into: before there are threads, as in
    // the program itself.
    spdlog::default_logger_raw();
    thread_ = std::thread([this] { server->run(); });
  }
  ~TestServer() { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    server->stop();
    thread_.join();
  }

  int port() const { return server->port(); }
  std::string host() const { return "127.0.0.1:" + std::to_string(port()); }
  // A head with Host; extra: further lines, each with its CR LF.
  std::string head(std::string_view line, std::string_view extra = "") const {
    return std::string(line) + " HTTP/1.1\r\nHost: " + host() + "\r\n" + std::string(extra) + "\r\n";
  }
  std::string post(std::string_view path, std::string_view body, std::string_view extra = "") const {
    return head("POST " + std::string(path), "Content-Type: application/json\r\nContent-Length: " +
                                                 std::to_string(body.size()) + "\r\n" + std::string(extra)) +
           std::string(body);
  }
  Reply request(std::string_view bytes, int timeout_ms = 10000) const {
    Client client(port());
    client.send(bytes);
    return client.read_reply(timeout_ms);
  }
  Reply get(std::string_view path, std::string_view extra = "") const {
    return request(head("GET " + std::string(path), extra));
  }
  Reply chat(std::string_view body, std::string_view extra = "") const {
    return request(post("/v1/chat/completions", body, extra));
  }

  FakeEngine engine{4096};
  std::unique_ptr<HttpServer> server;

 private:
  ModelRegistry models_;
  std::thread thread_;
};

// Waits until the condition holds, at most that long.
template <typename Condition>
bool eventually(const Condition& condition, int timeout_ms = 5000) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (std::chrono::steady_clock::now() < until) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return condition();
}

}  // namespace qvl
