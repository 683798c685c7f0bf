import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Executors;

/**
 * A JVM under one kind of load, for `./dev scenarios`. Its arguments are done one after the other, each until its time is
 * over or it has all it is to have; then it is idle until the end of its standard input.
 *
 *   idle:SECONDS                        does nothing
 *   work:SECONDS:LIVE_MB:MB_PER_SECOND  keeps that much of small objects, and makes that much garbage
 *   storm:SECONDS:LIVE_MB               the same as fast as it can
 *   leak:SECONDS:KB_PER_SECOND          a service that keeps so much of what it makes, see there
 *   direct:MB:MB_PER_SECOND             keeps so much memory outside of the heap
 *   serve:THREADS:MILLISECONDS          serves HTTP with so many threads that wait so long for each; prints its port
 */
public final class Scenario {
  private static final int BLOCK = 1024;
  private static final int BLOCKS_PER_MB = (1 << 20) / BLOCK;
  private static final long SECOND = 1_000_000_000L;

  private static List<byte[]> live = new ArrayList<>();
  private static final List<ByteBuffer> direct = new ArrayList<>();
  private static volatile Object sink; // else the compiler sees that nobody needs the garbage

  public static void main(String[] steps) throws Exception {
    for (String step : steps) run(step.split(":"));
    while (System.in.read() >= 0) {}
    System.exit(0); // threads that serve would go on
  }

  private static void run(String[] step) throws Exception {
    if (step[0].equals("serve")) {
      serve(number(step[1]), number(step[2]));
      return;
    }
    long end = System.nanoTime() + number(step[1]) * SECOND;
    switch (step[0]) {
      case "idle": Thread.sleep(number(step[1]) * 1000L); break;
      case "work": work(end, number(step[2]), number(step[3])); break;
      case "storm": work(end, number(step[2]), Integer.MAX_VALUE); break;
      case "leak": leak(end, number(step[2])); break;
      case "direct": direct(number(step[1]), number(step[2])); break;
      default: throw new IllegalArgumentException(step[0]);
    }
  }

  private static int number(String text) {
    return Integer.parseInt(text);
  }

  /** Sleeps until done of it is due, at so many a second. */
  private static void pace(long start, double done, double perSecond) throws InterruptedException {
    long early = start + (long) (done / perSecond * SECOND) - System.nanoTime();
    if (early > 1_000_000) Thread.sleep(early / 1_000_000);
  }

  private static void work(long end, int liveMb, int mbPerSecond) throws InterruptedException {
    live = new ArrayList<>();
    for (int i = 0; i < liveMb * BLOCKS_PER_MB; i++) live.add(new byte[BLOCK]);
    long start = System.nanoTime();
    for (long mb = 0; System.nanoTime() < end; mb++) {
      garbage(1);
      // Some of what lives is made anew, as in a cache.
      for (int i = 0; i < BLOCKS_PER_MB / 20; i++) live.set((int) ((mb * 7919 + i * 104729L) % live.size()), new byte[BLOCK]);
      pace(start, mb, mbPerSecond);
    }
    live = new ArrayList<>();
  }

  private static void garbage(int mb) {
    for (int i = 0; i < mb * BLOCKS_PER_MB; i++) sink = new byte[BLOCK];
  }

  /**
   * Each request makes garbage, and a session that is over some seconds later. By then it is in the old generation, which
   * is so collected again and again. What leaks is a small part of all that.
   */
  private static void leak(long end, int kbPerSecond) throws InterruptedException {
    final int requestsPerSecond = 64;
    final int sessions = 2 * requestsPerSecond;
    Queue<byte[][]> open = new ArrayDeque<>();
    long start = System.nanoTime();
    for (long request = 0; System.nanoTime() < end; request++) {
      for (int i = 0; i < kbPerSecond / requestsPerSecond; i++) live.add(new byte[BLOCK]);
      for (int i = 0; i < 160; i++) sink = new byte[BLOCK];
      open.add(new byte[256][BLOCK]);
      if (open.size() > sessions) open.remove();
      pace(start, request, requestsPerSecond);
    }
  }

  private static void direct(int mbInAll, int mbPerSecond) throws InterruptedException {
    long start = System.nanoTime();
    for (int mb = 0; mb < mbInAll; mb++) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
      for (int at = 0; at < buffer.capacity(); at += 4096) buffer.put(at, (byte) 1);
      direct.add(buffer);
      if (mb % 8 == 0) garbage(1);
      pace(start, mb, mbPerSecond);
    }
  }

  private static void serve(int threads, int milliseconds) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 128);
    server.setExecutor(Executors.newFixedThreadPool(threads));
    server.createContext("/", exchange -> {
      try {
        Thread.sleep(milliseconds);
      } catch (InterruptedException end) {
        Thread.currentThread().interrupt();
      }
      exchange.sendResponseHeaders(200, 2);
      exchange.getResponseBody().write("hi".getBytes());
      exchange.close();
    });
    server.start();
    System.out.println(server.getAddress().getPort());
  }
}
