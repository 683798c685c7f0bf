// Workload.java's command "replace": what some launchers written in Java end with.

#include <unistd.h>

// The name is JNI's, and so are the two arguments, the environment and the class, that we do without.
extern "C" void Java_Workload_replace(void*, void*) {  // NOLINT(readability-identifier-naming)
  ::execl("/bin/sleep", "sleep", "600", nullptr);
}
