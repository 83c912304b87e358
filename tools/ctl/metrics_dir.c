#include "tools/ctl/metrics_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/policy.h"

char *
metrics_dir(const char *dir, const char *path, const char *command)
{
    if (dir != NULL) {
        return strdup(dir);
    }
    const char *from_environment = getenv("MTLS_SHIM_POLICY");
    if (path == NULL) {
        path = from_environment != NULL && from_environment[0] != '\0'
                   ? from_environment
                   : POLICY_DEFAULT_PATH;
    }
    struct policy_report report = {policy_report_to_file, stderr, 0};
    struct policy *policy = policy_load(path, &report);
    char *found = NULL;
    if (policy != NULL && policy->metrics_dir != NULL) {
        found = strdup(policy->metrics_dir);
    } else if (policy != NULL) {
        fprintf(stderr, "mtlsctl: %s: %s sets no metrics_dir\n", command, path);
    }
    policy_free(policy);
    return found;
}
