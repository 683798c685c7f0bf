#include "agent/metrics/buckets.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manometer::metrics {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kNanosecondsPerSecond = 1e9;

Buckets make(std::vector<double> classic_seconds) {
  return *Buckets::make(std::move(classic_seconds));
}

Buckets defaults() {
  return make({kDefaultClassicSeconds.begin(), kDefaultClassicSeconds.end()});
}

/// Counts as the kernel would make them.
std::vector<uint64_t> count(const Buckets& buckets, const std::vector<uint64_t>& samples_ns) {
  std::vector<uint64_t> slots(buckets.bounds_ns().size() + 1);
  for (const uint64_t ns : samples_ns)
    ++slots[static_cast<size_t>(std::ranges::lower_bound(buckets.bounds_ns(), ns) - buckets.bounds_ns().begin())];
  return slots;
}

TEST(Buckets, CoarseOnesCountTheSameSlots) {
  const auto fine = Buckets::make({kDefaultClassicSeconds.begin(), kDefaultClassicSeconds.end()});
  const Buckets coarse = fine->coarse(3);
  EXPECT_EQ(coarse.classic_seconds(), (std::vector{0.001, 0.01, 0.1, 1.0, 10.0}));
  EXPECT_EQ(fine->coarse(2).classic_seconds(), (std::vector{0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0}));
  EXPECT_EQ(fine->coarse(1).classic_seconds(), fine->classic_seconds());
  EXPECT_EQ(coarse.bounds_ns(), fine->bounds_ns());
  std::vector<uint64_t> slots(fine->bounds_ns().size() + 1, 1);
  const auto all = fine->cumulative(slots);
  EXPECT_EQ(coarse.cumulative(slots), (std::vector{all[1], all[4], all[7], all[10], all[13], all[14]}));
  EXPECT_EQ(Buckets::make({0.5, 1})->coarse(3).classic_seconds(), std::vector{1.0});
}

TEST(Buckets, HaveTheBoundsOfBoth) {
  const auto bounds = make({0.0035, 1}).bounds_ns();
  EXPECT_EQ(bounds.size(), 161U + 1) << "1 s is a bound of both";
  EXPECT_EQ(bounds.front(), 61'035U) << "2^-14 s, whole nanoseconds";
  EXPECT_EQ(bounds.back(), 64'000'000'000U);
  EXPECT_THAT(bounds, AllOf(Contains(3'500'000U), Contains(1'000'000'000U), Contains(1'090'507'732U)));
  EXPECT_TRUE(std::ranges::is_sorted(bounds, std::less_equal<>())) << "strictly ascending";
}

TEST(Buckets, TakeClassicBoundsBeyondTheNativeOnes) {
  const auto bounds = make({1e-6, 1e4}).bounds_ns();
  EXPECT_EQ(bounds.front(), 1'000U);
  EXPECT_EQ(bounds.back(), 10'000'000'000'000U);
}

TEST(Buckets, NeverExceedTheirMaximum) {
  std::vector<double> classic;
  for (size_t i = 0; i < Buckets::kMaxClassic; ++i) classic.push_back(0.0011 * static_cast<double>(i + 1));
  EXPECT_EQ(make(classic).bounds_ns().size() + 1, Buckets::kMaxSlots);
}

// A sample that is a bound as written belongs below it, though the double may be short of it.
TEST(Buckets, ABoundIsTheNanosecondsItWasWrittenAs) {
  for (uint64_t us = 1; us < 10'000; us += 3) {
    const double seconds = static_cast<double>(us) / 1e6;
    EXPECT_THAT(make({seconds}).bounds_ns(), Contains(us * 1000)) << seconds;
  }
}

TEST(Buckets, RefuseWhatIsNoListOfBounds) {
  const auto complaint = [](std::vector<double> classic) {
    const auto buckets = Buckets::make(std::move(classic));
    return buckets ? "" : buckets.error().message();
  };
  constexpr const char* kAllowed = ": 1 to 32 bounds in seconds, ascending, from 1e-06 to 10000";
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(complaint({}), std::string("there is no bound") + kAllowed);
  EXPECT_EQ(complaint({1, 0.5}), std::string("0.5 is not above 1") + kAllowed);
  EXPECT_EQ(complaint({1, 1}), std::string("1 is not above 1") + kAllowed);
  for (const double bound : {0.0, -1.0, 9e-7, 10001.0, kInfinity, -kInfinity, std::nan("")})
    EXPECT_THAT(complaint({bound}), AllOf(HasSubstr("is out of range"), HasSubstr(kAllowed))) << bound;
  std::vector<double> many(33);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<double>(i + 1);
  EXPECT_EQ(complaint(many), std::string("33 is one too many") + kAllowed);
}

TEST(Buckets, CumulativeCountsEndWithAll) {
  const Buckets buckets = make({0.001, 1});
  const auto slots = count(buckets, {1'000'000, 1'000'001, 1'000'000'000, 70'000'000'000});
  EXPECT_THAT(buckets.cumulative(slots), ElementsAre(1, 3, 4));
  EXPECT_THAT(buckets.cumulative({}), ElementsAre(0, 0, 0));
}

TEST(Buckets, WhatIsAboveAllBoundsIsInNoClassicBucket) {
  const Buckets buckets = make({100});
  EXPECT_THAT(buckets.cumulative(count(buckets, {100'000'000'000, 100'000'000'001})), ElementsAre(1, 2));
}

/// Durations over more octaves than there are slots, many of them on a bound or right beside one.
std::vector<uint64_t> random_samples(std::mt19937_64& random, const Buckets& buckets) {
  std::uniform_real_distribution<double> exponent(0, 45);
  std::uniform_int_distribution<size_t> bound(0, buckets.bounds_ns().size() - 1);
  std::uniform_int_distribution<int> beside(-1, 1);
  std::vector<uint64_t> samples;
  for (int i = 0; i < 1000; ++i) {
    samples.push_back(static_cast<uint64_t>(std::exp2(exponent(random))));
    samples.push_back(buckets.bounds_ns()[bound(random)] + static_cast<uint64_t>(beside(random)));
  }
  return samples;
}

std::vector<double> random_bounds(std::mt19937_64& random) {
  std::uniform_real_distribution<double> exponent(std::log10(Buckets::kLeastSeconds),
                                                  std::log10(Buckets::kMostSeconds));
  std::uniform_int_distribution<size_t> size(1, Buckets::kMaxClassic);
  std::vector<double> bounds(size(random));
  std::ranges::generate(bounds, [&] { return std::clamp(std::pow(10, exponent(random)), 1e-6, 1e4); });
  std::ranges::sort(bounds);
  return bounds;
}

TEST(Buckets, ClassicBucketsAreExact) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 50; ++round) {
    const Buckets buckets = round == 0 ? defaults() : make(random_bounds(random));
    const auto samples = random_samples(random, buckets);
    std::vector<uint64_t> expected;
    for (const double bound : buckets.classic_seconds()) {
      const auto below = [&](uint64_t ns) { return static_cast<double>(ns) / kNanosecondsPerSecond <= bound; };
      expected.push_back(static_cast<uint64_t>(std::ranges::count_if(samples, below)));
    }
    expected.push_back(samples.size());
    EXPECT_EQ(buckets.cumulative(count(buckets, samples)), expected) << "round " << round;
  }
}

TEST(Buckets, QuantilesAreTheMiddleOfTheirSlot) {
  const Buckets buckets = make({1});
  EXPECT_TRUE(std::isnan(buckets.quantile(0.5, count(buckets, {}))));
  EXPECT_TRUE(std::isnan(buckets.quantile(0.5, {})));
  // 2^0 is the last bound below 1.05 s, 2^(1/8) = 1.0905 the first above.
  EXPECT_NEAR(buckets.quantile(0.5, count(buckets, {1'050'000'000})), 1.04525, 0.00001);
  EXPECT_NEAR(buckets.quantile(0.5, count(buckets, {1})), 61'035 / 2.0 / kNanosecondsPerSecond, 1e-12);
  EXPECT_EQ(buckets.quantile(0.5, count(buckets, {70'000'000'000})), 64);
}

TEST(Buckets, QuantilesAreThoseOfTheSamplesWithinHalfASlot) {
  std::mt19937_64 random(5);
  std::lognormal_distribution<double> duration(std::log(5e6), 1);
  const Buckets buckets = defaults();
  std::vector<uint64_t> samples(10'000);
  std::ranges::generate(samples, [&] { return static_cast<uint64_t>(duration(random)); });
  const auto slots = count(buckets, samples);
  std::ranges::sort(samples);
  constexpr double kHalfASlot = 0.0453;  // (2^(1/8) - 1) / 2
  for (const double q : {0.0, 0.01, 0.5, 0.9, 0.99, 1.0}) {
    const auto index = static_cast<size_t>(std::max(1.0, std::ceil(q * static_cast<double>(samples.size())))) - 1;
    const double exact = static_cast<double>(samples[index]) / kNanosecondsPerSecond;
    EXPECT_NEAR(buckets.quantile(q, slots) / exact, 1, kHalfASlot) << q;
  }
}

}  // namespace
}  // namespace manometer::metrics
