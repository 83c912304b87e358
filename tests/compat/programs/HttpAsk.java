import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;

/** A client of HttpFiles by each of Java's ways: HttpAsk PORT */
public class HttpAsk {
    static int port;

    static void check(int got, int want, String what) {
        if (got != want) {
            throw new AssertionError(what + ": " + got + ", not " + want);
        }
    }

    public static void main(String[] arguments) throws Exception {
        port = Integer.parseInt(arguments[0]);
        for (int size : new int[] {1, 16384, 1000000}) {
            var connection = (HttpURLConnection) new URL("http://127.0.0.1:" + port + "/" + size)
                    .openConnection();
            try (InputStream in = connection.getInputStream()) {
                check(in.readAllBytes().length, size, "HttpURLConnection");
            }
        }
        byte[] request = "GET /300000 HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
        try (Socket socket = new Socket(InetAddress.getByName("127.0.0.1"), port)) {
            socket.setSoTimeout(20000);
            OutputStream out = socket.getOutputStream();
            out.write(request);
            int length = socket.getInputStream().readAllBytes().length;
            check(length > 300000 ? 1 : 0, 1, "Socket got " + length);
        }
        try (SocketChannel channel = SocketChannel.open(new InetSocketAddress("127.0.0.1", port))) {
            channel.write(ByteBuffer.wrap(request));
            ByteBuffer buffer = ByteBuffer.allocateDirect(70000);
            int length = 0;
            for (int got; (got = channel.read(buffer)) >= 0; buffer.clear()) {
                length += got;
            }
            check(length > 300000 ? 1 : 0, 1, "SocketChannel got " + length);
        }
        System.out.println("fine");
    }
}
