/* mtlsctl doctor: what a binary and its libraries call, and what that means. */
#include "tools/ctl/doctor.h"

#include "tools/ctl/doctor_elf.h"
#include "tools/ctl/doctor_libraries.h"

#include <stdio.h>
#include <string.h>

/* Functions that make a program one of the network; the library replaces them. */
static const char *const network_calls[] = {"connect", "accept", "accept4", "socket"};

/* Functions that matter for another reason. */
static const struct {
    const char *name;
    enum findings_severity severity;
    const char *code;
    const char *text;
    const char *remedy;
} special_calls[] = {
    {"aio_read", FINDINGS_NOTE, "aio",
     "calls aio_read, which fails with ENOSYS on a governed socket; on files it works",
     "only if its connections fail: switch asynchronous input and output off"},
    {"aio_write", FINDINGS_NOTE, "aio",
     "calls aio_write, which fails with ENOSYS on a governed socket; on files it works",
     "only if its connections fail: switch asynchronous input and output off"},
    {"rcmd", FINDINGS_NOTE, "rcmd",
     "calls rcmd, which fails with EACCES where a rule may govern", NULL},
    {"rexec", FINDINGS_NOTE, "rcmd",
     "calls rexec, which fails with EACCES where a rule may govern", NULL},
    {"dlmopen", FINDINGS_NOTE, "dlmopen",
     "calls dlmopen: what it loads into another namespace has a C library of its own, "
     "which is not covered",
     "only if such a part of it uses the network: switch it off"},
    {"sctp_connectx", FINDINGS_NOTE, "sctp", "speaks SCTP, which is left alone", NULL},
};

/* Libraries that speak TLS, by how their names begin. */
static const char *const tls_libraries[] = {
    "libssl.so", "libgnutls.so", "libssl3.so",   "libmbedtls.so",   "libwolfssl.so",
    "libs2n.so", "libtls.so",    "librustls.so", "libmatrixssl.so", "libboringssl.so",
};

struct seen {
    const char *file;
    struct doctor *doctor;
    bool network;
    bool own_tls;
    bool special[sizeof(special_calls) / sizeof(special_calls[0])];
};

#define TLS_REMEDY                                                                       \
    "if it encrypts a connection itself, that is encrypted twice under mode = mtls: "    \
    "give "                                                                              \
    "those connections a rule with mode = plaintext, or switch its own TLS off"

static void
see_symbol(void *context, const char *name, bool is_defined)
{
    struct seen *seen = context;

    if (is_defined) {
        /* Linked into it, as in node. */
        seen->own_tls = seen->own_tls || strcmp(name, "SSL_CTX_new") == 0;
        return;
    }
    for (size_t i = 0; i < sizeof(network_calls) / sizeof(network_calls[0]); i++) {
        seen->network = seen->network || strcmp(name, network_calls[i]) == 0;
    }
    for (size_t i = 0; i < sizeof(special_calls) / sizeof(special_calls[0]); i++) {
        if (!seen->special[i] && strcmp(name, special_calls[i].name) == 0) {
            seen->special[i] = true;
            findings_add(&seen->doctor->findings, special_calls[i].severity,
                         special_calls[i].code, special_calls[i].remedy, "%s %s",
                         seen->file, special_calls[i].text);
        }
    }
}

static void
see_name(struct seen *seen, const char *name)
{
    for (size_t i = 0; i < sizeof(tls_libraries) / sizeof(tls_libraries[0]); i++) {
        if (strncmp(name, tls_libraries[i], strlen(tls_libraries[i])) == 0) {
            findings_add(&seen->doctor->findings, FINDINGS_NOTE, "own_tls", TLS_REMEDY,
                         "it has TLS of its own: %s", name);
        }
    }
    if (strncmp(name, "liburing.so", 11) == 0) {
        findings_add(&seen->doctor->findings, FINDINGS_WARNING, "io_uring",
                     "if it is for sockets, switch it off in the program's settings, or "
                     "for all: sysctl kernel.io_uring_disabled=2 (Linux 6.6)",
                     "it may use io_uring, by %s: what goes that way is in plaintext, "
                     "unseen; a governed peer refuses it",
                     name);
    }
    if (strcmp(name, "libjli.so") == 0) {
        findings_add(&seen->doctor->findings, FINDINGS_NOTE, "own_tls", TLS_REMEDY,
                     "it is Java, which has TLS of its own");
    }
    if (strncmp(name, "libgo.so", 8) == 0) {
        findings_add(&seen->doctor->findings, FINDINGS_NOTE, "gccgo", NULL,
                     "it is Go by gcc, which calls libc: that is covered");
    }
}

static void
see_file(struct seen *seen, bool is_program)
{
    struct doctor_elf elf;
    const char *raw;

    if (doctor_elf_open(seen->file, &elf) != 0) {
        return;
    }
    doctor_elf_each_symbol(&elf, see_symbol, seen);
    if (is_program && seen->own_tls) {
        findings_add(&seen->doctor->findings, FINDINGS_NOTE, "own_tls", TLS_REMEDY,
                     "it has TLS of its own, linked into it");
    }
    raw = strstr(seen->file, "/liburing.so") == NULL ? doctor_elf_raw_call(&elf) : NULL;
    if (raw != NULL) {
        findings_add(
            &seen->doctor->findings, FINDINGS_WARNING, "raw_calls",
            "have the other ends governed, which refuse plaintext; look at the "
            "sockets with mtlsctl doctor PID when it runs",
            "%s makes system calls without libc, among them %s: connections that "
            "it makes so are in plaintext, unseen",
            seen->file, raw);
    }
    doctor_elf_close(&elf);
}

static void
say_network(struct doctor *doctor, bool network)
{
    if (network) {
        findings_add(&doctor->findings, FINDINGS_OK, "network", NULL,
                     "its calls for connections are those of libc, which are covered");
    } else {
        findings_add(&doctor->findings, FINDINGS_NOTE, "no_network",
                     "if it is only what starts the program with the connections, let "
                     "the doctor see that one",
                     "neither it nor its libraries make connections; parts that it loads "
                     "later may");
    }
}

void
doctor_calls(struct doctor *doctor, const char *binary)
{
    struct doctor_libraries libraries;
    struct seen seen = {.doctor = doctor};
    struct doctor_elf elf;

    if (doctor_elf_open(binary, &elf) != 0) {
        return; /* a script whose interpreter is not there, another processor */
    }
    doctor_elf_close(&elf);
    doctor_libraries_find(binary, &libraries);
    for (size_t i = 0; i < libraries.count; i++) {
        const struct doctor_library *library = &libraries.list[i];

        if (library->path == NULL) {
            findings_add(&doctor->findings, FINDINGS_WARNING, "missing_library",
                         "install it; without it the program does not start",
                         "it needs a library that is not found: %s", library->name);
        } else if (i == 0 || !doctor_libraries_is_libc(library->name)) {
            seen.file = library->path;
            see_name(&seen, library->name);
            see_file(&seen, i == 0);
        }
    }
    say_network(doctor, seen.network);
    doctor_libraries_done(&libraries);
}
