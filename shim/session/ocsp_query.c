#include "shim/session/ocsp_query.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "shim/session/http_client.h"
#include "shim/session/recheck.h"
#include "shim/session/session.h"
#include "shim/session/system.h"
#include "shim/session/table.h"
#include "shim/session/thread.h"

enum {
    THREADS = 8,
    STACK_LEN = 512 * 1024, /* name services want more than we do */
};

struct job {
    struct ocsp_query query; /* its spans and text lie in bytes */
    int64_t deadline_ms;
    _Atomic int fd; /* of the connection, -1 = none */
    uint8_t room[HTTP_ANSWER_MAX];
    uint8_t bytes[];
};

/* Guards who is at work. A thread that has ended is joined by who needs its place. */
static pthread_mutex_t query_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    struct job *job; /* NULL = none */
    pthread_t thread;
    bool is_ended; /* and not joined yet */
} places[THREADS];

static struct der_span
copy_span(uint8_t **to, struct der_span span)
{
    struct der_span copy = {*to, span.len};
    memcpy(*to, span.at, span.len);
    *to += span.len;
    return copy;
}

static struct job *
job_new(const struct ocsp_query *query)
{
    size_t responder_len = query->responder != NULL ? strlen(query->responder) + 1 : 0;
    size_t len = query->certificate.len + responder_len;
    for (int i = 0; i < query->issuer_count; i++) {
        len += query->issuers[i].len;
    }
    struct job *job = malloc(sizeof(*job) + len);
    if (job == NULL) {
        return NULL;
    }
    uint8_t *to = job->bytes;
    job->query = *query;
    job->query.certificate = copy_span(&to, query->certificate);
    for (int i = 0; i < query->issuer_count; i++) {
        job->query.issuers[i] = copy_span(&to, query->issuers[i]);
    }
    if (responder_len > 0) {
        memcpy(to, query->responder, responder_len);
        job->query.responder = (const char *)to;
    }
    job->deadline_ms = session_now_ms() + query->timeout_ms;
    atomic_init(&job->fd, -1);
    return job;
}

static void
fail(struct ocsp_answer *answer, const char *words)
{
    answer->status = OCSP_FAILED;
    snprintf(answer->words, sizeof(answer->words), "%s", words);
}

/* Makes the question out of the issuer whose key has signed the certificate. */
static struct ocsp_question *
make_question(const struct ocsp_query *query)
{
    struct ocsp_question *question = NULL;
    for (int i = 0; question == NULL && i < query->issuer_count; i++) {
        question =
            ocsp_question_new(query->certificate, query->issuers[i], !query->staple);
    }
    return question;
}

static bool
find_responder(const struct ocsp_query *query, const struct ocsp_question *question,
               struct url *url, struct ocsp_answer *answer)
{
    struct der_span named = ocsp_question_url(question);
    const char *text = query->responder;
    size_t len = text != NULL ? strlen(text) : named.len;
    if (len == 0) {
        fail(answer, "neither the certificate nor ocsp_responder names a responder");
        return false;
    }
    if (!url_parse(text != NULL ? text : (const char *)named.at, len, url)) {
        fail(answer, "the certificate names a responder that is not of the form http://");
        return false;
    }
    return true;
}

/* Leaves the response in *response when there is one. */
static void
ask(struct job *job, const struct ocsp_question *question, struct ocsp_answer *answer,
    struct http_answer *response)
{
    uint8_t request[OCSP_REQUEST_MAX];
    char words[HTTP_CLIENT_WORDS_LEN];
    struct url url;
    int len = ocsp_question_write(question, request);
    if (len < 0) {
        fail(answer, "the question cannot be put into words");
    } else if (find_responder(&job->query, question, &url, answer)) {
        if (http_client_post(&url, request, (size_t)len, job->deadline_ms, &job->fd,
                             job->room, response, words) < 0) {
            fail(answer, words);
            return;
        }
        ocsp_question_judge(question, response->body, response->body_len, answer);
    }
}

static void
leave(struct job *job)
{
    pthread_mutex_lock(&query_mutex);
    for (int i = 0; i < THREADS; i++) {
        if (places[i].job == job) {
            places[i].job = NULL;
            places[i].is_ended = true;
        }
    }
    pthread_mutex_unlock(&query_mutex);
    free(job);
}

static void *
run(void *context)
{
    struct job *job = context;
    struct http_answer response = {0};
    struct ocsp_answer answer = {0};
    prctl(PR_SET_NAME, "mtls-shim-ocsp");
    thread_works();
    struct ocsp_question *question = make_question(&job->query);
    if (question != NULL) {
        ask(job, question, &answer, &response);
    } else {
        fail(&answer, "the CA that issued it is neither shown by the peer nor in trust");
    }
    bool keep = job->query.staple && answer.status == OCSP_GOOD;
    ocsp_cache_put(&job->query.key, &answer, keep ? response.body : NULL,
                   response.body_len);
    if (answer.status == OCSP_REVOKED) {
        recheck_all(); /* it may be the peer of an open connection */
    }
    ocsp_question_free(question);
    leave(job);
    thread_rests();
    return NULL;
}

/* What a thread does at its very end it does with locks of libc, too. */
static void
join_ended(int i)
{
    if (places[i].is_ended) {
        pthread_join(places[i].thread, NULL);
        places[i].is_ended = false;
    }
}

/* Under query_mutex. Returns a place, -1 = there is none. */
static int
find_place(void)
{
    int i = 0;
    while (i < THREADS && places[i].job != NULL) {
        i++;
    }
    if (i == THREADS) {
        return -1;
    }
    join_ended(i);
    return i;
}

/* Under query_mutex, so that the thread cannot end before its place is filled in. */
static void
start(struct job *job, int i)
{
    if (thread_start(run, job, STACK_LEN, &places[i].thread) == 0) {
        places[i].job = job;
        return;
    }
    struct ocsp_answer answer = {0};
    fail(&answer, "no thread could be started to ask the responder");
    ocsp_cache_put(&job->query.key, &answer, NULL, 0);
    free(job);
}

int
ocsp_query_start(const struct ocsp_query *query)
{
    struct job *job = job_new(query);
    if (job == NULL) {
        return -EAGAIN;
    }
    pthread_mutex_lock(&query_mutex);
    int i = find_place();
    if (i >= 0 && ocsp_cache_begin(&query->key, job->deadline_ms)) {
        start(job, i);
    } else {
        free(job); /* or somebody is at it */
    }
    pthread_mutex_unlock(&query_mutex);
    return i >= 0 ? 0 : -EAGAIN;
}

void
ocsp_query_hold(void)
{
    thread_hold();
    pthread_mutex_lock(&query_mutex);
    for (int i = 0; i < THREADS; i++) {
        join_ended(i);
    }
    pthread_mutex_unlock(&query_mutex);
}

void
ocsp_query_release(void)
{
    thread_release();
}

void
ocsp_query_fork_prepare(void)
{
    pthread_mutex_lock(&query_mutex);
    ocsp_cache_fork_prepare();
}

void
ocsp_query_fork_parent(void)
{
    ocsp_cache_fork_parent();
    pthread_mutex_unlock(&query_mutex);
}

void
ocsp_query_fork_child(void)
{
    for (int i = 0; i < THREADS; i++) {
        struct job *job = places[i].job;
        int fd = job != NULL ? atomic_load(&job->fd) : -1;
        if (fd >= 0) {
            table_disown(fd);
            system_calls.close(fd);
        }
        free(job);
        places[i].job = NULL;
        places[i].is_ended = false;
    }
    ocsp_cache_fork_child();
    thread_forked();
    pthread_mutex_unlock(&query_mutex);
}
