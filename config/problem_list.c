#include "config/problem_list.h"

#include "config/problem.h"

#include <limits.h>
#include <string.h>

struct problem_list_item {
    struct policy_problem problem; /* path and text are the policy's own copies */
    struct problem_list_item *next;
};

static int
rank(int line)
{
    return line > 0 ? line : INT_MAX;
}

void
problem_list_add(void *context, const struct policy_problem *problem)
{
    struct problem_list *list = context;
    struct problem_list_item *item = arena_alloc(list->arena, sizeof(*item));
    struct problem_list_item **place = &list->first;
    char *copy = arena_copy(list->arena, problem->text, strlen(problem->text));

    if (item == NULL || copy == NULL) {
        problem_pass(list->report, problem);
        return;
    }
    /* Most come in order: thousands of bad lines must not take minutes. */
    if (list->last != NULL && rank(list->last->problem.line) <= rank(problem->line)) {
        place = &list->last->next;
    }
    while (*place != NULL && rank((*place)->problem.line) <= rank(problem->line)) {
        place = &(*place)->next;
    }
    *item = (struct problem_list_item){*problem, *place};
    item->problem.text = copy;
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
        problem_pass(list->report, &item->problem);
    }
}
