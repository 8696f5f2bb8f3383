// A server of the tests that answers with whatever bytes a test wants: an engine behind ours, or a host of pictures.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/serve/test_server.h"

namespace qvl {

class FakeUpstream {
 public:
  struct Request {
    std::string head, path, body;
    bool has(std::string_view text) const { return head.find(text) != head.npos; }
  };
  // One connection, while its answer is written.
  class Peer {
   public:
    explicit Peer(int fd) : fd_(fd) {}
    bool send(std::string_view bytes) {
      while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<size_t>(sent));
      }
      return true;
    }
    void reset() {
      const linger now{1, 0};
      ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    bool closed_within(int timeout_ms) {
      pollfd entry{fd_, POLLIN | POLLRDHUP, 0};
      return ::poll(&entry, 1, timeout_ms) == 1;
    }

   private:
    int fd_;
  };
  using Answer = std::function<void(Peer&, const Request&)>;

  explicit FakeUpstream(std::vector<std::string> models = {"big"}) : models_(std::move(models)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(fd_, 64);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    listener_ = std::thread([this] { accept_loop(); });
  }
  ~FakeUpstream() {
    stopping_ = true;
    ::shutdown(fd_, SHUT_RDWR);
    listener_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(fd_);
  }

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int posts() const { return posts_; }
  int connections() const { return connections_; }
  std::string last_body() const { return locked(last_.body); }
  std::string last_head() const { return locked(last_.head); }
  void set_health(int status) { health_ = status; }  // 0: closes the connection
  void set_answer(Answer answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }

  static std::string json(int status, const std::string& body, const std::string& extra = "") {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n" + extra + "\r\n" + body;
  }
  static std::string stream_head() {
    return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  }
  static std::string chunk(const std::string& bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }
  static std::string event(const std::string& delta, const std::string& finish = "null") {
    return R"(data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":)" + delta +
           R"(,"finish_reason":)" + finish + "}]}\n\n";
  }
  // role, one word, the end.
  static std::string whole_stream(const std::string& word) {
    return stream_head() + chunk(event(R"({"role":"assistant","content":""})")) + chunk(event(R"({"content":")" + word + "\"}")) +
           chunk(event("{}", "\"stop\"") + "data: [DONE]\n\n") + "0\r\n\r\n";
  }
  static Answer say(const std::string& bytes) {
    return [bytes](Peer& peer, const Request&) { peer.send(bytes); };
  }

 private:
  std::string locked(const std::string& text) const {
    const std::lock_guard lock(mutex_);
    return text;
  }
  void accept_loop() {
    while (!stopping_) {
      const int fd = ::accept(fd_, nullptr, nullptr);
      if (fd < 0) continue;
      ++connections_;
      threads_.emplace_back([this, fd] {
        serve(fd);
        ::close(fd);
      });
    }
  }
  void serve(int fd) {
    std::string bytes;
    char buffer[65536];
    size_t end = 0, length = 0;
    while ((end = bytes.find("\r\n\r\n")) == bytes.npos || bytes.size() < end + 4 + length) {
      const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) return;
      bytes.append(buffer, static_cast<size_t>(got));
      const size_t at = bytes.find("Content-Length: ");
      if (at != bytes.npos) length = std::stoul(bytes.substr(at + 16));
    }
    Request request{bytes.substr(0, end + 4), "", bytes.substr(end + 4)};
    const size_t space = request.head.find(' ');
    request.path = request.head.substr(space + 1, request.head.find(' ', space + 1) - space - 1);
    answer(fd, request);
  }
  void answer(int fd, const Request& request) {
    Peer peer(fd);
    if (request.path == "/health") {
      if (health_ > 0) peer.send(json(health_, "{}"));
      return;
    }
    if (request.path == "/v1/models") {
      Json data = Json::array();
      for (const std::string& id : models_) data.push_back({{"id", id}, {"object", "model"}, {"max_model_len", 4096}});
      peer.send(json(200, dump_json({{"object", "list"}, {"data", data}})));
      return;
    }
    Answer how;
    {
      const std::lock_guard lock(mutex_);
      last_ = request;
      how = answer_;
    }
    ++posts_;
    if (how) how(peer, request);
  }

  const std::vector<std::string> models_;
  int fd_ = -1, port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> health_{200}, posts_{0}, connections_{0};
  mutable std::mutex mutex_;  // guards answer_ and last_
  Answer answer_ = say(whole_stream("hello"));
  Request last_;
  std::vector<std::thread> threads_;  // of the listener's thread, and of the destructor
  std::thread listener_;
};

}  // namespace qvl
