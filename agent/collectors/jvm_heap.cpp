#include "agent/collectors/jvm_heap.h"

#include <array>

namespace manometer::collectors {
namespace {

using metrics::kGauge;
using metrics::kMinimal;
using metrics::Metric;

constexpr Metric kInfo{
    "manometer_jvm_info",
    "A JVM that we know, always 1. tier: how it is read (hsperfdata, memory, usdt or none); reason: why it is not.",
    kGauge, "vm,version,collector,tier,reason", kMinimal};
constexpr Metric kAge{"manometer_jvm_sample_age_seconds", "Time since the values of this JVM were read.", kGauge};
constexpr Metric kUsed{
    "manometer_jvm_heap_used_bytes",
    "Heap used. updated: when this JVM brings the number up to date (continuously, periodically, at_gc).", kGauge,
    "updated"};
constexpr Metric kCommitted{"manometer_jvm_heap_committed_bytes",
                            "Heap the JVM has from the system, both survivor spaces included.", kGauge};
constexpr Metric kMax{"manometer_jvm_heap_max_bytes", "Largest size of the heap (-Xmx).", kGauge, "", kMinimal};
constexpr Metric kLive{
    "manometer_jvm_heap_live_bytes",
    "What was alive after the last collection of the old generation. source: collection (but for what came "
    "since; with ZGC and Shenandoah the least that the last three cycles left, so growth shows up to five minutes "
    "later), lowest_used (where they do not tell: the lowest use of some cycles or of five minutes).",
    kGauge, "source", kMinimal};
constexpr Metric kGenerationUsed{"manometer_jvm_generation_used_bytes",
                                 "Used bytes of a generation; collectors with two only.", kGauge, "generation"};
constexpr Metric kGenerationCommitted{"manometer_jvm_generation_committed_bytes", "Committed bytes of a generation.",
                                      kGauge, "generation"};
constexpr Metric kGenerationMax{"manometer_jvm_generation_max_bytes",
                                "Largest size of a generation; with G1 and ZGC each may take the whole heap.", kGauge,
                                "generation"};
constexpr std::array kMetrics{
    kInfo, kAge, kUsed, kCommitted, kMax, kLive, kGenerationUsed, kGenerationCommitted, kGenerationMax};
constexpr std::array kGenerations{"young", "old"};

void add(metrics::Batch& batch, const Metric& metric, const metrics::Labels& target, std::optional<uint64_t> value,
         std::initializer_list<metrics::Label> more = {}) {
  if (value) batch.add(metric, target, more, static_cast<double>(*value));
}

void add_info(metrics::Batch& batch, const metrics::Labels& target, const jvm::Jvm& jvm) {
  metrics::Labels labels = target;
  const auto add_known = [&](const char* name, std::string_view value) {
    if (!value.empty()) labels.push_back({name, std::string(value)});
  };
  if (jvm.identity) {
    add_known("vm", jvm.identity->vm);
    add_known("version", jvm.identity->version);
    add_known("collector", jvm.identity->collector);
  }
  add_known("tier", to_string(jvm.refusal ? jvm::Tier::kNone : jvm.tier));
  if (jvm.refusal) add_known("reason", to_string(jvm.refusal->failure));
  batch.add(kInfo, labels, 1);
}

void add_heap(metrics::Batch& batch, const metrics::Labels& target, const jvm::Jvm& jvm) {
  const jvm::PerfSample& sample = *jvm.sample;
  const std::chrono::duration<double> age = std::chrono::steady_clock::now() - jvm.sampled_at;
  batch.add(kAge, target, age.count());
  const std::string updated(to_string(jvm.identity->used_update));
  add(batch, kUsed, target, sample.heap.used_bytes, {{"updated", updated}});
  add(batch, kCommitted, target, sample.heap.committed_bytes);
  add(batch, kMax, target, sample.heap.max_bytes);
  add(batch, kLive, target, jvm.live.bytes(), {{"source", std::string(jvm.live.source())}});
  if (sample.generations.size() < kGenerations.size()) return;
  for (size_t i = 0; i < kGenerations.size(); ++i) {
    const jvm::GenerationSample& generation = sample.generations[i];
    add(batch, kGenerationUsed, target, generation.used_bytes, {{"generation", kGenerations[i]}});
    add(batch, kGenerationCommitted, target, generation.committed_bytes, {{"generation", kGenerations[i]}});
    add(batch, kGenerationMax, target, generation.max_bytes, {{"generation", kGenerations[i]}});
  }
}

}  // namespace

std::span<const Metric> JvmHeap::metrics() const {
  return kMetrics;
}

Result<void> JvmHeap::collect(metrics::Batch& batch) {
  for (const auto& [key, jvm] : jvms_.jvms()) {
    const metrics::Labels target = jvms_.target(jvm).labels();
    if (jvm.sample || jvm.refusal) add_info(batch, target, jvm);
    if (jvm.sample && !jvm.refusal) add_heap(batch, target, jvm);
  }
  return {};
}

}  // namespace manometer::collectors
