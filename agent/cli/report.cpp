#include "agent/cli/report.h"

#include <algorithm>
#include <iterator>

#include <boost/json/src.hpp>  // header-only use: one translation unit compiles the library
#include <fmt/format.h>

#include "agent/base/log.h"
#include "agent/cli/pressure_table.h"

namespace manometer::cli {
namespace {

namespace json = boost::json;

size_t widest_name(const Report& report) {
  size_t width = 0;
  for (const Finding& finding : report.findings) width = std::max(width, finding.name.size());
  return width;
}

json::object to_object(const Finding& finding) {
  return {{"name", finding.name},
          {"status", std::string(to_string(finding.status))},
          {"required", finding.required},
          {"detail", finding.detail},
          {"advice", finding.advice}};
}

json::object to_object(const jvm::Pressure& pressure) {
  const auto value = [](std::optional<double> known) { return known ? json::value(*known) : json::value(nullptr); };
  return {{"load", value(pressure.load)},
          {"index", value(pressure.index)},
          {"gc", value(pressure.gc)},
          {"stall", value(pressure.stall)},
          {"live", value(pressure.live)},
          {"psi", value(pressure.psi)},
          {"oom", value(pressure.oom)},
          {"live_set_growth_bytes_per_second", value(pressure.live_growth_bytes_per_second)},
          {"leak_suspected", pressure.leak_suspected ? json::value(*pressure.leak_suspected) : json::value(nullptr)}};
}

json::object to_object(const JvmFinding& jvm) {
  json::object out{{"pid", jvm.pid}, {"container", jvm.container}, {"tier", jvm.tier}, {"vm", jvm.what}};
  if (!jvm.pauses.empty()) out["pauses"] = jvm.pauses;
  if (jvm.overcommit) out["heap_limit_overcommit"] = *jvm.overcommit;
  if (jvm.pressure) out["memory_pressure"] = to_object(*jvm.pressure);
  if (!jvm.reason.empty()) out["reason"] = jvm.reason;
  return out;
}

PressureRow to_row(const JvmFinding& jvm) {
  const jvm::Pressure& pressure = *jvm.pressure;
  return {jvm.container.empty() ? "-" : printable(jvm.container),
          std::to_string(jvm.pid),
          pressure.load,
          pressure.index,
          {pressure.gc, pressure.stall, pressure.live, pressure.psi, pressure.oom},
          pressure.overcommit,
          pressure.leak_suspected};
}

std::string to_text(const JvmFinding& jvm) {
  std::string text = jvm.reason.empty() ? jvm.what : jvm.reason;
  if (!jvm.pauses.empty()) text += "; GC pauses by " + jvm.pauses;
  if (jvm.overcommit) {
    text += fmt::format("; largest heap and the rest: {:.0f} % of the limit", *jvm.overcommit * 100);
    if (*jvm.overcommit > 1) text += ", which do not fit";
  }
  return text;
}

}  // namespace

std::string_view to_string(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kDegraded:
      return "degraded";
    case Status::kMissing:
      return "missing";
  }
  return "";
}

bool Report::sufficient() const {
  return std::ranges::none_of(
      findings, [](const Finding& finding) { return finding.required && finding.status == Status::kMissing; });
}

std::string to_table(const Report& report) {
  const size_t width = widest_name(report);
  std::string out;
  auto write = std::back_inserter(out);
  for (const Finding& finding : report.findings) {
    fmt::format_to(write, "{:<{}}  {:<8}  {}\n", finding.name, width, to_string(finding.status), finding.detail);
    if (!finding.advice.empty()) fmt::format_to(write, "{:<{}}  {:<8}  -> {}\n", "", width, "", finding.advice);
  }
  out += report.jvms.empty() ? "\nNo JVM runs here that this user may see.\n" : "\n";
  for (const JvmFinding& jvm : report.jvms) {
    fmt::format_to(write, "JVM {:<{}}  {:<11}  {}\n", jvm.pid, width - 4, jvm.tier, to_text(jvm));
  }
  std::vector<PressureRow> rows;
  for (const JvmFinding& jvm : report.jvms) {
    if (jvm.pressure) rows.push_back(to_row(jvm));
  }
  if (!rows.empty()) out += '\n' + draw_pressure(rows);
  fmt::format_to(write, "\nThe {} variant {} here.\n", report.variant, report.sufficient() ? "works" : "does NOT work");
  return out;
}

std::string to_json(const Report& report) {
  json::array findings;
  for (const Finding& finding : report.findings) findings.push_back(to_object(finding));
  json::array jvms;
  for (const JvmFinding& jvm : report.jvms) jvms.push_back(to_object(jvm));
  const json::object out{{"variant", report.variant},
                         {"sufficient", report.sufficient()},
                         {"findings", std::move(findings)},
                         {"jvms", std::move(jvms)}};
  return json::serialize(out) + '\n';
}

}  // namespace manometer::cli
