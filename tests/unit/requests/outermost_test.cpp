#include "agent/requests/outermost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manometer::requests {
namespace {

using Paths = std::set<std::string>;

struct Case {
  const char* name;
  Paths wanted;
  Paths outer;
};

const Case kCases[] = {
    {"None", {}, {}},
    {"One", {"/a/b"}, {"/a/b"}},
    {"TheRootAlone", {"/"}, {"/"}},
    {"TheRootCoversAll", {"/", "/a", "/b/c"}, {"/"}},
    {"Siblings", {"/a/b", "/a/c"}, {"/a/b", "/a/c"}},
    {"AParentCoversItsChild", {"/a", "/a/b"}, {"/a"}},
    {"AnAncestorCoversADistantOne", {"/a", "/a/b/c/d"}, {"/a"}},
    {"ALongerNameIsNotBelow", {"/a", "/ab", "/ab/c"}, {"/a", "/ab"}},
    {"OneThatSortsBetween", {"/a", "/a-b", "/a/b"}, {"/a", "/a-b"}},
    {"AMissingParentCoversNothing", {"/a/b", "/a/b/c", "/a/d"}, {"/a/b", "/a/d"}},
    {"Kubernetes",
     {"/kubepods.slice/pod1.slice/cri-1.scope", "/kubepods.slice/pod1.slice", "/kubepods.slice/pod2.slice/cri-2.scope"},
     {"/kubepods.slice/pod1.slice", "/kubepods.slice/pod2.slice/cri-2.scope"}},
};

class OutermostTest : public testing::TestWithParam<Case> {};

TEST_P(OutermostTest, KeepsThoseBelowNoOther) {
  EXPECT_EQ(outermost(GetParam().wanted), GetParam().outer);
}

INSTANTIATE_TEST_SUITE_P(Paths, OutermostTest, testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace manometer::requests
