/*
 * What posix_spawn() has promised to children, around fork.
 */
#ifndef SHIM_INTERPOSE_SPAWN_H
#define SHIM_INTERPOSE_SPAWN_H

void spawn_fork_prepare(void);
void spawn_fork_parent(void);
void spawn_fork_child(void);

#endif
