#pragma once

#include <cerrno>
#include <memory>
#include <string>

#include "agent/base/result.h"

namespace manometer::bpf {

/// Sends libbpf's messages to our log, at level debug: what matters of them comes back as an Error.
void set_up_libbpf_log();

/// A BPF object from its skeleton (bpftool gen skeleton), open until destroyed; then its programs are detached, its
/// maps freed.
template <typename Object>
class Skeleton {
 public:
  /// Parses the embedded object. Options in its rodata can be set before load_and_attach().
  static Result<Skeleton> open() {
    Skeleton skeleton(Object::open());
    if (!skeleton.object_) return Error::from_errno("open BPF object");
    return skeleton;
  }

  Result<void> load_and_attach() {
    if (const int code = Object::load(object_.get()); code != 0) return Error::from_errno("load BPF programs", -code);
    if (const int code = Object::attach(object_.get()); code != 0)
      return Error::from_errno("attach BPF programs", -code);
    return {};
  }

  Object* operator->() const { return object_.get(); }

 private:
  struct Destroy {
    void operator()(Object* object) const { Object::destroy(object); }
  };

  explicit Skeleton(Object* object) : object_(object) {}

  std::unique_ptr<Object, Destroy> object_;
};

}  // namespace manometer::bpf
