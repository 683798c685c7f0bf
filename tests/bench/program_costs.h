#pragma once

namespace manometer::bench {

/// Rows about loading the request programs, and what their maps take.
void load_costs();

/// Rows about what each run of them takes, by the kernel's own count (kernel.bpf_stats), with the floor of that taken
/// off; and for a packet of a socket that nobody watches.
void program_costs();

}  // namespace manometer::bench
