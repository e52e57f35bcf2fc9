// What outlives the processes that use it, and has to be removed by the one that made it, however that ends.
#ifndef CLEANUP_H
#define CLEANUP_H

// Removes the set of System V semaphores when this process exits or is ended by a signal. -1 removes the one before now.
void cleanup_own_semaphores(int set);
// The same for a System V message queue, the first (0) or the second.
void cleanup_own_queue(int index, int queue);
// The same for a file, beside those named before.
void cleanup_own_file(const char *path);
// Handlers and exit function; call before making what is to be owned.
void cleanup_prepare(void);

#endif
