/*
 * Trust anchors: CA certificates in a file or in the files of a directory.
 */
#ifndef CONFIG_TRUST_H
#define CONFIG_TRUST_H

#include "config/material.h"
#include "config/problem.h"

/*
 * Reads the CA certificates that are valid now and that wolfSSL can use; others are left
 * out.
 *
 *   place  in   the file or directory (*.pem, *.crt and *.cer in it); gets problems
 *   out    out  PEM; on the heap, also on failure
 *
 * Returns  0; -EINVAL after a problem, also when there is none left.
 */
int trust_load(const struct problem_place *place, struct material_blob *out);

#endif
