#include "agent/requests/mark.h"

#include <cerrno>
#include <optional>

#include <bpf/bpf.h>

#include "agent/node/process_sockets.h"
#include "bpf/request.h"

namespace manometer::requests {
namespace {

bool is_marked(const Mark& mark, int socket, const std::set<uint64_t>& known) {
  request_socket found{};
  return ::bpf_map_lookup_elem(mark.map, &socket, &found) == 0 && known.contains(found.target_id);
}

/// Whether a response may be under way whose request we have not seen: unless the last thing to happen was that
/// something was sent, or nothing did.
bool may_be_answering(const node::ServerSocket& socket) {
  return socket.bytes_received > 0 && socket.since_received <= socket.since_sent;
}

std::optional<Error> set_mark(const Mark& mark, const node::ServerSocket& socket, const std::set<uint64_t>& known) {
  // What has a mark and a target is known better than we can know it.
  if (is_marked(mark, socket.fd, known)) return std::nullopt;
  request_socket value{};
  value.target_id = mark.target_id;
  value.target = mark.target_index;
  if (!socket.is_listener) {
    value.before_agent = may_be_answering(socket) ? REQUEST_RESPONSE_UNDER_WAY : REQUEST_CONNECTION_KNOWN_LATE;
  }
  if (::bpf_map_update_elem(mark.map, &socket.fd, &value, BPF_ANY) == 0) return std::nullopt;
  return Error::from_errno("mark a socket");
}

}  // namespace

Result<void> mark_sockets(const node::Process& process, const Mark& mark, const std::set<uint64_t>& known) {
  std::optional<Error> failed;
  const auto visited = node::visit_server_sockets(process, [&](const node::ServerSocket& socket) {
    auto error = set_mark(mark, socket, known);
    if (error) failed = std::move(error);
  });
  if (!visited) return visited.error();
  if (failed) return *std::move(failed);
  if (*visited && !(*visited)->all) return Error("it has more descriptors than are looked at");
  return {};
}

}  // namespace manometer::requests
