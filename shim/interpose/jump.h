/*
 * Functions that end in a jump to another one, with the return address of who called them
 * still on the stack: the loader looks at it to know the caller.
 */
#ifndef SHIM_INTERPOSE_JUMP_H
#define SHIM_INTERPOSE_JUMP_H

#if __has_attribute(musttail)
#define JUMP __attribute__((musttail)) return
#define JUMPS
#else
#define JUMP return /* gcc makes a jump of it where it optimizes */
#define JUMPS __attribute__((optimize("O2")))
#endif

#endif
