#include "agent/jvm/gc_watch.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "agent/jvm/perf_region.h"
#include "agent/node/mapped_file.h"
#include "agent/node/read_file.h"
#include "agent/probes/libjvm_sites.h"

namespace manometer::jvm {

Result<std::optional<GcWatch::Opened>> GcWatch::open_libjvm(const node::Process& process) {
  constexpr uint64_t kMaxBytes = 1 << 30;  // with all its symbols it has 30 MB, with those of a debugger 300
  const auto maps = process.maps();
  if (!maps) return maps.error();
  const node::Mapping* mapping = *maps ? find_libjvm(**maps) : nullptr;
  if (mapping == nullptr) return std::optional<Opened>();
  const UniqueFd path(::openat(process.directory(), node::mapped_file(*mapping).c_str(), O_PATH | O_CLOEXEC));
  if (!path && node::is_gone(errno)) return std::optional<Opened>();
  if (!path) return Error::from_errno("open libjvm.so");
  auto file = node::reopen_regular(path, mapping->inode, kMaxBytes, "libjvm.so");
  if (!file) return std::move(file).error();
  struct stat status {};
  if (::fstat(file->get(), &status) != 0) return Error::from_errno("stat libjvm.so");
  return std::optional(Opened{*std::move(file), {status.st_dev, status.st_ino}});
}

void GcWatch::add(const ProcessKey& key, const node::Process& process) {
  if (!jvms_.try_emplace(key).second) return;
  pool_.run([process] { return open_libjvm(process); },
            [this, key](Result<std::optional<Opened>> opened) {
              if (!opened) {
                warn(opened.error());
              } else if (*opened && jvms_.contains(key)) {
                use(key, **std::move(opened));
              }
            });
}

void GcWatch::use(const ProcessKey& key, Opened opened) {
  jvms_[key] = opened.key;
  const auto [library, fresh] = libraries_.try_emplace(opened.key);
  ++library->second.users;
  if (fresh) {
    attach(opened.key, std::move(opened.file));
  } else if (library->second.attachment) {
    start(key);
  }
}

void GcWatch::attach(const LibraryKey& key, UniqueFd file) {
  const uint64_t number = libraries_[key].number = ++last_number_;
  pool_.run(
      [&probe = probe_, file = std::move(file)]() -> Result<probes::GcProbe::Attachment> {
        const auto sites = probes::find_libjvm_sites(file.get());
        if (!sites) return sites.error();
        if (!sites->tells_stalls()) return Error("libjvm.so: has no symbols of ZGC, or was stripped of them");
        return probe.attach(file.get(), *sites);
      },
      [this, key, number](Result<probes::GcProbe::Attachment> attachment) {
        attached(key, number, std::move(attachment));
      });
}

void GcWatch::attached(const LibraryKey& key, uint64_t number, Result<probes::GcProbe::Attachment> attachment) {
  const auto library = libraries_.find(key);
  const bool wanted = library != libraries_.end() && library->second.number == number;
  if (!attachment) {
    warn(attachment.error());
  } else if (!wanted) {
    detach(*std::move(attachment));
  } else {
    library->second.attachment = *std::move(attachment);
    for (const auto& [jvm, used] : jvms_) {
      if (used == key) start(jvm);
    }
  }
}

void GcWatch::detach(probes::GcProbe::Attachment attachment) {
  pool_.run(
      [attachment = std::move(attachment)]() mutable {
        attachment.clear();
        return true;
      },
      [](bool) {});
}

void GcWatch::start(const ProcessKey& key) {
  const auto watched = probe_.watch(key.pid);
  if (!watched) warn(watched.error());
}

void GcWatch::remove(const ProcessKey& key) {
  const auto jvm = jvms_.find(key);
  if (jvm == jvms_.end()) return;
  const auto used = jvm->second;
  jvms_.erase(jvm);
  probe_.forget(key.pid);
  if (!used || --libraries_[*used].users > 0) return;
  auto attachment = std::move(libraries_[*used].attachment);
  libraries_.erase(*used);
  if (attachment) detach(*std::move(attachment));
}

std::optional<gc_process> GcWatch::read(const ProcessKey& key) const {
  return jvms_.contains(key) ? probe_.read(key.pid) : std::nullopt;
}

void GcWatch::warn(const Error& error) {
  log_.warn("stalls: " + error.message(), "allocation stalls are not measured: " + printable(error.message()));
}

}  // namespace manometer::jvm
