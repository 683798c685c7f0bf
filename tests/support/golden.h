#pragma once

#include <string>

#include "tests/support/source_path.h"

namespace manometer::test {

/// True if golden files are to be rewritten instead of compared (MANOMETER_UPDATE_GOLDEN=1).
bool updating_golden();

/// Expects the file's content; on a difference says how to update it.
void expect_golden_file(const std::string& path, const std::string& actual);

/// The same for the part of a file between "<!-- begin NAME -->" and "<!-- end NAME -->".
void expect_golden_section(const std::string& path, const std::string& name, const std::string& actual);

}  // namespace manometer::test
