/* mtlsctl doctor: which connections of a process are governed. */
#include "tools/ctl/doctor.h"

#include "tools/ctl/address.h"
#include "tools/ctl/doctor_sockets.h"
#include "tools/ctl/metrics_read.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { TOLD_MAX = 20 }; /* of a kind; more are counted */

/* What becomes of the connections of a process. */
struct tally {
    struct doctor *doctor;
    const struct doctor_sockets *sockets;
    const struct metrics_view *view; /* NULL = nobody counts */
    pid_t pid;
    char uid[24];
    size_t listening, governed, plaintext, unknown, ungoverned;
};

/* ---- what it has itself counted ------------------------------------------------- */

static bool
same_address(const struct sockaddr_in6 *counted, const union doctor_address *address)
{
    char a[ADDRESS_LEN];
    char b[ADDRESS_LEN];

    return strcmp(address_text((const struct sockaddr *)counted, a),
                  address_text(&address->any, b)) == 0;
}

static bool
is_governed(const struct tally *tally, const struct doctor_socket *socket)
{
    for (size_t i = 0; i < tally->view->connection_count; i++) {
        const struct metrics_connection *connection = &tally->view->connections[i];

        if (connection->pid == tally->pid &&
            same_address(&connection->open.local, &socket->local) &&
            same_address(&connection->open.remote, &socket->remote)) {
            return true;
        }
    }
    return false;
}

static const struct metrics_process *
process_in(const struct metrics_view *view, pid_t pid)
{
    for (size_t i = 0; i < view->process_count; i++) {
        if (view->processes[i].pid == pid) {
            return &view->processes[i];
        }
    }
    return NULL;
}

/* A policy that has changed and is not followed. */
static void
look_at_reload(struct tally *tally, const struct metrics_process *process)
{
    for (size_t i = 0; i < tally->view->service_count; i++) {
        const struct metrics_service *service = &tally->view->services[i];

        if (strcmp(service->name, process->service) != 0) {
            continue;
        }
        findings_add(&tally->doctor->findings, FINDINGS_OK, "version", NULL,
                     "it counts as service %s, library version %s", service->name,
                     service->version);
        if (service->reload_failed) {
            findings_add(&tally->doctor->findings, FINDINGS_WARNING, "reload_failed",
                         "mend what its log names as reload_failed, or restart it",
                         "files that have changed could not be read again: it goes on "
                         "with the old ones");
        }
    }
}

/* ---- what the policy says ------------------------------------------------------- */

static const struct policy_rule *
rule_of(const struct tally *tally, const struct doctor_socket *socket)
{
    bool inbound =
        socket->is_listening || doctor_sockets_has_port(tally->sockets, &socket->local);
    struct policy_query query = {
        .direction = inbound ? POLICY_INBOUND : POLICY_OUTBOUND,
        .service = tally->doctor->service,
        .program = tally->doctor->program,
        .user = tally->doctor->user.name,
        .uid = tally->uid,
        .local = &socket->local.any,
        .remote = socket->is_listening ? NULL : &socket->remote.any,
    };

    return policy_match(tally->doctor->policy, &query);
}

static void
look_at_listening(struct tally *tally, const struct doctor_socket *socket)
{
    const struct policy_rule *rule = rule_of(tally, socket);
    char local[ADDRESS_LEN];

    if (tally->listening++ < TOLD_MAX) {
        bool plain = rule->mode == POLICY_MODE_PLAINTEXT;

        findings_add(&tally->doctor->findings, plain ? FINDINGS_NOTE : FINDINGS_OK,
                     "listens", NULL, "it listens on %s: [inbound %s], mode = %s",
                     address_text(&socket->local.any, local), rule->name,
                     policy_mode_name(rule->mode));
    }
}

static void
look_at_connected(struct tally *tally, const struct doctor_socket *socket)
{
    const struct policy_rule *rule = rule_of(tally, socket);
    char local[ADDRESS_LEN];
    char remote[ADDRESS_LEN];

    if (tally->view != NULL && is_governed(tally, socket)) {
        tally->governed++;
    } else if (rule->mode == POLICY_MODE_PLAINTEXT || rule->mode == POLICY_MODE_OBSERVE ||
               (rule->mode == POLICY_MODE_PERMISSIVE && tally->view != NULL)) {
        tally->plaintext++;
    } else if (tally->view == NULL) {
        tally->unknown++;
    } else if (tally->ungoverned++ < TOLD_MAX) {
        findings_add(
            &tally->doctor->findings, FINDINGS_WARNING, "ungoverned",
            "restart the process, so that it is made anew; if it comes back, the "
            "process makes it without libc",
            "%s - %s is not governed, and [%s %s] says mode = %s: it is older than "
            "the policy, not through its handshake, or made without libc",
            address_text(&socket->local.any, local),
            address_text(&socket->remote.any, remote),
            rule->direction == POLICY_INBOUND ? "inbound" : "outbound", rule->name,
            policy_mode_name(rule->mode));
    }
}

static void
look_at_all(struct tally *tally)
{
    const struct doctor_sockets *sockets = tally->sockets;

    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->list[i].is_listening) {
            look_at_listening(tally, &sockets->list[i]);
        } else {
            look_at_connected(tally, &sockets->list[i]);
        }
    }
    findings_add(&tally->doctor->findings, FINDINGS_OK, "connections", NULL,
                 "listening %zu; connected: governed %zu, plaintext by policy %zu, not "
                 "governed %zu, not known %zu",
                 tally->listening, tally->governed, tally->plaintext, tally->ungoverned,
                 tally->unknown);
    if (tally->unknown > 0) {
        findings_add(
            &tally->doctor->findings, FINDINGS_NOTE, "not_counted",
            "set metrics_dir in the policy, and restart the process",
            "which connections are governed cannot be told: the process does not "
            "count");
    }
    if (!sockets->complete) {
        findings_add(&tally->doctor->findings, FINDINGS_NOTE, "not_looked_at",
                     "ask as root or as that user",
                     "its descriptors cannot all be looked at");
    }
}

void
doctor_connections(struct doctor *doctor, pid_t pid)
{
    struct doctor_sockets sockets;
    struct metrics_view *view = NULL;
    struct tally tally = {.doctor = doctor, .sockets = &sockets, .pid = pid};

    if (doctor->policy == NULL) {
        return;
    }
    if (doctor->policy->metrics_dir != NULL) {
        view = metrics_read(doctor->policy->metrics_dir);
    }
    if (view != NULL) {
        const struct metrics_process *process = process_in(view, pid);

        tally.view = process != NULL ? view : NULL;
        if (process != NULL) {
            look_at_reload(&tally, process);
        }
    }
    snprintf(tally.uid, sizeof(tally.uid), "%u", (unsigned)doctor->user.uid);
    doctor_sockets_read(pid, &sockets);
    look_at_all(&tally);
    doctor_sockets_done(&sockets);
    metrics_read_free(view);
}
