#include "agent/jvm/gc_watch.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <utility>

#include <fmt/format.h>

#include "agent/jvm/collector_names.h"
#include "agent/probes/libjvm_sites.h"

namespace manometer::jvm {
namespace {

TimePoint now() {
  return std::chrono::steady_clock::now();
}

/// ZGC and Shenandoah bring their counters up to date before they free, or while they do. Of ZGC of JDK 11, which
/// counts no collections, nothing tells.
bool tells_what_is_left(const PerfReader& reader) {
  const JvmIdentity* const identity = reader.identity();
  if (identity == nullptr || reader.tier() == Tier::kUsdt) return false;
  return !collects_concurrently(identity->collector) || identity->collectors.empty();
}

}  // namespace

void GcWatch::follow(Registry& registry) {
  registry.on_looked_at = [this](const ProcessKey& key, const PerfReader& reader) { add(key, reader); };
  registry.read_stalls = [this](const ProcessKey& key) { return stalls(key); };
  registry.read_pools = [this](const ProcessKey& key) { return pools(key); };
}

void GcWatch::add(const ProcessKey& key, const PerfReader& reader) {
  const auto [known, fresh] = jvms_.try_emplace(key);
  Known& jvm = known->second;
  jvm.with_pools = !tells_what_is_left(reader);
  if (!jvm.with_pools) {
    probe_.forget_pools(key.pid);
    stop_pools(jvm);
  }
  if (const JvmIdentity* identity = reader.identity()) {
    const gc_words words = reader.words();
    const bool changed = std::memcmp(&words, &jvm.words, sizeof(words)) != 0;
    jvm.words = words;
    jvm.collector = identity->collector;
    if (!fresh && changed) probe_.set_words(key.pid, words);  // it had none when it was looked at before
  }
  if (!fresh) return;
  jvm.number = ++last_number_;
  jvm.added_at = now();
  pool_.run([process = reader.process()] { return open_libjvm(process); },
            [this, key, number = jvm.number](Result<std::optional<LibjvmFile>> opened) {
              this->opened(key, number, std::move(opened));
            });
}

void GcWatch::opened(const ProcessKey& key, uint64_t number, Result<std::optional<LibjvmFile>> opened) {
  const auto jvm = jvms_.find(key);
  if (jvm == jvms_.end() || jvm->second.number != number) return;
  if (opened && *opened) {
    use(key, **std::move(opened));
    return;
  }
  jvm->second.pending = false;
  if (!opened) warn(opened.error());
}

void GcWatch::use(const ProcessKey& key, LibjvmFile opened) {
  Known& jvm = jvms_[key];
  if (libraries_.size() >= kMaxLibraries && !libraries_.contains(opened.key)) {
    jvm.pending = false;
    warn(Error(fmt::format("JVMs of more than {} different libjvm.so", kMaxLibraries)));
    return;
  }
  jvm.library = opened.key;
  const auto [library, fresh] = libraries_.try_emplace(opened.key);
  ++library->second.users;
  if (fresh) {
    attach(opened.key, std::move(opened.file));
  } else if (!library->second.pending) {
    start(key, jvm);
  }
}

Result<GcWatch::Attached> GcWatch::attach_to(const probes::GcProbe& probe, UniqueFd file) {
  auto sites = probes::find_libjvm_sites(file.get());
  if (!sites) return std::move(sites).error();
  auto attachment = probe.attach(file.get(), *sites);
  if (!attachment) return std::move(attachment).error();
  return Attached{*std::move(attachment), std::move(file), *std::move(sites)};
}

void GcWatch::attach(const LibjvmKey& key, UniqueFd file) {
  const uint64_t number = libraries_[key].number = ++last_number_;
  libraries_pool_.run(
      [&probe = probe_, file = std::move(file)]() mutable { return attach_to(probe, std::move(file)); },
      [this, key, number](Result<Attached> attached) { this->attached(key, number, std::move(attached)); });
}

void GcWatch::attached(const LibjvmKey& key, uint64_t number, Result<Attached> attached) {
  const auto library = libraries_.find(key);
  const bool wanted = library != libraries_.end() && library->second.number == number;
  if (!wanted) {
    if (attached) detach(std::move(attached->attachment));
    return;
  }
  library->second.pending = false;
  if (attached) {
    library->second.attached = *std::move(attached);
  } else {
    warn(attached.error());
  }
  for (auto& [jvm, known] : jvms_) {
    if (known.library == key) start(jvm, known);
  }
}

void GcWatch::detach(std::optional<probes::GcProbe::Attachment> attachment) {
  if (!attachment) return;
  libraries_pool_.run(
      [attachment = std::move(attachment)]() mutable {
        attachment.reset();
        return true;
      },
      [](bool) {});
}

void GcWatch::start(const ProcessKey& key, Known& jvm) {
  jvm.pending = false;
  const Attached* attached = attached_to(jvm);
  if (attached == nullptr) return;
  if (collects_concurrently(jvm.collector) && !tells_stalls(*attached, jvm.collector))
    warn(Error("libjvm.so: has no symbols of " + jvm.collector + ", or was stripped"));
  const bool tells_stops = attached->sites.tells_pauses();
  if (!tells_stops) warn(Error("libjvm.so: has no USDT probes, and no symbols of safepoints"));
  const auto watched = probe_.watch(key.pid, jvm.words);
  if (!watched) warn(watched.error());
  if (jvm.with_pools && tells_stops) start_pools(key, jvm);
}

void GcWatch::start_pools(const ProcessKey& key, Known& jvm) {
  Library& library = libraries_[*jvm.library];
  const probes::LibjvmSites& sites = library.attached->sites;
  if (!sites.tells_pools()) {
    const std::string why = sites.no_pools.empty() ? "it has none" : sites.no_pools;
    warn(Error("libjvm.so: its USDT probe of memory pools cannot be used: " + why));
    return;
  }
  const auto watched = probe_.watch_pools(key.pid, sites.pool_arguments);
  if (!watched) {
    warn(watched.error());
    return;
  }
  jvm.uses_pools = true;
  ++library.pool_users;
  if (!library.pools && !library.pools_pending) attach_pools(*jvm.library, library);
}

void GcWatch::stop_pools(Known& jvm) {
  if (!std::exchange(jvm.uses_pools, false)) return;
  Library& library = libraries_[*jvm.library];
  if (--library.pool_users == 0) detach(std::exchange(library.pools, std::nullopt));
}

void GcWatch::attach_pools(const LibjvmKey& key, Library& library) {
  library.pools_pending = true;
  // Of its own: the library can be given up meanwhile.
  UniqueFd file(::fcntl(library.attached->file.get(), F_DUPFD_CLOEXEC, 0));
  libraries_pool_.run([&probe = probe_, file = std::move(file),
                       sites = library.attached->sites] { return probe.attach_pools(file.get(), sites); },
                      [this, key, number = library.number](Result<probes::GcProbe::Attachment> pools) {
                        attached_pools(key, number, std::move(pools));
                      });
}

void GcWatch::attached_pools(const LibjvmKey& key, uint64_t number, Result<probes::GcProbe::Attachment> pools) {
  if (!pools) warn(pools.error());  // the next JVM tries it again
  const auto library = libraries_.find(key);
  const bool known = library != libraries_.end() && library->second.number == number;
  if (known) library->second.pools_pending = false;
  if (!pools) return;
  if (known && library->second.pool_users > 0) {
    library->second.pools = *std::move(pools);
  } else {
    detach(*std::move(pools));
  }
}

void GcWatch::remove(const ProcessKey& key) {
  const auto jvm = jvms_.find(key);
  if (jvm == jvms_.end()) return;
  const auto used = jvm->second.library;
  // By its library: what the JVM says of its collector need not be so.
  const Attached* attached = attached_to(jvm->second);
  const bool with_waits = attached != nullptr && attached->sites.tells_stalls_of_zgc();
  stop_pools(jvm->second);
  jvms_.erase(jvm);
  probe_.forget(key.pid);
  if (with_waits) {
    // Looks at all waits there are, which can be many.
    libraries_pool_.run(
        [&probe = probe_, pid = key.pid] {
          probe.forget_waits(pid);
          return true;
        },
        [](bool) {});
  }
  if (!used || --libraries_[*used].users > 0) return;
  Library library = std::move(libraries_.extract(*used).mapped());
  if (library.attached) detach(std::move(library.attached->attachment));
  detach(std::move(library.pools));
}

const GcWatch::Attached* GcWatch::attached_to(const Known& jvm) const {
  if (!jvm.library) return nullptr;
  const auto& attached = libraries_.at(*jvm.library).attached;
  return attached ? &*attached : nullptr;
}

std::optional<gc_process> GcWatch::stalls(const ProcessKey& key) const {
  const auto jvm = jvms_.find(key);
  if (jvm == jvms_.end()) return std::nullopt;
  const Attached* attached = attached_to(jvm->second);
  const bool tells = attached != nullptr && tells_stalls(*attached, jvm->second.collector);
  return tells ? probe_.read(key.pid) : std::nullopt;
}

bool GcWatch::tells_stalls(const Attached& attached, std::string_view collector) {
  if (is_zgc(collector)) return attached.sites.tells_stalls_of_zgc();
  return collects_concurrently(collector) && attached.sites.tells_stalls_of_shenandoah();
}

std::optional<PoolReading> GcWatch::pools(const ProcessKey& key) const {
  const auto jvm = jvms_.find(key);
  if (jvm == jvms_.end() || !jvm->second.with_pools) return std::nullopt;
  const auto pools = probe_.read_pools(key.pid);
  const auto process = pools ? probe_.read(key.pid) : std::nullopt;
  return process ? read_pools(*pools, *process) : std::nullopt;
}

std::optional<GcWatch::Stops> GcWatch::stops(const ProcessKey& key) const {
  const auto jvm = jvms_.find(key);
  const Attached* attached = jvm == jvms_.end() ? nullptr : attached_to(jvm->second);
  if (attached == nullptr || !attached->sites.tells_pauses()) return std::nullopt;
  const auto process = probe_.read(key.pid);
  if (!process) return std::nullopt;
  return Stops{attached->sites.pauses_by, *process, probe_.read_pauses(key.pid, *process)};
}

bool GcWatch::is_pending(const ProcessKey& key) const {
  constexpr std::chrono::seconds kPatience{10};
  const auto jvm = jvms_.find(key);
  return jvm != jvms_.end() && jvm->second.pending && now() - jvm->second.added_at < kPatience;
}

bool GcWatch::tells_stops(const ProcessKey& key) const {
  const auto jvm = jvms_.find(key);
  const Attached* attached = jvm == jvms_.end() ? nullptr : attached_to(jvm->second);
  return attached != nullptr && attached->sites.tells_pauses() && probe_.read(key.pid);
}

bool GcWatch::is_any_pending() const {
  return std::ranges::any_of(jvms_, [](const auto& entry) { return entry.second.pending; });
}

void GcWatch::warn(const Error& error) {
  log_.warn("gc: " + error.message(), "gc probe: " + printable(error.message()));
}

}  // namespace manometer::jvm
