import java.lang.management.ManagementFactory;

/** Allocates as fast as it can; for each line of its input, prints how many rounds that were, and how many collections. */
public final class Churn {
  private static volatile long rounds;

  public static void main(String[] arguments) throws Exception {
    Thread worker = new Thread(Churn::allocate);
    worker.setDaemon(true);
    worker.start();
    while (System.in.read() >= 0) {
      long now = rounds;
      long collections = ManagementFactory.getGarbageCollectorMXBeans().stream().mapToLong(b -> b.getCollectionCount()).sum();
      System.out.println(now + " " + collections);
    }
  }

  private static void allocate() {
    byte[][] some = new byte[16][];
    for (long round = 0;; ++round) {
      for (int i = 0; i < some.length; ++i) some[i] = new byte[4096];
      rounds = round;
    }
  }
}
