// An open file descriptor that closes itself.
#pragma once

#include <unistd.h>

namespace qvl {

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}  // negative: none
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace qvl
