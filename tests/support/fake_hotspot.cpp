// A library with functions named as those of libjvm that we look for, one split off from them, and its USDT probes.

#include <cstddef>
#include <sys/sdt.h>

namespace {
volatile int calls = 0;
}

// NOLINTBEGIN(readability-identifier-naming): HotSpot's names
extern "C" {
void stall_begin() asm("_ZN14ZPageAllocator16alloc_page_stallEP15ZPageAllocation");
void may_stall() asm("_ZN14ZPageAllocator19alloc_page_blockingEhm16ZAllocationFlags");
void no_stall() asm("_ZN5ZPage5resetEv");
void stall_end() asm("_ZNK18ZStatCriticalPhase12register_endEP17ConcurrentGCTimerRK5TicksS4_");
void safepoint_begin() asm("_ZN14RuntimeService22record_safepoint_beginEl");
void safepoint_end() asm("_ZN14RuntimeService20record_safepoint_endEl");
void gc_begin() asm("_ZN15VM_GC_Operation15notify_gc_beginEb");
void block() asm("_ZN23ShenandoahControlThread20handle_alloc_failureER22ShenandoahAllocRequest");
void block_if() asm("_ZN20ShenandoahController20handle_alloc_failureERK22ShenandoahAllocRequestb");
void unblock() asm("_ZN20ShenandoahController28notify_alloc_failure_waitersEv");
void pool_end(const char* manager, size_t manager_bytes, const char* pool, size_t pool_bytes, size_t initial,
              size_t used, size_t committed, size_t max) asm("fake_pool_end");
void abreast() asm("_ZN25ShenandoahCollectorPolicy25record_success_concurrentEv");
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
void may_stall() {
  calls = calls + 11;
}
void no_stall() {
  calls = calls + 12;
}
void block() {
  calls = calls + 7;
}
void block_if() {
  calls = calls + 8;
}
void unblock() {
  calls = calls + 9;
}
void abreast() {
  calls = calls + 10;
}
void safepoint_begin() {
  DTRACE_PROBE(hs_private, safepoint__begin);
  calls = calls + 4;
}
void safepoint_end() {
  DTRACE_PROBE(hs_private, safepoint__end);
  calls = calls + 5;
}
void pool_end(const char* manager, size_t manager_bytes, const char* pool, size_t pool_bytes, size_t initial,
              size_t used, size_t committed, size_t max) {
  DTRACE_PROBE8(hotspot, mem__pool__gc__end, manager, manager_bytes, pool, pool_bytes, initial, used, committed, max);
  calls = calls + 7;
}
void gc_begin() {
  DTRACE_PROBE1(hotspot, gc__begin, calls);
  DTRACE_PROBE(hotspot, gc__end);
  calls = calls + 6;
}
