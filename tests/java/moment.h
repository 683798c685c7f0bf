#pragma once

#include "tests/java/jvm.h"

namespace manometer::test {

/// A scrape, and what the JVM said of itself before the agent took its sample and after the scrape.
struct Moment {
  Report before;
  Scraped scraped;
  Report after;
  LabelMap labels;

  /// The JVM's only series of this name; throws if there is none.
  double value(const std::string& name) const;
};

/// A scrape with a sample of the JVM that was taken after this call began.
Scraped fresh_scrape(const Agent& agent, const LabelMap& labels);

/// A moment in which the JVM ran no collection and took no class or thread.
Moment quiet_moment(const Agent& agent, Jvm& jvm);

}  // namespace manometer::test
