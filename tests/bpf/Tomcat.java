import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;

/** Embedded Tomcat 10: Tomcat THREADS SERVICE_MICROS, as Servers. Its files are in java.io.tmpdir. */
public final class Tomcat {
  public static void main(String[] arguments) throws Exception {
    String directory = System.getProperty("java.io.tmpdir");
    org.apache.catalina.startup.Tomcat tomcat = new org.apache.catalina.startup.Tomcat();
    tomcat.setBaseDir(directory);
    Connector connector = connector(arguments[0]);
    tomcat.setConnector(connector);
    Context context = tomcat.addContext("", directory);
    org.apache.catalina.startup.Tomcat.addServlet(context, "answers", servlet(Long.parseLong(arguments[1])));
    context.addServletMappingDecoded("/", "answers");
    tomcat.start();
    System.out.println(connector.getLocalPort());
    while (System.in.read() >= 0) {}
    System.exit(0);
  }

  private static Connector connector(String threads) {
    Connector connector = new Connector("org.apache.coyote.http11.Http11NioProtocol");
    connector.setPort(0);
    connector.setProperty("address", "127.0.0.1");
    connector.setProperty("maxThreads", threads);
    connector.setProperty("minSpareThreads", "1");
    connector.setProperty("maxKeepAliveRequests", "-1"); // else it closes each connection after 100
    connector.setProperty("keepAliveTimeout", "-1");
    return connector;
  }

  private static HttpServlet servlet(long micros) {
    return new HttpServlet() {
      @Override
      protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        Answer.work(micros);
        answer(Answer.to(request.getRequestURI()), response);
      }
    };
  }

  private static void answer(Answer answer, HttpServletResponse response) throws IOException {
    response.setStatus(answer.code);
    if (answer.body == null) return;
    if (!answer.chunked) response.setContentLength(answer.body.length);
    for (byte[] part : answer.parts()) {
      response.getOutputStream().write(part);
      if (answer.chunked) response.flushBuffer();
    }
  }
}
