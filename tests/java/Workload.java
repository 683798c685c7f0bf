import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.management.ClassLoadingMXBean;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.lang.management.MemoryUsage;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/**
 * What the tests run in every JVM. Takes a command a line from standard input and answers on standard output, at last
 * with "ok". Ends with its input. Between commands it is idle. Compiled for JDK 8.
 *
 *   retain MB           holds that much, instead of what it held
 *   retain_more MB      holds that much beside what it held
 *   retain_small MB     the same in very many objects, which take their time to collect
 *   allocate MB MB/S    makes that much at that rate; the last quarter of what is retained goes and is made anew with it
 *   gc                  System.gc()
 *   threads N           has that many more waiting daemon threads than at its start
 *   classes N           has that many classes of its own loaded; fewer need a gc to go
 *   impostor MS         has a thread called "GC Thread#0" that takes so much CPU time and stays; answers what it took, in ns
 *   report              what the MXBeans say now, a line each: what it is, its name if it has one, numbers; by tabs
 *   replace LIBRARY     becomes another program in this process, by the library's Java_Workload_replace
 */
public final class Workload {
  private static final int BLOCK = 64 << 10; // no collector takes it for a large object
  private static final int BLOCKS_PER_MB = (1 << 20) / BLOCK;

  private final List<byte[]> retained = new ArrayList<>();
  private Node small;
  private final List<Thread> threads = new ArrayList<>();
  private final List<Class<?>> classes = new ArrayList<>();
  private int next;

  public static void main(String[] arguments) throws Exception {
    Workload workload = new Workload();
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      workload.execute(line.split(" "));
      System.out.println("ok");
    }
  }

  private void execute(String[] words) throws Exception {
    switch (words[0]) {
      case "retain": retain(Integer.parseInt(words[1])); break;
      case "retain_more": retainMore(Integer.parseInt(words[1])); break;
      case "retain_small": retainSmall(Integer.parseInt(words[1])); break;
      case "allocate": allocate(Integer.parseInt(words[1]), Integer.parseInt(words[2])); break;
      case "gc": System.gc(); break;
      case "threads": runThreads(Integer.parseInt(words[1])); break;
      case "classes": loadClasses(Integer.parseInt(words[1])); break;
      case "impostor": System.out.println(runImpostor(1_000_000L * Integer.parseInt(words[1]))); break;
      case "report": System.out.print(report()); break;
      case "replace": System.load(words[1]); replace(); break;
      default: throw new IllegalArgumentException(words[0]);
    }
  }

  private void retain(int megabytes) {
    retained.clear();
    retainMore(megabytes);
  }

  private void retainMore(int megabytes) {
    for (int i = 0; i < megabytes * BLOCKS_PER_MB; i++) retained.add(new byte[BLOCK]);
  }

  /** Takes 24 bytes: a header and two compressed references. */
  private static final class Node {
    private final Node left;
    private final Node right;

    /** A tree, so that collectors can share the work and none has to go deep. */
    Node(int depth) {
      left = depth > 0 ? new Node(depth - 1) : null;
      right = depth > 0 ? new Node(depth - 1) : null;
    }
  }

  private void retainSmall(int megabytes) {
    int depth = 0;
    while ((2L << depth) * 24 < (long) megabytes << 20) depth++;
    small = new Node(depth);
  }

  private void allocate(int megabytes, int perSecond) throws InterruptedException {
    long start = System.nanoTime();
    for (int i = 0; i < megabytes * BLOCKS_PER_MB; i++) {
      keepForAWhile(new byte[BLOCK]);
      long due = start + 1_000_000_000L * i / (perSecond * BLOCKS_PER_MB);
      long early = (due - System.nanoTime()) / 1_000_000;
      if (early > 0) Thread.sleep(early);
    }
  }

  private void keepForAWhile(byte[] block) {
    int kept = retained.size() / 4;
    if (kept > 0) retained.set(retained.size() - kept + next++ % kept, block);
  }

  private void runThreads(int count) throws InterruptedException {
    while (threads.size() > count) {
      Thread thread = threads.remove(threads.size() - 1);
      thread.interrupt();
      thread.join();
    }
    while (threads.size() < count) threads.add(startThread());
  }

  private static Thread startThread() throws InterruptedException {
    CountDownLatch running = new CountDownLatch(1);
    Thread thread = new Thread(() -> {
      running.countDown();
      try {
        new CountDownLatch(1).await();
      } catch (InterruptedException end) {
        Thread.currentThread().interrupt();
      }
    });
    thread.setDaemon(true);
    thread.start();
    running.await();
    return thread;
  }

  private static long runImpostor(long nanoseconds) throws InterruptedException {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    CountDownLatch done = new CountDownLatch(1);
    Thread thread = new Thread(() -> {
      while (threads.getCurrentThreadCpuTime() < nanoseconds) Thread.yield();
      done.countDown();
      try {
        new CountDownLatch(1).await();
      } catch (InterruptedException end) {
        Thread.currentThread().interrupt();
      }
    }, "GC Thread#0");
    thread.setDaemon(true);
    thread.start();
    done.await();
    return threads.getThreadCpuTime(thread.getId());
  }

  /** A class to load many times, each by a loader of its own. */
  static final class Leaf {}

  private static final class LeafLoader extends ClassLoader {
    Class<?> load(byte[] code) {
      return defineClass(Leaf.class.getName(), code, 0, code.length);
    }
  }

  private void loadClasses(int count) throws IOException {
    byte[] code = codeOfLeaf();
    while (classes.size() > count) classes.remove(classes.size() - 1);
    while (classes.size() < count) classes.add(new LeafLoader().load(code));
  }

  private static byte[] codeOfLeaf() throws IOException {
    try (InputStream in = Workload.class.getResourceAsStream("Workload$Leaf.class")) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      for (int b = in.read(); b >= 0; b = in.read()) out.write(b);
      return out.toByteArray();
    }
  }

  /** Asks first and formats later, because that allocates. */
  private static String report() {
    MemoryUsage heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage();
    long maxMemory = Runtime.getRuntime().maxMemory();
    MemoryPoolMXBean[] pools = ManagementFactory.getMemoryPoolMXBeans().toArray(new MemoryPoolMXBean[0]);
    MemoryUsage[] usage = Arrays.stream(pools).map(MemoryPoolMXBean::getUsage).toArray(MemoryUsage[]::new);
    MemoryUsage[] collected = Arrays.stream(pools).map(MemoryPoolMXBean::getCollectionUsage).toArray(MemoryUsage[]::new);
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    ClassLoadingMXBean classes = ManagementFactory.getClassLoadingMXBean();
    StringBuilder out = new StringBuilder();
    out.append("jvm\t").append(System.getProperty("java.vm.name")).append('\t').append(System.getProperty("java.version"))
        .append('\t').append(System.getProperty("java.vm.version")).append('\n');
    line(out, "heap", heap.getUsed(), heap.getCommitted(), heap.getMax());
    line(out, "max_memory", maxMemory);
    for (int i = 0; i < pools.length; i++) {
      long afterCollection = collected[i] == null ? -1 : collected[i].getUsed();
      String what = pools[i].getType() == MemoryType.HEAP ? "heap_pool\t" : "other_pool\t";
      line(out, what + pools[i].getName(), usage[i].getUsed(), usage[i].getCommitted(), usage[i].getMax(), afterCollection);
    }
    for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) {
      line(out, "collector\t" + collector.getName(), collector.getCollectionCount(), collector.getCollectionTime());
    }
    line(out, "threads", threads.getThreadCount(), threads.getDaemonThreadCount(), threads.getTotalStartedThreadCount());
    line(out, "classes", classes.getLoadedClassCount(), classes.getUnloadedClassCount());
    line(out, "jit_ms", ManagementFactory.getCompilationMXBean().getTotalCompilationTime());
    return out.toString();
  }

  private static void line(StringBuilder out, String what, long... numbers) {
    out.append(what);
    for (long number : numbers) out.append('\t').append(number);
    out.append('\n');
  }

  private static native void replace();
}
