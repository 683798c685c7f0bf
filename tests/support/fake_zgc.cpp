// A library with functions named as those of ZGC that we look for, and one split off from them.

namespace {
volatile int calls = 0;
}

// NOLINTBEGIN(readability-identifier-naming): HotSpot's names
extern "C" {
void stall_begin() asm("_ZN14ZPageAllocator16alloc_page_stallEP15ZPageAllocation");
void stall_end() asm("_ZNK18ZStatCriticalPhase12register_endEP17ConcurrentGCTimerRK5TicksS4_");
void stall_part() asm("_ZN14ZPageAllocator16alloc_page_stallEP15ZPageAllocation.cold");
}
// NOLINTEND(readability-identifier-naming)

void stall_begin() {
  calls = calls + 1;
}
void stall_end() {
  calls = calls + 2;
}
void stall_part() {
  calls = calls + 3;
}
