/* What certificates say, for those who want to see it: text, or JSON. */
#ifndef TOOLS_CTL_DESCRIBE_H
#define TOOLS_CTL_DESCRIBE_H

#include "config/der.h"
#include "tools/ctl/json.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * Says of what kind a public key is.
 *
 *   spki  in   SubjectPublicKeyInfo
 *   bits  out  its size
 *
 * Returns  "RSA", "P-256", "P-384", "P-521" or "Ed25519"; NULL for another.
 */
const char *describe_key(struct der_span spki, unsigned *bits);

/* Prints a certificate as lines that begin with an indent; position 0 is the leaf. */
void describe_print(FILE *out, struct der_span certificate, int position);

/* Adds the same as an object to a list. */
void describe_json(struct json *json, struct der_span certificate);

#endif
