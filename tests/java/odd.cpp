#include "tests/java/odd.h"

#include <csignal>
#include <stdexcept>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/support/skip.h"

namespace manometer::test {
namespace {

const std::string kInfo = "manometer_jvm_info";

std::optional<LabelMap> only_info(const Scraped& scraped, const LabelMap& jvm) {
  const auto found = scraped.all(kInfo, jvm);
  if (found.size() > 1) throw std::runtime_error("a JVM is listed more than once");
  return found.empty() ? std::nullopt : std::optional(found.front().labels);
}

std::string label(const LabelMap& labels, const std::string& name) {
  const auto found = labels.find(name);
  return found == labels.end() ? "" : found->second;
}

bool has_values(const Scraped& scraped, const LabelMap& jvm) {
  return scraped.value("manometer_jvm_threads", jvm).has_value();
}

}  // namespace

void JvmTest::SetUp() {
  if (const auto classes = workload_classes(); !classes) MANOMETER_SKIP(classes.error().message());
  if (const auto fetched = fetch_jdk(17); !fetched) MANOMETER_SKIP(fetched.error().message());
}

Jdk JvmTest::jdk(int version) {
  auto fetched = fetch_jdk(version);
  if (!fetched) throw std::runtime_error(fetched.error().message());
  return *std::move(fetched);
}

bool is_read_by(const Scraped& scraped, const LabelMap& jvm, const std::string& tier) {
  const auto info = only_info(scraped, jvm);
  return info && label(*info, "tier") == tier && !info->contains("reason") && has_values(scraped, jvm);
}

bool is_refused_for(const Scraped& scraped, const LabelMap& jvm, const std::string& reason) {
  const auto info = only_info(scraped, jvm);
  return info && label(*info, "tier") == "none" && label(*info, "reason") == reason && !has_values(scraped, jvm);
}

bool is_gone(const Scraped& scraped, const LabelMap& jvm) {
  return !only_info(scraped, jvm) && !has_values(scraped, jvm);
}

void expect_followed(const Agent& agent, Jvm& jvm, const std::string& tier) {
  for (const char* command : {"threads 7", "threads 3"}) {
    jvm.command(command);
    const LabelMap labels = jvm.labels();
    const Report report = jvm.report();
    const auto has_them = [&](const Scraped& scraped) {
      return is_read_by(scraped, labels, tier) && scraped.value("manometer_jvm_threads", labels) == report.threads;
    };
    const Scraped scraped = agent.scrape_until(has_them);
    EXPECT_TRUE(has_them(scraped)) << testing::PrintToString(labels) << " by " << tier << " after " << command << ":\n"
                                   << agent.get("/metrics");
  }
}

std::vector<std::string> in_new_pid_namespace() {
  return {"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"};
}

std::vector<std::string> in_pid_namespace_of(Agent& agent) {
  const pid_t pid = last_descendant(agent.child().pid());
  return {"nsenter", "--target", std::to_string(pid), "--pid", "--mount", "--"};
}

void expect_no_complaint(Agent& agent, pid_t pid) {
  ::kill(last_descendant(agent.child().pid()), SIGTERM);  // unshare does not pass it on
  const std::string log = agent.child().read_all_errors();
  EXPECT_EQ(agent.child().wait(), 0);
  EXPECT_THAT(log, testing::Not(testing::HasSubstr(fmt::format("process {}: ", pid))));
}

}  // namespace manometer::test
