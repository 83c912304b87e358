import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import java.util.Iterator;

/** An echo on a Selector and non-blocking channels, both ends: NioEcho server|client PORT */
public class NioEcho {
    static final int CLIENTS = 8;
    static final int SIZE = 2_000_000;

    static void serve(int port) throws Exception {
        Selector selector = Selector.open();
        ServerSocketChannel listener = ServerSocketChannel.open();
        listener.bind(new InetSocketAddress("127.0.0.1", port)).configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        while (true) {
            selector.select();
            Iterator<SelectionKey> keys = selector.selectedKeys().iterator();
            while (keys.hasNext()) {
                SelectionKey key = keys.next();
                keys.remove();
                if (key.isAcceptable()) {
                    SocketChannel client = listener.accept();
                    client.configureBlocking(false);
                    client.register(selector, SelectionKey.OP_READ,
                            ByteBuffer.allocateDirect(50_000));
                } else {
                    echo(key);
                }
            }
        }
    }

    static void echo(SelectionKey key) throws Exception {
        SocketChannel client = (SocketChannel) key.channel();
        ByteBuffer buffer = (ByteBuffer) key.attachment();
        if (key.isReadable() && client.read(buffer) < 0 && buffer.position() == 0) {
            client.close();
            return;
        }
        buffer.flip();
        client.write(buffer);
        buffer.compact();
        key.interestOps((buffer.position() > 0 ? SelectionKey.OP_WRITE : 0)
                | (buffer.hasRemaining() ? SelectionKey.OP_READ : 0));
    }

    static byte[] bytes(int number) {
        byte[] data = new byte[SIZE];
        byte[] marker = "MTLS-TEST-MARKER".getBytes();
        for (int at = 0; at < SIZE; at++) {
            data[at] = at % 4096 < marker.length ? marker[at % 4096] : (byte) (at * 31 + at / 253 + number);
        }
        return data;
    }

    /** All connections at once on one selector, connected without blocking. */
    static void ask(int port) throws Exception {
        Selector selector = Selector.open();
        ByteBuffer[] out = new ByteBuffer[CLIENTS];
        ByteBuffer[] in = new ByteBuffer[CLIENTS];
        for (int number = 0; number < CLIENTS; number++) {
            out[number] = ByteBuffer.wrap(bytes(number));
            in[number] = ByteBuffer.allocate(SIZE);
            SocketChannel channel = SocketChannel.open();
            channel.configureBlocking(false);
            channel.connect(new InetSocketAddress("127.0.0.1", port));
            channel.register(selector, SelectionKey.OP_CONNECT, number);
        }
        int left = CLIENTS;
        while (left > 0) {
            selector.select();
            for (SelectionKey key : selector.selectedKeys()) {
                SocketChannel channel = (SocketChannel) key.channel();
                int number = (Integer) key.attachment();
                if (key.isConnectable() && channel.finishConnect()) {
                    key.interestOps(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
                }
                if (key.isWritable()) {
                    channel.write(out[number]);
                    if (!out[number].hasRemaining()) {
                        channel.shutdownOutput();
                        key.interestOps(SelectionKey.OP_READ);
                    }
                }
                if (key.isReadable() && channel.read(in[number]) <= 0 && !in[number].hasRemaining()) {
                    if (!Arrays.equals(in[number].array(), bytes(number))) {
                        throw new AssertionError("connection " + number);
                    }
                    channel.close();
                    left--;
                }
            }
            selector.selectedKeys().clear();
        }
        System.out.println("fine");
    }

    public static void main(String[] words) throws Exception {
        if (words[0].equals("server")) {
            serve(Integer.parseInt(words[1]));
        } else {
            ask(Integer.parseInt(words[1]));
        }
    }
}
