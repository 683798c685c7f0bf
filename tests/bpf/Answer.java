import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;

/**
 * What every server of the tests answers to a path: /chunked in three chunks, /status/NNN with that code, /bytes/N that
 * many bytes, all else a line. Compiled for JDK 8.
 */
final class Answer {
  private static final long SPIN_NANOS = 300_000; // parking is not exact below

  final int code;
  final boolean chunked;
  final byte[] body;

  private Answer(int code, boolean chunked, byte[] body) {
    this.code = code;
    this.chunked = chunked;
    this.body = body;
  }

  static Answer to(String path) {
    if (path.equals("/chunked")) return new Answer(200, true, bytes("one\ntwo\nthree\n"));
    if (path.startsWith("/status/")) return status(Integer.parseInt(path.substring("/status/".length())));
    if (path.startsWith("/bytes/")) return new Answer(200, false, filled(Integer.parseInt(path.substring("/bytes/".length()))));
    return new Answer(200, false, bytes("answer\n"));
  }

  private static Answer status(int code) {
    return new Answer(code, false, code == 204 || code == 304 ? null : bytes(code + "\n"));
  }

  private static byte[] filled(int size) {
    byte[] body = new byte[size];
    Arrays.fill(body, (byte) 'x');
    return body;
  }

  /** The chunks of a chunked body, or all of it. */
  byte[][] parts() {
    if (!chunked) return new byte[][] {body};
    int third = body.length / 3;
    return new byte[][] {Arrays.copyOfRange(body, 0, third), Arrays.copyOfRange(body, third, 2 * third),
        Arrays.copyOfRange(body, 2 * third, body.length)};
  }

  /** The whole response, as it is on the wire. */
  byte[] response(boolean toHead, boolean close) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    write(out, "HTTP/1.1 " + code + " Answer\r\n" + (close ? "Connection: close\r\n" : ""));
    if (chunked) write(out, "Transfer-Encoding: chunked\r\n");
    else if (body != null) write(out, "Content-Length: " + body.length + "\r\n");
    write(out, "\r\n");
    if (body != null && !toHead) writeBody(out);
    return out.toByteArray();
  }

  private void writeBody(ByteArrayOutputStream out) {
    for (byte[] part : parts()) {
      if (chunked) write(out, Integer.toHexString(part.length) + "\r\n");
      out.write(part, 0, part.length);
      if (chunked) write(out, "\r\n");
    }
    if (chunked) write(out, "0\r\n\r\n");
  }

  private static void write(ByteArrayOutputStream out, String text) {
    byte[] bytes = bytes(text);
    out.write(bytes, 0, bytes.length);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  /** Takes as long as the work would, to within microseconds. */
  static void work(long micros) {
    long end = System.nanoTime() + micros * 1000;
    for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime())
      if (left > SPIN_NANOS) LockSupport.parkNanos(left - SPIN_NANOS);
  }
}
