/*
 * OpenSSL at the other end, in both roles, with each suite.  wolfSSL makes the handshake,
 * its keys are taken out, and from then on the record layer is on its own.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/lib/record_pair.h"

#include <wolfssl/ssl.h>

#define BULK_LEN ((size_t)300000)

static char dir[] = "/tmp/record_openssl.XXXXXX";
static char cert[64];
static char key[64];
static uint8_t bulk[BULK_LEN];
static char got[BULK_LEN + 65536];

static const struct {
    const char *openssl; /* name for -ciphersuites or -cipher */
    const char *wolfssl;
} names[SUITE_COUNT] = {
    {"TLS_AES_128_GCM_SHA256", "TLS13-AES128-GCM-SHA256"},
    {"TLS_AES_256_GCM_SHA384", "TLS13-AES256-GCM-SHA384"},
    {"TLS_CHACHA20_POLY1305_SHA256", "TLS13-CHACHA20-POLY1305-SHA256"},
    {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"},
};

/* A running openssl: what it reads is sent, what it receives it prints. */
struct peer {
    pid_t pid;
    int in, out;
    char text[1 << 20]; /* all that it has printed */
    size_t len;
};

static void
peer_start(struct peer *peer, const char *const argv[])
{
    int in[2];
    int out[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    memset(peer, 0, sizeof(*peer));
    peer->pid = fork();
    assert_true(peer->pid >= 0);
    if (peer->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    peer->in = in[1];
    peer->out = out[0];
}

static void
peer_stop(struct peer *peer)
{
    close(peer->in);
    close(peer->out);
    kill(peer->pid, SIGKILL);
    waitpid(peer->pid, NULL, 0);
}

/* Reads what it prints, for at most ms. Returns false at its end. */
static bool
peer_pump(struct peer *peer, int ms)
{
    struct pollfd pfd = {.fd = peer->out, .events = POLLIN};

    if (poll(&pfd, 1, ms) != 1) {
        return true;
    }
    ssize_t n =
        read(peer->out, peer->text + peer->len, sizeof(peer->text) - 1 - peer->len);
    peer->len += n > 0 ? (size_t)n : 0;
    peer->text[peer->len] = 0;
    return n > 0;
}

/* Waits until it has printed this, at most ten seconds. */
static const char *
peer_expect(struct peer *peer, const char *want)
{
    for (int i = 0; i < 1000; i++) {
        const char *found = memmem(peer->text, peer->len, want, strlen(want));

        if (found != NULL) {
            return found + strlen(want);
        }
        if (!peer_pump(peer, 10)) {
            break;
        }
    }
    fail_msg("openssl did not print \"%s\" but:\n%s", want, peer->text);
    return NULL;
}

static void
peer_say(struct peer *peer, const char *text)
{
    assert_int_equal(write(peer->in, text, strlen(text)), strlen(text));
}

/* Reads from the connection until this has come. */
static void
expect(struct side *side, const char *want)
{
    size_t len = 0;

    memset(got, 0, sizeof(got));
    while (len < strlen(want)) {
        ssize_t n = side_read(side, got + len, strlen(want) - len);

        if (n == -EAGAIN) {
            side_wait(side);
            continue;
        }
        assert_true(n > 0);
        len += (size_t)n;
    }
    assert_string_equal(got, want);
}

static void
say(struct side *side, const char *text)
{
    assert_int_equal(side_write(side, text, strlen(text)), strlen(text));
}

/* Works on what comes, without data, until the condition of the caller may have changed.
 */
static void
idle(struct side *side)
{
    struct pollfd pfd = {.fd = side->fd, .events = POLLIN};

    poll(&pfd, 1, 10);
    assert_int_equal(record_readable(&side->conn, side->fd), 0);
}

/* Reads until the stream has ended; tickets may come first. */
static ssize_t
read_end(struct side *side)
{
    ssize_t n = -EAGAIN;

    for (int i = 0; i < 10 && n == -EAGAIN; i++) {
        side_wait(side);
        n = side_read(side, got, 100);
    }
    return n;
}

struct secrets {
    uint8_t client[48], server[48];
};

static int
on_secret(WOLFSSL *ssl, int id, const unsigned char *secret, int len, void *ctx)
{
    struct secrets *secrets = ctx;

    (void)ssl;
    if (id == CLIENT_TRAFFIC_SECRET) {
        memcpy(secrets->client, secret, (size_t)len);
    } else if (id == SERVER_TRAFFIC_SECRET) {
        memcpy(secrets->server, secret, (size_t)len);
    }
    return 0;
}

/* What the session layer does after a handshake. */
static void
take_keys(struct side *side, const struct suite_case *suite, WOLFSSL *ssl,
          const struct secrets *secrets, bool client)
{
    struct record_secrets ours = {0};
    struct record_secrets theirs = {0};
    size_t key_len = (size_t)wolfSSL_GetKeySize(ssl);
    size_t iv_len = suite->overhead == 29 ? 4 : 12;
    const uint8_t *keys[] = {wolfSSL_GetClientWriteKey(ssl),
                             wolfSSL_GetServerWriteKey(ssl)};
    const uint8_t *ivs[] = {wolfSSL_GetClientWriteIV(ssl), wolfSSL_GetServerWriteIV(ssl)};
    word64 seq = 0;

    memcpy(ours.key, keys[!client], key_len);
    memcpy(theirs.key, keys[client], key_len);
    memcpy(ours.iv, ivs[!client], iv_len);
    memcpy(theirs.iv, ivs[client], iv_len);
    memcpy(ours.secret, client ? secrets->client : secrets->server, 48);
    memcpy(theirs.secret, client ? secrets->server : secrets->client, 48);
    wolfSSL_GetSequenceNumber(ssl, &seq);
    ours.seq = seq;
    wolfSSL_GetPeerSequenceNumber(ssl, &seq);
    theirs.seq = seq;
    assert_int_equal(record_start(side->rec, suite->version, suite->suite,
                                  suite->hash_len, &theirs, &ours),
                     0);
}

static void
handshake(struct side *side, const struct suite_case *suite, int fd, bool client)
{
    struct timeval timeout = {.tv_sec = 10};
    struct secrets secrets = {0};
    bool is_1_3 = suite->version == 0x0304;
    WOLFSSL_METHOD *method;

    if (client) {
        method = is_1_3 ? wolfTLSv1_3_client_method() : wolfTLSv1_2_client_method();
    } else {
        method = is_1_3 ? wolfTLSv1_3_server_method() : wolfTLSv1_2_server_method();
    }
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method);
    assert_non_null(ctx);
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
    assert_int_equal(wolfSSL_CTX_set_cipher_list(ctx, names[suite - suite_cases].wolfssl),
                     WOLFSSL_SUCCESS);
    if (!client) {
        assert_int_equal(wolfSSL_CTX_use_certificate_chain_file(ctx, cert),
                         WOLFSSL_SUCCESS);
        assert_int_equal(wolfSSL_CTX_use_PrivateKey_file(ctx, key, WOLFSSL_FILETYPE_PEM),
                         WOLFSSL_SUCCESS);
    }
    WOLFSSL *ssl = wolfSSL_new(ctx);
    assert_non_null(ssl);
    wolfSSL_set_tls13_secret_cb(ssl, on_secret, &secrets);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    assert_int_equal(wolfSSL_set_fd(ssl, fd), WOLFSSL_SUCCESS);
    assert_int_equal(client ? wolfSSL_connect(ssl) : wolfSSL_accept(ssl),
                     WOLFSSL_SUCCESS);
    side_init(side, fd);
    take_keys(side, suite, ssl, &secrets, client);
    wolfSSL_free(ssl);
    wolfSSL_CTX_free(ctx);
}

/* Starts s_server and connects to it. */
static int
to_server(struct peer *peer, const struct suite_case *suite)
{
    bool is_1_3 = suite->version == 0x0304;
    const char *const argv[] = {"openssl",
                                "s_server",
                                "-accept",
                                "127.0.0.1:0",
                                "-naccept",
                                "1",
                                "-cert",
                                cert,
                                "-key",
                                key,
                                is_1_3 ? "-tls1_3" : "-tls1_2",
                                is_1_3 ? "-ciphersuites" : "-cipher",
                                names[suite - suite_cases].openssl,
                                "-num_tickets",
                                "3",
                                NULL};
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    peer_start(peer, argv);
    addr.sin_port = htons((uint16_t)atoi(peer_expect(peer, "ACCEPT 127.0.0.1:")));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

/* Starts s_client and accepts it. */
static int
from_client(struct peer *peer, const struct suite_case *suite)
{
    bool is_1_3 = suite->version == 0x0304;
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    char where[32];
    const char *const argv[] = {"openssl",
                                "s_client",
                                "-connect",
                                where,
                                is_1_3 ? "-tls1_3" : "-tls1_2",
                                is_1_3 ? "-ciphersuites" : "-cipher",
                                names[suite - suite_cases].openssl,
                                NULL};

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    snprintf(where, sizeof(where), "127.0.0.1:%d", ntohs(addr.sin_port));
    peer_start(peer, argv);
    struct pollfd pfd = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&pfd, 1, 10000), 1);
    int fd = accept(listener, NULL, NULL);
    close(listener);
    return fd;
}

/* Much data, both ways. */
static void
exchange_bulk(struct side *side, struct peer *peer)
{
    size_t sent = 0;
    size_t before = peer->len;

    while (sent < BULK_LEN || record_pending(&side->conn)) {
        ssize_t n = sent < BULK_LEN ? side_write(side, bulk + sent, BULK_LEN - sent)
                                    : record_flush(&side->conn, side->fd);

        assert_true(n >= 0 || n == -EAGAIN);
        sent += n > 0 ? (size_t)n : 0;
        peer_pump(peer, 1);
    }
    for (int i = 0; i < 10000 && peer->len < before + BULK_LEN; i++) {
        assert_true(peer_pump(peer, 1));
    }
    assert_memory_equal(peer->text + before, bulk, BULK_LEN);

    size_t said = 0;
    size_t have = 0;
    fcntl(peer->in, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 200000 && have < BULK_LEN; i++) {
        ssize_t n = write(peer->in, bulk + said, BULK_LEN - said);

        said += n > 0 ? (size_t)n : 0;
        n = side_read(side, got + have, have % 2 == 0 ? 5000 : 100000);
        assert_true(n > 0 || n == -EAGAIN);
        have += n > 0 ? (size_t)n : 0;
    }
    fcntl(peer->in, F_SETFL, 0);
    assert_int_equal(have, BULK_LEN);
    assert_memory_equal(got, bulk, BULK_LEN);
}

static void
update_keys(struct side *side, struct peer *peer)
{
    /* It changes its keys; then it also asks for ours. */
    peer_say(peer, "k\n");
    for (int i = 0; i < 1000 && side->rec->rx.epoch < 2; i++) {
        idle(side);
    }
    assert_int_equal(side->rec->rx.epoch, 2);
    assert_int_equal(side->rec->tx.epoch, 1);
    peer_say(peer, "after k\n");
    expect(side, "after k\n");
    say(side, "still the old key\n");
    peer_expect(peer, "still the old key\n");
    peer_say(peer, "K\n");
    for (int i = 0; i < 1000 && side->rec->rx.epoch < 3; i++) {
        idle(side);
    }
    assert_int_equal(side->rec->rx.epoch, 3);
    assert_int_equal(side->rec->tx.epoch, 2);
    say(side, "new key as asked\n");
    peer_expect(peer, "new key as asked\n");
    /* We change ours; then we also ask for theirs. */
    assert_int_equal(record_key_update(&side->conn, side->fd, false), 0);
    say(side, "new key unasked\n");
    peer_expect(peer, "new key unasked\n");
    assert_int_equal(record_key_update(&side->conn, side->fd, true), 0);
    say(side, "now you\n");
    peer_expect(peer, "now you\n");
    peer_say(peer, "here you are\n");
    expect(side, "here you are\n");
    assert_int_equal(side->rec->rx.epoch, 4);
    assert_int_equal(side->rec->tx.epoch, 4);
}

static void
converse(struct side *side, struct peer *peer, bool is_1_3)
{
    say(side, "greetings from the shim\n");
    peer_expect(peer, "greetings from the shim\n");
    peer_say(peer, "greetings from openssl\n");
    expect(side, "greetings from openssl\n");
    exchange_bulk(side, peer);
    if (is_1_3) {
        update_keys(side, peer);
    }
    exchange_bulk(side, peer);
}

/* s_client says good-bye first; s_server would cut the connection, so that we do. */
static void
part(struct side *side, struct peer *peer, bool client)
{
    if (client) {
        assert_int_equal(record_close_notify(&side->conn, side->fd), 0);
    } else {
        peer_say(peer, "Q\n");
    }
    assert_int_equal(read_end(side), 0);
    assert_int_equal(side->rec->rx.closed, true);
    assert_int_equal(record_drain(&side->conn, side->fd), 1);
}

/* And that is what it looks like when it does. */
static void
be_cut(struct side *side, struct peer *peer)
{
    peer_say(peer, "Q\n");
    assert_int_equal(read_end(side), -ECONNRESET);
}

static void
as_client_and_server(void **state)
{
    (void)state;
    static struct peer peer;

    for (size_t s = 0; s < SUITE_COUNT; s++) {
        for (int client = 0; client < 2; client++) {
            const struct suite_case *suite = &suite_cases[s];
            struct side side;

            print_message("           %s, openssl is the %s\n", suite->name,
                          client ? "server" : "client");
            int fd = client ? to_server(&peer, suite) : from_client(&peer, suite);
            handshake(&side, suite, fd, client);
            converse(&side, &peer, suite->version == 0x0304);
            part(&side, &peer, client);
            peer_stop(&peer);
            side_done(&side);
        }
    }
}

static void
truncation_by_openssl(void **state)
{
    (void)state;
    static struct peer peer;

    for (size_t s = 0; s < SUITE_COUNT; s += 3) {
        struct side side;

        int fd = to_server(&peer, &suite_cases[s]);
        handshake(&side, &suite_cases[s], fd, true);
        say(&side, "x\n");
        peer_expect(&peer, "x\n");
        be_cut(&side, &peer);
        peer_stop(&peer);
        side_done(&side);
    }
}

/* OpenSSL understands our end of stream, and our complaints. */
static void
our_alerts_are_understood(void **state)
{
    (void)state;
    static struct peer peer;

    for (size_t s = 0; s < SUITE_COUNT; s += 3) {
        for (int broken = 0; broken < 2; broken++) {
            const struct suite_case *suite = &suite_cases[s];
            struct side side;

            int fd = from_client(&peer, suite);
            handshake(&side, suite, fd, false);
            if (broken) {
                side.rec->rx.seq++; /* as if a record had been lost on the way */
                peer_say(&peer, "hello\n");
                assert_int_equal(read_end(&side), -EPROTO);
                peer_expect(&peer, "bad record mac");
            } else {
                assert_int_equal(record_close_notify(&side.conn, side.fd), 0);
                peer_expect(&peer, "closed");
                assert_int_equal(read_end(&side), 0);
                assert_int_equal(side.rec->rx.closed, true);
            }
            peer_stop(&peer);
            side_done(&side);
        }
    }
}

static int
setup(void **state)
{
    static struct peer peer;
    const char *const argv[] = {"openssl",
                                "req",
                                "-x509",
                                "-newkey",
                                "ec",
                                "-pkeyopt",
                                "ec_paramgen_curve:P-256",
                                "-nodes",
                                "-days",
                                "2",
                                "-subj",
                                "/CN=localhost",
                                "-keyout",
                                key,
                                "-out",
                                cert,
                                NULL};
    int status = -1;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    peer_start(&peer, argv);
    while (peer_pump(&peer, 10000)) {
    }
    waitpid(peer.pid, &status, 0);
    close(peer.in);
    close(peer.out);
    /* Digits and line ends only: openssl takes some letters for commands. */
    for (size_t i = 0; i < BULK_LEN; i++) {
        bulk[i] = i % 61 == 60 ? '\n' : (uint8_t)('0' + i / 61 % 10);
    }
    signal(SIGPIPE, SIG_IGN);
    return wolfSSL_Init() == WOLFSSL_SUCCESS ? status : -1;
}

static int
teardown(void **state)
{
    (void)state;
    unlink(cert);
    unlink(key);
    rmdir(dir);
    return wolfSSL_Cleanup() == WOLFSSL_SUCCESS ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_client_and_server),
        cmocka_unit_test(truncation_by_openssl),
        cmocka_unit_test(our_alerts_are_understood),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
