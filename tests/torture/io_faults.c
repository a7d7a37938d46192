/* A library for LD_PRELOAD that makes calls to files below one folder fail: the n-th of a kind, or all from then on.
 *
 * `arm` sets it up in a child process; until then, and in other folders, every call goes through. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, TRUNCATE = 4, RENAME = 8, READ = 16, OPEN = 32 };

static char folder[PATH_MAX];
static int armed_kinds, code, stays, countdown = -1, failed;

void arm(const char *path, int kinds, int after, int error, int for_good) {
    strncpy(folder, path, sizeof folder - 1);
    armed_kinds = kinds, countdown = after, code = error, stays = for_good, failed = 0;
}

int disarm(void) { countdown = -1; return failed; }

static int is_within(const char *path) { return strncmp(path, folder, strlen(folder)) == 0; }

static int is_ours(int descriptor) {
    char link[64], target[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length < 0) return 0;
    target[length] = 0;
    return is_within(target);
}

/* Whether a call of this kind, which belongs to the folder, fails now; errno is set then. */
static int fails(int kind, int ours) {
    if (countdown < 0 || !(kind & armed_kinds) || !ours) return 0;
    if (__atomic_sub_fetch(&countdown, 1, __ATOMIC_SEQ_CST) >= 0) return 0;
    if (stays) countdown = 0;
    failed++, errno = code;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define ARMED(descriptor) (countdown >= 0 && is_ours(descriptor))

ssize_t write(int fd, const void *data, size_t size) {
    return fails(WRITE, ARMED(fd)) ? -1 : REAL(write)(fd, data, size);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return fails(WRITE, ARMED(fd)) ? -1 : REAL(pwrite64)(fd, data, size, at);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return fails(WRITE, ARMED(fd)) ? -1 : REAL(pwrite)(fd, data, size, at);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
    return fails(READ, ARMED(fd)) ? -1 : REAL(pread64)(fd, data, size, at);
}
int fsync(int fd) { return fails(SYNC, ARMED(fd)) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails(SYNC, ARMED(fd)) ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { return fails(TRUNCATE, ARMED(fd)) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return fails(TRUNCATE, ARMED(fd)) ? -1 : REAL(ftruncate64)(fd, size); }
int rename(const char *from, const char *to) { return fails(RENAME, is_within(to)) ? -1 : REAL(rename)(from, to); }
int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return fails(OPEN, is_within(path)) ? -1 : REAL(open64)(path, flags, mode);
}
