/*
 * What a program that looks functions up by name gets: prints a line for each way, with
 * the object that the function is in.  argv[1] is a library with a send() of its own.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnu/lib-names.h>

#ifdef __x86_64__
#define OLDEST "GLIBC_2.2.5"
#else
#define OLDEST "GLIBC_2.17"
#endif

static void
say(const char *how, void *function)
{
    Dl_info info;
    const char *object = "nothing";
    if (function != NULL && dladdr(function, &info) != 0) {
        const char *slash = strrchr(info.dli_fname, '/');
        object = slash != NULL ? slash + 1 : info.dli_fname;
    }
    const char *error = dlerror();
    printf("%s: %s%s\n", how, object, error != NULL ? ", an error" : "");
}

static void *
need(const char *library, int mode)
{
    void *handle = dlopen(library, mode);
    if (handle == NULL) {
        fprintf(stderr, "lookup: %s\n", dlerror());
        exit(1);
    }
    return handle;
}

int
main(int argc, char **argv)
{
    void *libc = need(LIBC_SO, RTLD_NOW);
    void *own = need(argc > 1 ? argv[1] : "", RTLD_NOW);
    void *dependent = need(LIBM_SO, RTLD_NOW); /* what it needs is searched as well */
    say("libc send", dlsym(libc, "send"));
    say("libc send of a version", dlvsym(libc, "send", OLDEST));
    say("libc dlsym", dlsym(libc, "dlsym"));
    say("libc strtok", dlsym(libc, "strtok"));
    say("libc no such function", dlsym(libc, "no_such_function"));
    say("libc no such version", dlvsym(libc, "send", "GLIBC_1.0"));
    say("dependent send", dlsym(dependent, "send"));
    say("own send", dlsym(own, "send"));
    say("default send", dlsym(RTLD_DEFAULT, "send"));
    say("next send", dlsym(RTLD_NEXT, "send"));
    say("next strtok", dlsym(RTLD_NEXT, "strtok"));
    say("a namespace of its own", dlmopen(LM_ID_NEWLM, LIBC_SO, RTLD_NOW));
    void *(*next)(void) = NULL;
    *(void **)&next = dlsym(own, "next_send");
    say("next send, of the library", next != NULL ? next() : NULL);
    return 0;
}
