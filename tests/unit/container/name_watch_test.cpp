// Names that come while we wait for them, on a real loop and real directories.

#include "agent/container/name_watch.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/captured_log.h"
#include "tests/support/child.h"
#include "tests/support/fake_node.h"

namespace manometer::container {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kSoon{20};
constexpr std::chrono::hours kNever{24};
const std::string kUid = "a3b200c9-db51-40b4-9d2d-53f8fdf80d7f";
const std::string kPod = "shop_web-0_" + kUid;

class NameWatchTest : public testing::Test {
 protected:
  ~NameWatchTest() override { pool_.stop(); }

  void start(std::chrono::milliseconds rescan_interval) {
    watch_ = std::make_unique<NameWatch>(loop_, pool_, containers_, log_, NameWatch::Options{log(), rescan_interval});
    watch_->start();
  }

  fs::path log() const { return node_.path() / "log"; }
  static std::string id(char of) { return std::string(64, of); }

  /// A process of a container of the pod, with the kubelet's mount in it.
  std::string acquire(char of, const std::string& mounted = "") {
    const std::string root = mounted.empty() ? "/" : "/var/lib/kubelet/pods/" + kUid + "/containers/" + mounted + "/1";
    node_.write(std::string("proc/7/mountinfo"), "1 2 8:1 " + root + " /dev/termination-log rw - ext4 /dev/sda rw\n");
    return containers_.acquire({{"", "/kubepods/pod" + kUid + '/' + id(of)}},
                               **node::ProcFs::open(node_.proc())->process(7));
  }

  void add_link(const std::string& container, char of) const {
    fs::create_symlink("/var/log/pods/" + kPod + '/' + container + "/0.log",
                       log() / "containers" / ("web-0_shop_" + container + '-' + id(of) + ".log"));
  }

  std::string name_of(const std::string& key) const {
    const Target target = containers_.target(key, "");
    return target.namespace_name.value_or("") + '/' + target.pod.value_or("") + '/' + target.container.value_or("");
  }

  bool run_until(const std::function<bool()>& condition) {
    return test::eventually([&] {
      loop_.restart();
      loop_.run_for(std::chrono::milliseconds(5));
      return condition();
    });
  }
  bool run_until_named(const std::string& key, const std::string& name) {
    return run_until([&] { return name_of(key) == name; });
  }
  bool run_until_looked() {
    return run_until([&] { return !watch_->looking(); });
  }

  test::FakeNode node_;
  LogOnce log_;
  boost::asio::io_context loop_{1};
  BlockingPool pool_{loop_};
  Index containers_{std::nullopt, log_};
  std::unique_ptr<NameWatch> watch_;
};

TEST_F(NameWatchTest, NamesWhatIsKnownAtOnce) {
  fs::create_directories(log() / "pods" / kPod / "app");
  start(kNever);
  const std::string key = acquire('a', "app");
  EXPECT_TRUE(watch_->looking());
  EXPECT_TRUE(run_until_looked());
  EXPECT_EQ(name_of(key), "shop/web-0/app");
}

TEST_F(NameWatchTest, NamesAContainerAsSoonAsItsPodsDirectoryIsThere) {
  fs::create_directories(log() / "pods");
  start(kNever);
  const std::string key = acquire('a', "app");
  ASSERT_TRUE(run_until_looked());
  EXPECT_EQ(name_of(key), "//" + id('a'));
  fs::create_directories(log() / "new/app");
  fs::rename(log() / "new", log() / "pods" / kPod);
  EXPECT_TRUE(run_until_named(key, "shop/web-0/app"));
}

TEST_F(NameWatchTest, NamesAContainerAsSoonAsItsLinkIsThere) {
  fs::create_directories(log() / "pods" / kPod / "app");
  fs::create_directories(log() / "containers");
  start(kNever);
  const std::string key = acquire('a');
  ASSERT_TRUE(run_until_looked());
  EXPECT_EQ(name_of(key), "shop/web-0/" + id('a'));
  add_link("app", 'a');
  EXPECT_TRUE(run_until_named(key, "shop/web-0/app"));
}

TEST_F(NameWatchTest, ALinkSaysMoreThanAMount) {
  for (const char* container : {"app", "sidecar"}) fs::create_directories(log() / "pods" / kPod / container);
  fs::create_directories(log() / "containers");
  start(kNever);
  const std::string key = acquire('a', "sidecar");
  EXPECT_TRUE(run_until_named(key, "shop/web-0/sidecar"));
  add_link("app", 'a');
  EXPECT_TRUE(run_until_named(key, "shop/web-0/app"));
}

TEST_F(NameWatchTest, LooksAgainWhereThereWasNothingToWatch) {
  const test::CapturedLog log_text;
  start(kSoon);
  const std::string key = acquire('a', "app");
  ASSERT_TRUE(run_until([&] { return log_text.text().find("--host-log") != std::string::npos; }));
  EXPECT_EQ(name_of(key), "//" + id('a'));
  const std::string once = log_text.text();
  fs::create_directories(log() / "pods" / kPod / "app");
  EXPECT_TRUE(run_until_named(key, "shop/web-0/app"));
  EXPECT_EQ(log_text.text(), once);
}

TEST_F(NameWatchTest, NamesAllThatCameWhileItLooked) {
  fs::create_directories(log() / "pods" / kPod);
  fs::create_directories(log() / "containers");
  start(kNever);
  std::vector<std::string> keys;
  for (const char of : {'a', 'b', 'c', 'd'}) {
    add_link(std::string("app-") + of, of);
    keys.push_back(acquire(of));
  }
  EXPECT_TRUE(run_until_named(keys.back(), "shop/web-0/app-d"));
  for (const std::string& key : keys) EXPECT_EQ(name_of(key).substr(0, 15), "shop/web-0/app-");
}

TEST_F(NameWatchTest, DoesNotLookWhenAllIsNamed) {
  fs::create_directories(log() / "pods" / kPod / "app");
  fs::create_directories(log() / "containers");
  add_link("app", 'a');
  start(kNever);
  const std::string key = acquire('a');
  ASSERT_TRUE(run_until_named(key, "shop/web-0/app"));
  ASSERT_TRUE(run_until_looked());
  acquire('a');
  EXPECT_FALSE(watch_->looking());
}

}  // namespace
}  // namespace manometer::container
