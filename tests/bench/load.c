/*
 * A client that asks and waits for the answer, over and over. It prints a line of JSON:
 * requests, seconds, bytes (answers), resumed (handshakes, of its own TLS only).
 *
 *   load [OPTION]... -q REQUEST HOST PORT
 *
 *   -c N    connections (1)            -t N   threads that share them (1)
 *   -s S    seconds (1)                -b N   bytes of an answer; 0: up to the end (0)
 *   -e END  an answer ends with END    -k     a new connection for each request
 *   -w      once all connections have had an answer, say "ready" and wait for a byte on
 *           stdin; at the end keep the connections until stdin ends
 *   -n N    so many requests by each connection, however long they take
 *   -A CA -C CERTIFICATE -K KEY   mutual TLS of its own (OpenSSL); -R  resume its
 * sessions
 *
 * Connecting is not in the seconds, but with -k it is. A call waits 20 s at most.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH_COUNT 64 /* requests that a thread has under way at once */
#define CALL_SECONDS 20

struct connection {
    int fd;
    SSL *ssl;
};

struct worker {
    pthread_t thread;
    int connections_count;
    struct connection *connections;
    SSL_SESSION *session;
    long requests;
    long bytes;
    long resumed;
};

static struct {
    int connections_count;
    int threads_count;
    double seconds;
    long reply_len;
    const char *reply_end;
    const char *request;
    bool reconnect;
    bool wait;
    long rounds_count;
    bool resume;
    struct sockaddr_in server;
    SSL_CTX *tls;
} options = {
    .connections_count = 1, .threads_count = 1, .seconds = 1, .rounds_count = LONG_MAX};

static pthread_barrier_t all_connected;
static pthread_barrier_t go;
static double deadline;

static double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static _Noreturn void
fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "end of file");
    ERR_print_errors_fp(stderr);
    exit(EXIT_FAILURE);
}

/* TLS 1.3 hands a session out when its ticket comes: with the first answer. */
static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct worker *worker = SSL_get_app_data(ssl);

    SSL_SESSION_free(worker->session);
    worker->session = session;
    return 1;
}

static void
open_one(struct worker *worker, struct connection *connection)
{
    const struct timeval patience = {.tv_sec = CALL_SECONDS};
    const int on = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) {
        fail("socket");
    }
    setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(connection->fd, (const struct sockaddr *)&options.server,
                sizeof(options.server)) != 0) {
        fail("connect");
    }
    if (!options.tls) {
        return;
    }
    connection->ssl = SSL_new(options.tls);
    SSL_set_app_data(connection->ssl, worker);
    SSL_set_fd(connection->ssl, connection->fd);
    SSL_set1_host(connection->ssl, "localhost");
    if (options.resume && worker->session) {
        SSL_set_session(connection->ssl, worker->session);
    }
    if (SSL_connect(connection->ssl) != 1) {
        fail("SSL_connect");
    }
    worker->resumed += SSL_session_reused(connection->ssl);
}

static void
close_one(struct connection *connection)
{
    if (connection->ssl) {
        SSL_shutdown(connection->ssl);
        SSL_free(connection->ssl);
        connection->ssl = NULL;
    }
    close(connection->fd);
}

static void
ask(struct connection *connection)
{
    size_t len = strlen(options.request);
    ssize_t sent = connection->ssl
                       ? SSL_write(connection->ssl, options.request, (int)len)
                       : send(connection->fd, options.request, len, MSG_NOSIGNAL);

    if (sent != (ssize_t)len) {
        fail("send");
    }
}

static bool
is_whole(const char *buf, size_t len, long got)
{
    size_t end_len = options.reply_end ? strlen(options.reply_end) : 0;

    if (options.reply_end) {
        return len >= end_len &&
               memcmp(buf + len - end_len, options.reply_end, end_len) == 0;
    }
    return options.reply_len > 0 && got >= options.reply_len;
}

static void
answer(struct worker *worker, struct connection *connection)
{
    char buf[1 << 16];
    long got = 0;
    ssize_t len;

    do {
        errno = 0;
        len = connection->ssl ? SSL_read(connection->ssl, buf, (int)sizeof(buf))
                              : recv(connection->fd, buf, sizeof(buf), 0);
        if (len <= 0) {
            if (len == 0 && got > 0 && options.reply_len == 0 && !options.reply_end) {
                break;
            }
            fail("recv");
        }
        got += len;
    } while (!is_whole(buf, (size_t)len, got));
    worker->bytes += got;
    worker->requests++;
}

static void
run_batches(struct worker *worker)
{
    for (int first = 0; first < worker->connections_count; first += BATCH_COUNT) {
        int end = first + BATCH_COUNT;

        if (end > worker->connections_count) {
            end = worker->connections_count;
        }
        for (int i = first; i < end; i++) {
            ask(&worker->connections[i]);
        }
        for (int i = first; i < end; i++) {
            answer(worker, &worker->connections[i]);
        }
        if (now() >= deadline && options.rounds_count == LONG_MAX) {
            return;
        }
    }
}

static void
run_reconnecting(struct worker *worker)
{
    open_one(worker, worker->connections);
    ask(worker->connections);
    answer(worker, worker->connections);
    close_one(worker->connections);
}

static void *
work(void *argument)
{
    struct worker *worker = argument;

    for (int i = 0; i < worker->connections_count && !options.reconnect; i++) {
        open_one(worker, &worker->connections[i]);
        ask(&worker->connections[i]);
        answer(worker, &worker->connections[i]);
    }
    if (options.reconnect) {
        run_reconnecting(worker);
    }
    worker->requests = worker->bytes = worker->resumed = 0;
    pthread_barrier_wait(&all_connected);
    pthread_barrier_wait(&go);
    for (long i = 0; i < options.rounds_count; i++) {
        if (now() >= deadline && options.rounds_count == LONG_MAX) {
            break;
        }
        if (options.reconnect) {
            run_reconnecting(worker);
        } else {
            run_batches(worker);
        }
    }
    return NULL;
}

static void
use_tls(const char *ca, const char *certificate, const char *key)
{
    options.tls = SSL_CTX_new(TLS_client_method());
    if (!options.tls || SSL_CTX_load_verify_locations(options.tls, ca, NULL) != 1 ||
        SSL_CTX_use_certificate_chain_file(options.tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(options.tls, key, SSL_FILETYPE_PEM) != 1) {
        fail("certificates");
    }
    SSL_CTX_set_verify(options.tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(options.tls,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (options.resume) {
        SSL_CTX_sess_set_new_cb(options.tls, keep_session);
    }
}

static void
read_options(int argc, char **argv)
{
    const char *ca = NULL;
    const char *certificate = NULL;
    const char *key = NULL;
    int letter;

    while ((letter = getopt(argc, argv, "c:t:s:n:b:e:q:kwRA:C:K:")) != -1) {
        switch (letter) {
        case 'c':
            options.connections_count = atoi(optarg);
            break;
        case 't':
            options.threads_count = atoi(optarg);
            break;
        case 's':
            options.seconds = atof(optarg);
            break;
        case 'n':
            options.rounds_count = atol(optarg);
            break;
        case 'b':
            options.reply_len = atol(optarg);
            break;
        case 'e':
            options.reply_end = optarg;
            break;
        case 'q':
            options.request = optarg;
            break;
        case 'k':
            options.reconnect = true;
            break;
        case 'w':
            options.wait = true;
            break;
        case 'R':
            options.resume = true;
            break;
        case 'A':
            ca = optarg;
            break;
        case 'C':
            certificate = optarg;
            break;
        case 'K':
            key = optarg;
            break;
        default:
            exit(EXIT_FAILURE);
        }
    }
    options.server.sin_family = AF_INET;
    if (optind + 2 != argc || !options.request ||
        inet_pton(AF_INET, argv[optind], &options.server.sin_addr) != 1) {
        fprintf(stderr, "usage: load [OPTION]... -q REQUEST HOST PORT\n");
        exit(EXIT_FAILURE);
    }
    options.server.sin_port = htons((uint16_t)atoi(argv[optind + 1]));
    if (ca) {
        use_tls(ca, certificate, key);
    }
}

static struct worker *
start_workers(void)
{
    struct worker *workers = calloc((size_t)options.threads_count, sizeof(*workers));

    for (int i = 0; i < options.threads_count; i++) {
        struct worker *worker = &workers[i];

        worker->connections_count =
            options.connections_count / options.threads_count +
            (i < options.connections_count % options.threads_count);
        worker->connections =
            calloc((size_t)worker->connections_count + 1, sizeof(*worker->connections));
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            fail("pthread_create");
        }
    }
    return workers;
}

int
main(int argc, char **argv)
{
    struct worker total = {0};
    struct worker *workers;
    double start;

    signal(SIGPIPE, SIG_IGN);
    read_options(argc, argv);
    pthread_barrier_init(&all_connected, NULL, (unsigned)options.threads_count + 1);
    pthread_barrier_init(&go, NULL, (unsigned)options.threads_count + 1);
    workers = start_workers();
    pthread_barrier_wait(&all_connected);
    if (options.wait) {
        printf("ready\n");
        fflush(stdout);
        if (getchar() == EOF) {
            exit(EXIT_FAILURE);
        }
    }
    start = now();
    deadline = start + options.seconds;
    pthread_barrier_wait(&go);
    for (int i = 0; i < options.threads_count; i++) {
        pthread_join(workers[i].thread, NULL);
        free(workers[i].connections);
        total.requests += workers[i].requests;
        total.bytes += workers[i].bytes;
        total.resumed += workers[i].resumed;
    }
    printf("{\"requests\": %ld, \"seconds\": %.6f, \"bytes\": %ld, \"resumed\": %ld}\n",
           total.requests, now() - start, total.bytes, total.resumed);
    free(workers);
    fflush(stdout);
    while (options.wait && getchar() != EOF) {
    }
    return EXIT_SUCCESS;
}
