import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A small service that works its heap as real ones do. Prints its port and serves on loopback:
 * /allocate?n=KIB garbage of that size; /retain?n=KIB kept until 64 MiB of later ones push it out; /sort?n=COUNT sorts
 * that many numbers; /sleep?n=MS waits, as for a database.
 */
public final class DemoService {
  private static final long RETAINED_BYTES = 64L << 20;
  private static final ArrayDeque<byte[]> retained = new ArrayDeque<>();
  private static long retainedBytes = 0;
  private static volatile Object sink; // else the compiler sees that nobody needs the garbage

  private interface Work {
    long run(int n) throws InterruptedException;
  }

  public static void main(String[] arguments) throws IOException {
    InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    HttpServer server = HttpServer.create(address, 0);
    server.setExecutor(Executors.newFixedThreadPool(4));
    serve(server, "/allocate", DemoService::allocate);
    serve(server, "/retain", DemoService::retain);
    serve(server, "/sort", DemoService::sort);
    serve(server, "/sleep", DemoService::sleep);
    server.start();
    System.out.println(server.getAddress().getPort());
  }

  private static void serve(HttpServer server, String path, Work work) {
    server.createContext(path, exchange -> respond(exchange, work));
  }

  private static void respond(HttpExchange exchange, Work work) throws IOException {
    int status = 200;
    String text;
    try {
      text = work.run(parameter(exchange.getRequestURI().getQuery())) + "\n";
    } catch (IllegalArgumentException e) {
      status = 400;
      text = e.getMessage() + "\n";
    } catch (OutOfMemoryError e) {
      status = 507;
      text = "too much for this heap\n";
    } catch (InterruptedException e) {
      status = 503;
      text = "stopping\n";
    }
    exchange.sendResponseHeaders(status, text.length());
    exchange.getResponseBody().write(text.getBytes());
    exchange.close();
  }

  private static int parameter(String query) {
    if (query == null || !query.matches("n=[0-9]{1,6}")) {
      throw new IllegalArgumentException("give a number of up to six digits: ?n=100");
    }
    return Integer.parseInt(query.substring(2));
  }

  private static long allocate(int kib) {
    for (int i = 0; i < kib; i++) {
      sink = new byte[1024];
    }
    return kib;
  }

  private static synchronized long retain(int kib) {
    byte[] block = new byte[kib * 1024];
    retained.add(block);
    retainedBytes += block.length;
    while (retainedBytes > RETAINED_BYTES) {
      retainedBytes -= retained.remove().length;
    }
    return retainedBytes;
  }

  private static long sort(int count) {
    long[] numbers = ThreadLocalRandom.current().longs(count).toArray();
    Arrays.sort(numbers);
    return count == 0 ? 0 : numbers[count / 2];
  }

  private static long sleep(int milliseconds) throws InterruptedException {
    Thread.sleep(milliseconds);
    return milliseconds;
  }
}
