import com.sun.net.httpserver.HttpServer;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.concurrent.Executors;

/** GET /N gives N bytes, POST the body's SHA-256. HttpFiles PORT */
public class HttpFiles {
    public static void main(String[] arguments) throws Exception {
        byte[] block = new byte[4096];
        byte[] marker = "MTLS-TEST-MARKER".getBytes();
        System.arraycopy(marker, 0, block, 0, marker.length);
        HttpServer server =
                HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 0);
        server.createContext("/", exchange -> {
            try (exchange; OutputStream out = exchange.getResponseBody()) {
                if (exchange.getRequestMethod().equals("POST")) {
                    MessageDigest hash = MessageDigest.getInstance("SHA-256");
                    exchange.getRequestBody().transferTo(new OutputStream() {
                        @Override
                        public void write(int b) {
                            hash.update((byte) b);
                        }

                        @Override
                        public void write(byte[] bytes, int start, int length) {
                            hash.update(bytes, start, length);
                        }
                    });
                    byte[] answer = HexFormat.of().formatHex(hash.digest()).getBytes();
                    exchange.sendResponseHeaders(200, answer.length);
                    out.write(answer);
                    return;
                }
                int left = Integer.parseInt(exchange.getRequestURI().getPath().substring(1));
                exchange.sendResponseHeaders(200, left);
                while (left > 0) {
                    int size = Math.min(left, block.length);
                    out.write(block, 0, size);
                    left -= size;
                }
            } catch (java.security.NoSuchAlgorithmException error) {
                throw new java.io.IOException(error);
            }
        });
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.start();
    }
}
