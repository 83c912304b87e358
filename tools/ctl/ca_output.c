#include "tools/ctl/ca_output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
ca_output_find(const struct ca_store *store, const struct ca_options *options,
               struct ca_output *output)
{
    const char *out = options->out != NULL ? options->out : store->dir;
    const char *name = options->operand;

    if (!ca_index_name_valid(name)) {
        return ca_error(-EINVAL,
                        "'%s' cannot be a NAME: letters, digits and . _ - @ + only, not "
                        "beginning with . or -, and not \"ca\"",
                        name);
    }
    if (strlen(out) + strlen(name) + 16 > PATH_MAX) {
        return ca_error(-ENAMETOOLONG, "--out: path too long");
    }
    snprintf(output->key, sizeof(output->key), "%s/%s.key", out, name);
    snprintf(output->cert, sizeof(output->cert), "%s/%s.pem", out, name);
    return 0;
}

int
ca_output_is_free(const char *path, const struct ca_options *options)
{
    if (options->force || (access(path, F_OK) != 0 && errno == ENOENT)) {
        return 0;
    }
    return ca_error(-EEXIST, "%s is there already; --force replaces it", path);
}

int
ca_output_record(const struct ca_store *store, const struct ca_made *made,
                 const char *name)
{
    struct ca_index index;
    struct ca_entry entry;
    int rc = ca_index_load(store, &index);

    if (rc != 0) {
        return rc;
    }
    memset(&entry, 0, sizeof(entry));
    memcpy(entry.serial, made->serial_text, sizeof(entry.serial));
    memccpy(entry.name, name, '\0', sizeof(entry.name));
    entry.not_after = made->not_after;
    rc = ca_index_add(&index, &entry);
    if (rc == 0) {
        rc = ca_index_save(store, &index);
    }
    ca_index_done(&index);
    return rc;
}

static int
write_files(const struct ca_output *output, struct ca_key *key, const char *text,
            size_t len)
{
    char pem[CA_KEY_PEM_MAX];
    int rc;

    if (key == NULL) {
        const struct ca_file file = {output->cert, 0644, text, len};

        return ca_store_replace(&file, 1);
    }
    rc = ca_key_pem(key, pem);
    if (rc > 0) {
        const struct ca_file files[] = {
            {output->key, 0600, pem, (size_t)rc},
            {output->cert, 0644, text, len},
        };

        rc = ca_store_replace(files, 2);
    }
    explicit_bzero(pem, sizeof(pem));
    return rc;
}

int
ca_output_write(const struct ca_output *output, const struct ca_authority *authority,
                struct ca_key *key, const struct ca_made *made)
{
    size_t above = authority != NULL ? authority->chain_len : 0;
    size_t len = (size_t)made->pem_len + above;
    char *text = malloc(len + 1);
    int rc;

    if (text == NULL) {
        return ca_error(-ENOMEM, "%s", strerror(ENOMEM));
    }
    memcpy(text, made->pem, (size_t)made->pem_len);
    if (above > 0) {
        memcpy(text + made->pem_len, authority->chain, above);
    }
    rc = write_files(output, key, text, len);
    free(text);
    return rc;
}

void
ca_output_tell(const char *path, const struct ca_made *made, int64_t asked)
{
    char until[CA_TIME_TEXT];

    printf("%s: serial %s, valid until %s%s\n", path, made->serial_text,
           ca_index_time(made->not_after, until),
           made->not_after < asked ? " (the CA's own end)" : "");
}
