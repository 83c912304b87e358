#include "config/problem_list.h"

#include "config/problem.h"

#include <limits.h>
#include <string.h>

struct problem_list_item {
    const char *path; /* the policy's own copy */
    int line;
    const char *text;
    struct problem_list_item *next;
};

static int
rank(int line)
{
    return line > 0 ? line : INT_MAX;
}

void
problem_list_add(void *context, const char *path, int line, const char *text)
{
    struct problem_list *list = context;
    struct problem_list_item *item = arena_alloc(list->arena, sizeof(*item));
    struct problem_list_item **place = &list->first;
    char *copy = arena_copy(list->arena, text, strlen(text));

    if (item == NULL || copy == NULL) {
        problem_add(list->report, path, line, "%s", text);
        return;
    }
    /* Most come in order: thousands of bad lines must not take minutes. */
    if (list->last != NULL && rank(list->last->line) <= rank(line)) {
        place = &list->last->next;
    }
    while (*place != NULL && rank((*place)->line) <= rank(line)) {
        place = &(*place)->next;
    }
    *item = (struct problem_list_item){path, line, copy, *place};
    *place = item;
    if (item->next == NULL) {
        list->last = item;
    }
}

void
problem_list_tell(const struct problem_list *list)
{
    for (const struct problem_list_item *item = list->first; item != NULL;
         item = item->next) {
        problem_add(list->report, item->path, item->line, "%s", item->text);
    }
}
