import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

/** Answers every request with its own number, counted from 1: Service PORT. /halt answers too, and then ends the JVM. */
public final class Service {
  private static final AtomicLong served = new AtomicLong();
  private static volatile Object sink; // else the compiler sees that nobody needs the garbage

  public static void main(String[] arguments) throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress(Integer.parseInt(arguments[0])), 0);
    server.setExecutor(Executors.newFixedThreadPool(4));
    server.createContext("/", Service::count);
    server.createContext("/halt", Service::halt);
    server.start();
  }

  private static void count(HttpExchange exchange) throws IOException {
    sink = new byte[64 << 10];
    byte[] answer = Long.toString(served.incrementAndGet()).getBytes();
    exchange.sendResponseHeaders(200, answer.length);
    exchange.getResponseBody().write(answer);
    exchange.close();
  }

  private static void halt(HttpExchange exchange) throws IOException {
    count(exchange);
    Runtime.getRuntime().halt(1);
  }
}
