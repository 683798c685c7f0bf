import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;

/**
 * HTTP servers as the JVM world builds them: Servers KIND THREADS SERVICE_MICROS. Prints its port and ends with its
 * standard input. Each request takes THREADS' time of SERVICE_MICROS; what is answered is in Answer. Requests have no
 * body. Compiled for JDK 8.
 *
 *   jdk           com.sun.net.httpserver with a pool of THREADS
 *   nio           an event loop that works itself, and so reads the next request after its work
 *   nio-executor  an event loop that reads at once; a pool of THREADS works
 *   blocking      one connection after the other, closed after its answer
 *   virtual       a virtual thread for each connection, THREADS of which work at a time
 */
public final class Servers {
  private static final int BACKLOG = 1024;
  private static final InetSocketAddress ANY_PORT = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);

  private final int threads;
  private final long micros;

  private Servers(int threads, long micros) {
    this.threads = threads;
    this.micros = micros;
  }

  public static void main(String[] arguments) throws Exception {
    Servers servers = new Servers(Integer.parseInt(arguments[1]), Long.parseLong(arguments[2]));
    System.out.println(servers.start(arguments[0]));
    while (System.in.read() >= 0) {}
    System.exit(0);
  }

  /** Its port. */
  private int start(String kind) throws Exception {
    switch (kind) {
      case "jdk": return jdk();
      case "nio": return new EventLoop(null).start();
      case "nio-executor": return new EventLoop(Executors.newFixedThreadPool(threads)).start();
      case "blocking": return blocking();
      case "virtual": return virtual();
      default: throw new IllegalArgumentException(kind);
    }
  }

  private static void run(String name, Task task) {
    new Thread(() -> {
      try {
        task.run();
      } catch (Exception e) {
        e.printStackTrace();
        System.exit(1);
      }
    }, name).start();
  }

  private interface Task {
    void run() throws Exception;
  }

  // -- jdk

  private int jdk() throws IOException {
    // Else headers and body, two writes, wait for each other's acknowledgement.
    System.setProperty("sun.net.httpserver.nodelay", "true");
    System.setProperty("sun.net.httpserver.maxIdleConnections", String.valueOf(BACKLOG));
    HttpServer server = HttpServer.create(ANY_PORT, BACKLOG);
    server.setExecutor(Executors.newFixedThreadPool(threads));
    server.createContext("/", this::handle);
    server.start();
    return server.getAddress().getPort();
  }

  private void handle(HttpExchange exchange) throws IOException {
    Answer.work(micros);
    Answer answer = Answer.to(exchange.getRequestURI().getPath());
    boolean bodiless = answer.body == null || answer.body.length == 0 || exchange.getRequestMethod().equals("HEAD");
    if (bodiless) exchange.getResponseHeaders().set("Connection", "close"); // up to JDK 17 it closes without saying so
    // 0 stands for chunked, -1 for none.
    long length = bodiless ? -1 : answer.chunked ? 0 : answer.body.length;
    exchange.sendResponseHeaders(answer.code, length);
    if (!bodiless) for (byte[] part : answer.parts()) {
      exchange.getResponseBody().write(part);
      exchange.getResponseBody().flush();
    }
    exchange.close();
  }

  // -- nio and nio-executor

  /** A connection of the event loop. */
  private static final class Connection {
    final SelectionKey key;
    final StringBuilder in = new StringBuilder();
    ByteBuffer out; // not null: it is being answered

    Connection(SelectionKey key) {
      this.key = key;
    }

    SocketChannel channel() {
      return (SocketChannel) key.channel();
    }
  }

  private final class EventLoop {
    private final Executor pool; // null: the loop works itself
    private final Selector selector = Selector.open();
    private final ServerSocketChannel listener = ServerSocketChannel.open();
    private final Queue<Connection> answered = new ConcurrentLinkedQueue<>();
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 16);

    EventLoop(Executor pool) throws IOException {
      this.pool = pool;
    }

    int start() throws IOException {
      listener.bind(ANY_PORT, BACKLOG);
      listener.configureBlocking(false);
      listener.register(selector, SelectionKey.OP_ACCEPT);
      Servers.run("event-loop", this::loop);
      return ((InetSocketAddress) listener.getLocalAddress()).getPort();
    }

    private void loop() throws IOException {
      while (true) {
        selector.select();
        for (Connection connection; (connection = answered.poll()) != null; ) handle(connection, this::write);
        for (Iterator<SelectionKey> keys = selector.selectedKeys().iterator(); keys.hasNext(); ) {
          SelectionKey key = keys.next();
          keys.remove();
          if (!key.isValid()) continue;
          if (key.isAcceptable()) accept();
          else handle((Connection) key.attachment(), key.isWritable() ? this::write : this::read);
        }
      }
    }

    private void accept() throws IOException {
      for (SocketChannel channel; (channel = listener.accept()) != null; ) {
        channel.configureBlocking(false);
        channel.socket().setTcpNoDelay(true);
        SelectionKey key = channel.register(selector, SelectionKey.OP_READ);
        key.attach(new Connection(key));
      }
    }

    /** A connection that fails ends alone. */
    private void handle(Connection connection, Step step) throws IOException {
      try {
        step.run(connection);
      } catch (IOException e) {
        connection.channel().close();
      }
    }

    private void read(Connection connection) throws IOException {
      buffer.clear();
      if (connection.channel().read(buffer) < 0) {
        connection.channel().close();
        return;
      }
      buffer.flip();
      connection.in.append(StandardCharsets.ISO_8859_1.decode(buffer));
      next(connection);
    }

    /** Begins with the next request that has come whole. */
    private void next(Connection connection) throws IOException {
      int end = connection.in.indexOf("\r\n\r\n");
      if (connection.out != null || end < 0) return;
      String head = connection.in.substring(0, end);
      connection.in.delete(0, end + 4);
      if (pool == null) {
        work(connection, head);
        write(connection);
      } else {
        connection.out = ByteBuffer.allocate(0);
        pool.execute(() -> {
          work(connection, head);
          answered.add(connection);
          selector.wakeup();
        });
      }
    }

    private void work(Connection connection, String head) {
      Answer.work(micros);
      connection.out = ByteBuffer.wrap(Servers.response(head, false));
    }

    private void write(Connection connection) throws IOException {
      connection.channel().write(connection.out);
      boolean more = connection.out.hasRemaining();
      connection.key.interestOps(more ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
      if (more) return;
      connection.out = null;
      next(connection);
    }
  }

  private interface Step {
    void run(Connection connection) throws IOException;
  }

  // -- blocking and virtual

  private int blocking() throws IOException {
    ServerSocket listener = new ServerSocket(0, BACKLOG, InetAddress.getLoopbackAddress());
    run("acceptor", () -> {
      while (true) serve(listener.accept(), true, null);
    });
    return listener.getLocalPort();
  }

  private int virtual() throws Exception {
    ExecutorService each = (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    Semaphore workers = new Semaphore(threads, true);
    ServerSocket listener = new ServerSocket(0, BACKLOG, InetAddress.getLoopbackAddress());
    run("acceptor", () -> {
      while (true) {
        Socket socket = listener.accept();
        each.execute(() -> serve(socket, false, workers));
      }
    });
    return listener.getLocalPort();
  }

  /** Answers the requests of a connection, or only its first. */
  private void serve(Socket socket, boolean close, Semaphore workers) {
    try (Socket closing = socket) {
      socket.setTcpNoDelay(true);
      InputStream in = socket.getInputStream();
      OutputStream out = socket.getOutputStream();
      StringBuilder pending = new StringBuilder();
      do {
        String head = readHead(in, pending);
        if (head == null) return;
        if (workers != null) workers.acquireUninterruptibly();
        Answer.work(micros);
        if (workers != null) workers.release();
        out.write(response(head, close));
      } while (!close);
      // The client closes first: the kernel merges what waits to be read, and the time of the end would pass for that of
      // the answer.
      while (in.read() >= 0) {}
    } catch (IOException e) {
      // The client went away.
    }
  }

  /** The next request; null at the end of the connection. */
  private static String readHead(InputStream in, StringBuilder pending) throws IOException {
    byte[] bytes = new byte[8192];
    int end;
    while ((end = pending.indexOf("\r\n\r\n")) < 0) {
      int size = in.read(bytes);
      if (size < 0) return null;
      pending.append(new String(bytes, 0, size, StandardCharsets.ISO_8859_1));
    }
    String head = pending.substring(0, end);
    pending.delete(0, end + 4);
    return head;
  }

  private static byte[] response(String head, boolean close) {
    String[] words = head.split(" ", 3);
    return Answer.to(words[1]).response(words[0].equals("HEAD"), close);
  }
}
