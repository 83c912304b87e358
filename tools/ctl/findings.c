#include "tools/ctl/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
no_memory(void)
{
    fputs("mtlsctl: out of memory\n", stderr);
    exit(EXIT_FAILURE);
}

void
findings_add(struct findings *findings, enum findings_severity severity, const char *code,
             const char *remedy, const char *format, ...)
{
    struct finding *list =
        realloc(findings->list, (findings->count + 1) * sizeof(findings->list[0]));
    va_list args;
    char *text = NULL;

    if (list == NULL) {
        no_memory();
    }
    findings->list = list;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) {
        no_memory();
    }
    va_end(args);
    /* Names of files may hold anything; they are not to reach a terminal's controls. */
    for (char *at = text; *at != '\0'; at++) {
        *at = (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at;
    }
    list[findings->count++] = (struct finding){severity, code, text, remedy};
}

const char *
findings_severity_name(enum findings_severity severity)
{
    static const char *const names[] = {[FINDINGS_OK] = "ok",
                                        [FINDINGS_NOTE] = "note",
                                        [FINDINGS_WARNING] = "warning",
                                        [FINDINGS_BLOCKER] = "blocker"};

    return names[severity];
}

size_t
findings_count(const struct findings *findings, enum findings_severity severity)
{
    size_t count = 0;

    for (size_t i = 0; i < findings->count; i++) {
        count += findings->list[i].severity == severity;
    }
    return count;
}

void
findings_done(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->list[i].text);
    }
    free(findings->list);
    memset(findings, 0, sizeof(*findings));
}
