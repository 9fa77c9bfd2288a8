/* The system calls that change files, in a table, so that tests see every write and sync and can make any of them fail. Each is as the call it is named
 * after: -1 with errno on failure. */
#ifndef PP_FILE_STORAGE_FILE_OPS_H
#define PP_FILE_STORAGE_FILE_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct pp_file_ops {
    int (*open)(int folder, const char *name, int flags, mode_t mode);
    ssize_t (*pwritev)(int fd, const struct iovec *parts, int n, off_t offset);
    int (*ftruncate)(int fd, off_t size);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd); /* of folders */
    int (*unlink)(int folder, const char *name);
    int (*close)(int fd);
};

extern const struct pp_file_ops pp_file_ops;

/* Writes all parts at `offset`, over as many calls as it takes; changes `parts`. False with errno. */
bool pp_file_write(const struct pp_file_ops *ops, int fd, struct iovec *parts, size_t n, uint64_t offset);
/* Reads up to `size` bytes, fewer only at the end of the file; -1 with errno. */
ssize_t pp_file_read(int fd, void *out, size_t size, uint64_t offset);

#endif
