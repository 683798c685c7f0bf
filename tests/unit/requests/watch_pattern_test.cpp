#include "agent/requests/watch_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manometer::requests {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Match {
  const char* pattern;
  const char* path;
  bool matches;
};

class ExecutableTest : public testing::TestWithParam<Match> {};
class CgroupTest : public testing::TestWithParam<Match> {};

TEST_P(ExecutableTest, Matches) {
  const auto pattern = parse_watch_pattern(GetParam().pattern);
  ASSERT_TRUE(pattern.ok()) << pattern.error().message();
  EXPECT_EQ(matches_executable(*pattern, GetParam().path), GetParam().matches)
      << GetParam().pattern << " and " << GetParam().path;
  EXPECT_FALSE(matches_cgroup(*pattern, {{"", GetParam().path}}));
}

INSTANTIATE_TEST_SUITE_P(
    Paths, ExecutableTest,
    testing::Values(Match{"exe:/usr/sbin/nginx", "/usr/sbin/nginx", true},
                    Match{"exe:/usr/sbin/nginx", "/usr/sbin/nginx (deleted)", true},
                    Match{"exe:/usr/sbin/nginx", "/usr/sbin/nginx2", false},
                    Match{"exe:/usr/sbin/nginx", "/x/usr/sbin/nginx", false},
                    Match{"exe:*/nginx", "/usr/sbin/nginx", true}, Match{"exe:*/nginx", "/nginx (deleted)", true},
                    Match{"exe:*/nginx", "/usr/sbin/nginx (other)", false},
                    Match{"exe:/usr/*", "/usr/lib/node/bin/node", true},
                    Match{"exe:/opt/.hidden/*", "/opt/.hidden/a", true}, Match{"exe:/opt/*", "/opt/.hidden/a", true},
                    Match{"exe:/usr/bin/python3.[0-9]*", "/usr/bin/python3.11", true},
                    Match{"exe:/usr/bin/python3.?", "/usr/bin/python3.11", false}, Match{"exe:/a:b/*", "/a:b/c", true},
                    Match{"exe:/A", "/a", false}, Match{R"(exe:/a\*)", "/a*", true}, Match{R"(exe:/a\*)", "/ab", false},
                    Match{"exe:*", "", true}, Match{"exe:/*", "", false}));

TEST_P(CgroupTest, Matches) {
  const auto pattern = parse_watch_pattern(GetParam().pattern);
  ASSERT_TRUE(pattern.ok()) << pattern.error().message();
  EXPECT_EQ(matches_cgroup(*pattern, {{"", GetParam().path}}), GetParam().matches)
      << GetParam().pattern << " and " << GetParam().path;
  EXPECT_FALSE(matches_executable(*pattern, GetParam().path));
}

INSTANTIATE_TEST_SUITE_P(Paths, CgroupTest,
                         testing::Values(Match{"cgroup:/system.slice/app.service", "/system.slice/app.service", true},
                                         Match{"cgroup:/system.slice", "/system.slice/app.service", false},
                                         Match{"cgroup:/kubepods*/pod1/*", "/kubepods/burstable/pod1/abc", true},
                                         Match{"cgroup:/a", "/a (deleted)", false}, Match{"cgroup:/", "/", true},
                                         Match{"cgroup:/", "/a", false}));

TEST(MatchesCgroup, OneOfSeveralIsEnough) {
  const auto pattern = parse_watch_pattern("cgroup:/app/*");
  ASSERT_TRUE(pattern.ok());
  EXPECT_TRUE(matches_cgroup(*pattern, {{"cpu", "/"}, {"memory", "/app/1"}, {"", "/"}}));
  EXPECT_FALSE(matches_cgroup(*pattern, {{"cpu", "/"}, {"", "/"}}));
  EXPECT_FALSE(matches_cgroup(*pattern, {}));
}

/// A container chooses its paths: no glob may take exponential time on one.
TEST(MatchesExecutable, EndsSoonWithManyStars) {
  const auto pattern = parse_watch_pattern("exe:/*a*a*a*a*a*a*a*a*a*a*a*a*b");
  ASSERT_TRUE(pattern.ok());
  EXPECT_FALSE(matches_executable(*pattern, "/" + std::string(4000, 'a')));
}

class RefusedTest : public testing::TestWithParam<const char*> {};

TEST_P(RefusedTest, SaysWhatIsAllowed) {
  const auto pattern = parse_watch_pattern(GetParam());
  ASSERT_FALSE(pattern.ok());
  EXPECT_THAT(pattern.error().message(),
              AllOf(HasSubstr("'" + std::string(GetParam()) + "'"), HasSubstr("exe:GLOB"), HasSubstr("cgroup:GLOB")));
}

INSTANTIATE_TEST_SUITE_P(Texts, RefusedTest,
                         testing::Values("", "exe", "exe:", "cgroup:", "/usr/sbin/nginx", "nginx", "comm:/nginx",
                                         "EXE:/nginx", " exe:/nginx", "exe:nginx", "exe: /nginx", ":/nginx"));

}  // namespace
}  // namespace manometer::requests
