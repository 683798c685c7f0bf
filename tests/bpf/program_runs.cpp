#include "tests/bpf/program_runs.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "agent/bpf/skeleton.h"
#include "marked_packet.skel.h"
#include "request.skel.h"
#include "tests/bpf/packet.h"

namespace manometer::test {
namespace {

constexpr uint32_t kSeries = 24;
constexpr uint32_t kEntries = REQUEST_ENTRY_DURATIONS + kSeries + 1;
constexpr uint32_t kTarget = 7;
constexpr uint64_t kTargetId = 4711;
constexpr uint32_t kCookies = 4096;

[[noreturn]] void fail(const char* what, int error = errno) {
  throw std::system_error(error, std::generic_category(), what);
}

void update(int map, uint32_t key, const void* value) {
  if (::bpf_map_update_elem(map, &key, value, BPF_ANY) != 0) fail("update a map");
}

UniqueFd make_entries() {
  UniqueFd entries(::bpf_map_create(BPF_MAP_TYPE_ARRAY, "request_entries", sizeof(uint32_t), sizeof(request_entry),
                                    kEntries, nullptr));
  if (!entries) fail("make entries");
  return entries;
}

request_entry read_entry(const UniqueFd& entries, uint32_t index) {
  request_entry entry{};
  if (::bpf_map_lookup_elem(entries.get(), &index, &entry) != 0) fail("read an entry");
  return entry;
}

}  // namespace

struct ProgramRuns::Bpf {
  bpf::Skeleton<request_bpf> agents;
  bpf::Skeleton<marked_packet_bpf> entry;
};

namespace {

void make_classifiers(std::initializer_list<bpf_program*> programs) {
  for (bpf_program* program : programs) {
    ::bpf_program__set_type(program, BPF_PROG_TYPE_SCHED_CLS);
    ::bpf_program__set_expected_attach_type(program, {});
  }
}

bpf::Skeleton<request_bpf> load_agents(ProgramRuns::As as, bool by_cookie, const UniqueFd& like) {
  auto opened = bpf::Skeleton<request_bpf>::open();
  if (!opened) throw std::runtime_error(opened.error().message());
  request_bpf& object = *opened->operator->();
  object.rodata->by_cookie = by_cookie;
  object.rodata->has_routes = true;
  object.rodata->max_series = kSeries;
  std::ranges::fill(object.rodata->slot_bounds, std::numeric_limits<__u64>::max());
  for (uint64_t i = 0; i < HISTOGRAM_SLOTS - 1; ++i) object.rodata->slot_bounds[i] = i << 20;
  ::bpf_map__set_max_entries(object.maps.request_sockets_by_cookie, kCookies);
  if (::bpf_map__set_inner_map_fd(object.maps.request_targets, like.get()) != 0) fail("set the inner map");
  if (as == ProgramRuns::As::kClassifier)
    make_classifiers({object.progs.request_in, object.progs.request_early, object.progs.request_out});
  if (const int code = request_bpf::load(&object); code != 0) fail("load the agent's programs", -code);
  return *std::move(opened);
}

bpf::Skeleton<marked_packet_bpf> load_entry(ProgramRuns::As as, const request_bpf& agents) {
  auto opened = bpf::Skeleton<marked_packet_bpf>::open();
  if (!opened) throw std::runtime_error(opened.error().message());
  marked_packet_bpf& object = *opened->operator->();
  ::bpf_map__reuse_fd(object.maps.request_sockets, ::bpf_map__fd(agents.maps.request_sockets));
  ::bpf_map__reuse_fd(object.maps.request_sockets_by_cookie, ::bpf_map__fd(agents.maps.request_sockets_by_cookie));
  if (as == ProgramRuns::As::kClassifier) make_classifiers({object.progs.marked_in, object.progs.marked_out});
  if (const int code = marked_packet_bpf::load(&object); code != 0) fail("load the test's programs", -code);
  const int in = ::bpf_program__fd(agents.progs.request_in);
  const int out = ::bpf_program__fd(agents.progs.request_out);
  update(::bpf_map__fd(object.maps.program_in), 0, &in);
  update(::bpf_map__fd(object.maps.program_out), 0, &out);
  return *std::move(opened);
}

/// In an Ethernet frame, if it is long enough to say what it is.
std::string framed(const std::string& packet) {
  return std::string(kEtherTypeAt, '\0') + packet.substr(std::min(kEtherTypeAt, packet.size()), 2) + packet;
}

}  // namespace

ProgramRuns::ProgramRuns(As as, bool by_cookie) : as_(as), entries_(make_entries()), neighbour_(make_entries()) {
  auto agents = load_agents(as, by_cookie, entries_);
  auto entry = load_entry(as, *agents.operator->());
  bpf_ = std::make_unique<Bpf>(Bpf{std::move(agents), std::move(entry)});
  request_entry head{};
  head.target.id = kTargetId;
  update(entries_.get(), REQUEST_ENTRY_TARGET, &head);
  const int targets = ::bpf_map__fd(bpf_->agents->maps.request_targets);
  const int entries = entries_.get();
  const int neighbour = neighbour_.get();
  update(targets, kTarget, &entries);
  for (const uint32_t other : {kTarget - 1, kTarget + 1}) update(targets, other, &neighbour);
}

ProgramRuns::~ProgramRuns() = default;

request_socket ProgramRuns::new_connection(uint32_t in_seq, uint32_t out_seq) {
  request_socket state{};
  state.target_id = kTargetId;
  state.target = kTarget;
  state.in.seq = in_seq;
  state.in.state = STREAM_FIRST;
  state.out.seq = out_seq;
  state.out.state = STREAM_FIRST;
  return state;
}

void ProgramRuns::set_state(const request_socket& state) {
  update(::bpf_map__fd(bpf_->entry->maps.state_before), 0, &state);
}

request_socket ProgramRuns::state() const {
  request_socket state{};
  const __u64 cookie = bpf_->entry->bss->cookie;
  const int map = ::bpf_map__fd(bpf_->agents->maps.request_sockets_by_cookie);
  if (::bpf_map_lookup_elem(map, &cookie, &state) != 0) fail("read the state");
  return state;
}

std::optional<uint32_t> ProgramRuns::run_program(const bpf_program* program, const std::string& packet) const {
  const std::string input = as_ == As::kClassifier ? packet : framed(packet);
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = input.data();
  options.data_size_in = static_cast<uint32_t>(input.size());
  options.repeat = 1;
  if (::bpf_prog_test_run_opts(::bpf_program__fd(program), &options) == 0) return options.retval;
  if (errno == EINVAL) return std::nullopt;
  fail("BPF_PROG_TEST_RUN");
}

std::optional<uint32_t> ProgramRuns::run(Direction direction, const std::string& packet) {
  const auto& programs = bpf_->entry->progs;
  return run_program(direction == Direction::kIn ? programs.marked_in : programs.marked_out, packet);
}

std::optional<uint32_t> ProgramRuns::run_unmarked(Direction direction, const std::string& packet) {
  const auto& programs = bpf_->agents->progs;
  return run_program(direction == Direction::kIn ? programs.request_in : programs.request_out, packet);
}

Totals ProgramRuns::totals() const {
  Totals totals{read_entry(entries_, REQUEST_ENTRY_TARGET).target, {}, 0};
  for (uint32_t i = 0; i < REQUEST_STAGES; ++i)
    totals.stages[i] = count_of(read_entry(entries_, REQUEST_ENTRY_STAGES + i).histogram);
  for (uint32_t i = REQUEST_ENTRY_DURATIONS; i < kEntries; ++i)
    totals.durations += count_of(read_entry(entries_, i).histogram);
  return totals;
}

uint64_t ProgramRuns::sum_of_neighbour() const {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < kEntries; ++i) {
    const request_entry entry = read_entry(neighbour_, i);
    sum += entry.histogram.sum_ns + count_of(entry.histogram);
  }
  return sum;
}

}  // namespace manometer::test
