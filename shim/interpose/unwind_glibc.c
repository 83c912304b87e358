/*
 * The two functions of libgcc_s that a cleanup attribute needs when a thread is cancelled
 * or an exception passes.
 *
 * A library that lists libgcc_s.so.1 is not preloaded where that is not installed, and
 * the program runs on without us.  Whoever unwinds has loaded it: pthread_cancel() does,
 * and so does every C++ program.  So it is looked for only then, as glibc does it itself
 * (sysdeps/gnu/unwind-resume.c); a copy linked in would not fit its unwinder's frames.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* As in unwind.h, which would export what we define. */
struct _Unwind_Exception;
struct _Unwind_Context;
typedef int personality_function(int version, int actions, uint64_t exception_class,
                                 struct _Unwind_Exception *exception,
                                 struct _Unwind_Context *context);
typedef void resume_function(struct _Unwind_Exception *exception);

personality_function __gcc_personality_v0;
resume_function _Unwind_Resume;

static void *
find(const char *name)
{
    void *library = dlopen("libgcc_s.so.1", RTLD_LAZY | RTLD_NOLOAD);
    void *found = library != NULL ? dlsym(library, name) : NULL;
    if (found == NULL) {
        abort(); /* nobody can unwind, and there is no way back */
    }
    return found;
}

int
__gcc_personality_v0(int version, int actions, uint64_t exception_class,
                     struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
    personality_function *real_one;
    *(void **)&real_one = find("__gcc_personality_v0");
    return real_one(version, actions, exception_class, exception, context);
}

void
_Unwind_Resume(struct _Unwind_Exception *exception)
{
    resume_function *real_one;
    *(void **)&real_one = find("_Unwind_Resume");
    real_one(exception);
    abort();
}
