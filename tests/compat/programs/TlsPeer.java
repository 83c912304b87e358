import java.io.FileInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * A TLS end of Java's JSSE, with the arguments and the output of TlsPeer.go, and algorithm
 * (EC, RSA, Ed25519: of the key). JSSE does not say whether a session was resumed: that is
 * told by its creation, which is older than the connection.
 */
public class TlsPeer {
    static final Map<String, String> given = new HashMap<>();

    static SSLContext context() throws Exception {
        CertificateFactory certificates = CertificateFactory.getInstance("X.509");
        KeyStore own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        String pem = Files.readString(Path.of(given.get("key")));
        byte[] der = Base64.getMimeDecoder().decode(
                pem.replaceAll("-----[^-]*-----", "").strip());
        try (InputStream chain = new FileInputStream(given.get("cert"))) {
            own.setKeyEntry("own",
                    KeyFactory.getInstance(given.get("algorithm"))
                            .generatePrivate(new PKCS8EncodedKeySpec(der)),
                    new char[0],
                    certificates.generateCertificates(chain).toArray(new Certificate[0]));
        }
        KeyStore trust = KeyStore.getInstance("PKCS12");
        trust.load(null, null);
        try (InputStream ca = new FileInputStream(given.get("ca"))) {
            trust.setCertificateEntry("ca", certificates.generateCertificate(ca));
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(own, new char[0]);
        TrustManagerFactory anchors = TrustManagerFactory.getInstance("PKIX");
        anchors.init(trust);
        SSLContext made = SSLContext.getInstance("TLS");
        made.init(keys.getKeyManagers(), anchors.getTrustManagers(), null);
        return made;
    }

    static void report(SSLSocket socket, long started, MessageDigest hash) {
        var session = (ExtendedSSLSession) socket.getSession();
        System.out.println(session.getProtocol().substring("TLSv".length()) + " "
                + session.getCipherSuite() + " " + (session.getCreationTime() < started) + " "
                + HexFormat.of().formatHex(hash.digest()));
    }

    static void ask(SSLContext context, byte[] say) throws Exception {
        MessageDigest hash = MessageDigest.getInstance("SHA-256");
        long started = System.currentTimeMillis();
        String[] address = given.get("address").split(":");
        try (var socket = (SSLSocket) context.getSocketFactory().createSocket(
                     "localhost", Integer.parseInt(address[1]))) {
            socket.setSoTimeout(30000);
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            parameters.setProtocols(new String[] {"TLSv" + given.get("version")});
            socket.setSSLParameters(parameters);
            Thread writer = new Thread(() -> {
                try {
                    socket.getOutputStream().write(say);
                } catch (Exception error) {
                    error.printStackTrace();
                }
            });
            writer.start();
            hash.update(socket.getInputStream().readNBytes(Integer.parseInt(given.get("want"))));
            writer.join();
            report(socket, started, hash);
        }
        Thread.sleep(5); // so that the next one's start is later than this session's
    }

    static void serve(SSLSocket socket) throws Exception {
        MessageDigest hash = MessageDigest.getInstance("SHA-256");
        long started = System.currentTimeMillis();
        try (socket) {
            socket.setSoTimeout(30000);
            OutputStream out = socket.getOutputStream();
            byte[] block = new byte[16384];
            for (int got; (got = socket.getInputStream().read(block)) > 0;) {
                hash.update(block, 0, got);
                out.write(block, 0, got);
            }
            report(socket, started, hash);
        }
    }

    public static void main(String[] arguments) throws Exception {
        for (int i = 1; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            given.put(pair[0], pair[1]);
        }
        if (given.containsKey("groups")) {
            System.setProperty("jdk.tls.namedGroups",
                    given.get("groups").replaceAll("P-(\\d+)", "secp$1r1").replace("X", "x"));
        }
        SSLContext context = context();
        int count = Integer.parseInt(given.get("count"));
        if (arguments[0].equals("client")) {
            byte[] say = Files.readAllBytes(Path.of(given.get("say")));
            for (int i = 0; i < count; i++) {
                ask(context, say);
            }
            return;
        }
        String[] address = given.get("address").split(":");
        try (var listener = (SSLServerSocket) context.getServerSocketFactory()
                .createServerSocket()) {
            listener.bind(new InetSocketAddress(address[0], Integer.parseInt(address[1])));
            SSLParameters parameters = listener.getSSLParameters();
            parameters.setNeedClientAuth(true);
            parameters.setProtocols(new String[] {"TLSv" + given.get("version")});
            listener.setSSLParameters(parameters);
            for (int i = 0; i < count; i++) {
                serve((SSLSocket) listener.accept());
            }
        }
    }
}
