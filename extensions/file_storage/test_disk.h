/* A disk for tests: does what it is told on real files, can be made to fail, and remembers every change, so that what a power cut leaves can be made. */
#ifndef PP_FILE_STORAGE_TEST_DISK_H
#define PP_FILE_STORAGE_TEST_DISK_H

#include "file_ops.h"

extern const struct pp_file_ops test_disk_ops;

enum test_disk_call { TEST_DISK_OPEN, TEST_DISK_WRITE, TEST_DISK_TRUNCATE, TEST_DISK_SYNC, TEST_DISK_SYNC_FOLDER, TEST_DISK_CALLS };

/* Forgets everything; works. */
void test_disk_reset(void);
/* From the n-th call of that kind on (1: the next) they fail with `error`; 0: none does any more. Writes that fail do half of what they were to. */
void test_disk_fail(enum test_disk_call call, unsigned nth, int error);
/* At most that many bytes a write; 0: all. */
void test_disk_cut_writes(size_t bytes_max);

/* Changes so far. */
size_t test_disk_events(void);
/* Makes in `folder` (empty) what may be there after a power cut right after the first `events` changes: all that was synced, and of what was not, by
 * chance, some, torn, or nothing. Segment files only have one folder. */
void test_disk_cut_power(const char *folder, size_t events, unsigned seed);

#endif
