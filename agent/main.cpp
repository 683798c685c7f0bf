#include "agent/base/log.h"

int main() {
  manometer::set_up_log("info");
}
