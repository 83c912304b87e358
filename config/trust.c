#include "config/trust.h"

#include "config/certs.h"
#include "config/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

struct trust {
    struct problem_place place; /* of the file being read */
    struct material_blob *out;
    WOLFSSL_CERT_MANAGER *manager;
    int count;
    int out_of_date; /* left out */
    int unusable;    /* likewise, and the first one's error */
    int error;
    char weak[STRENGTH_WORDS_LEN]; /* or why, where it is too weak */
};

/*
 * A bundle may hold what has expired, what has a weak key, or what wolfSSL does not
 * read (a serial number of 0): it vouches for nobody.
 */
static bool
is_left_out(struct trust *trust, const struct certs_one *cert)
{
    int64_t now = time(NULL);
    int error = cert->error;

    if (error == 0 && (cert->not_after < now || cert->not_before > now)) {
        trust->out_of_date++;
        return true;
    }
    if (error == 0 && cert->has_weak_key) {
        if (trust->unusable++ == 0) {
            memcpy(trust->weak, cert->weak, sizeof(trust->weak));
        }
        return true;
    }
    if (error == 0 && cert->is_ca) {
        int rc = wolfSSL_CertManagerLoadCABuffer(
            trust->manager, cert->der, (long)cert->der_len, WOLFSSL_FILETYPE_ASN1);

        error = rc == WOLFSSL_SUCCESS ? 0 : rc;
    }
    if (error != 0 && trust->unusable++ == 0) {
        trust->error = error;
    }
    return error != 0;
}

static int
add(void *context, const struct certs_one *cert)
{
    struct trust *trust = context;

    if (is_left_out(trust, cert)) {
        return 0;
    }
    if (!cert->is_ca) {
        return problem_in(&trust->place, "certificate %d is no CA's", cert->position);
    }
    trust->count++;
    return certs_append(trust->out, cert);
}

static int
add_file(void *context, const char *path)
{
    struct trust *trust = context;
    const char *whole = trust->place.file;
    struct file file;
    int rc = file_read(path, &file);

    trust->place.file = path;
    if (rc != 0) {
        rc = problem_in(&trust->place, "%s", file_error(rc));
    } else {
        rc = certs_each(&trust->place, &file, add, trust);
        file_done(&file);
    }
    if (rc == -ENOMEM) {
        rc = problem_in(&trust->place, "%s", strerror(ENOMEM));
    }
    trust->place.file = whole;
    return rc < 0 ? rc : 0;
}

static int
check_any(const struct trust *trust)
{
    if (trust->count > 0) {
        return 0;
    }
    if (trust->weak[0] != '\0') {
        return problem_in(&trust->place, "its CA certificate has %s, which is too weak",
                          trust->weak);
    }
    if (trust->unusable > 0) {
        return problem_in(&trust->place, "its CA certificate cannot be used: %s",
                          certs_error(trust->error));
    }
    if (trust->out_of_date > 0) {
        return problem_because(&trust->place, POLICY_CAUSE_EXPIRED,
                               "its CA certificate has expired or is not yet valid");
    }
    return problem_in(&trust->place, "holds no CA certificate");
}

int
trust_load(const struct problem_place *place, struct material_blob *out)
{
    struct trust trust = {.place = *place, .out = out};
    int rc;

    trust.manager = wolfSSL_CertManagerNew();
    if (trust.manager == NULL) {
        return problem_in(place, "%s", strerror(ENOMEM));
    }
    rc = folder_each(place, FOLDER_CERTIFICATES, add_file, &trust);
    wolfSSL_CertManagerFree(trust.manager);
    return rc == 0 ? check_any(&trust) : rc;
}
