/* Loaded into a server by LD_PRELOAD. Of the files below KEYFERRY_SHIM_ROOT, a copy is kept below KEYFERRY_SHIM_SHADOW that
 * holds what has been synced, and nothing else:
 *
 *   write, pwrite    remembered as ranges that are not synced
 *   fsync, fdatasync copies the ranges that were written before it
 *                    (fdatasync nothing, where KEYFERRY_SHIM_LIES is set: it says that it has synced, and has not)
 *   sync_file_range  promises nothing, so it does nothing here
 *   rename, unlink   take effect at once; a file that was never synced is empty under its new name
 *
 * Whatever it cannot do ends the process: a shim that loses something silently would prove the wrong thing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct range { off_t from, to; };
struct file {
    dev_t device;
    ino_t inode;
    char path[PATH_MAX]; /* below the root */
    struct range *ranges;
    size_t count, room;
    int truncated; /* its length was set since it was last synced */
    struct file *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *files;
static const char *root, *shadow;
static size_t root_length;

static void die(const char *what, const char *path) {
    fprintf(stderr, "power shim: %s %s: %s\n", what, path, strerror(errno));
    abort();
}

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) {
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol) die("no symbol", name);
    return symbol;
}

__attribute__((constructor)) static void begin(void) {
    static char resolved[PATH_MAX];
    const char *given = getenv("KEYFERRY_SHIM_ROOT");
    shadow = getenv("KEYFERRY_SHIM_SHADOW");
    if (!given || !shadow || !realpath(given, resolved)) die("cannot begin below", given ? given : "nothing");
    root = resolved;
    root_length = strlen(root);
}

/* What a path is below the root, or NULL. */
static const char *below_root(const char *path, char *resolved) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (!slash) strcpy(folder, ".");
    else if (snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path) >= (int)sizeof folder) return NULL;
    char real_folder[PATH_MAX];
    if (!root || !realpath(folder[0] ? folder : "/", real_folder)) return NULL;
    if (snprintf(resolved, PATH_MAX, "%s/%s", real_folder, name) >= PATH_MAX) return NULL;
    if (strncmp(resolved, root, root_length) != 0 || resolved[root_length] != '/') return NULL;
    return resolved + root_length + 1;
}

static void in_shadow(const char *relative, char *path) {
    if (snprintf(path, PATH_MAX, "%s/%s", shadow, relative) >= PATH_MAX) die("path too long", relative);
}

/* The file behind a descriptor, if it lies below the root. Called with the lock held. */
static struct file *of_descriptor(int fd) {
    struct stat info;
    if (!root || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return NULL;
    for (struct file *one = files; one; one = one->next)
        if (one->device == info.st_dev && one->inode == info.st_ino) return one;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return NULL;
    path[length] = 0;
    if (strncmp(path, root, root_length) != 0 || path[root_length] != '/') return NULL;
    struct file *one = calloc(1, sizeof *one);
    if (!one) die("no memory for", path);
    one->device = info.st_dev;
    one->inode = info.st_ino;
    strcpy(one->path, path + root_length + 1);
    one->next = files;
    return files = one;
}

static void written(int fd, off_t from, ssize_t length) {
    if (length <= 0) return;
    pthread_mutex_lock(&lock);
    struct file *file = of_descriptor(fd);
    if (file) {
        struct range *last = file->count ? &file->ranges[file->count - 1] : NULL;
        if (last && last->to == from) last->to = from + length;
        else {
            if (file->count == file->room) {
                file->room = file->room ? 2 * file->room : 64;
                file->ranges = realloc(file->ranges, file->room * sizeof *file->ranges);
                if (!file->ranges) die("no memory for", file->path);
            }
            file->ranges[file->count++] = (struct range){from, from + length};
        }
    }
    pthread_mutex_unlock(&lock);
}

static void make_folders(char *path) {
    for (char *slash = strchr(path + strlen(shadow) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(path, 0700) != 0 && errno != EEXIST) die("cannot make", path);
        *slash = '/';
    }
}

/* Runs the sync, then copies what had been written before it. */
static int synced(int fd, int (*sync)(int)) {
    pthread_mutex_lock(&lock);
    struct file *file = of_descriptor(fd);
    struct range *ranges = NULL;
    size_t count = 0;
    int truncated = 0;
    char path[PATH_MAX];
    if (file) {
        ranges = file->ranges, count = file->count, truncated = file->truncated;
        file->ranges = NULL, file->count = file->room = 0, file->truncated = 0;
        in_shadow(file->path, path);
    }
    pthread_mutex_unlock(&lock);
    int result = sync(fd);
    if (!file) return result;
    int failure = errno;
    if (result == 0) {
        make_folders(path);
        struct stat info;
        if (fstat(fd, &info) != 0) die("cannot look at", path);
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        int source = REAL(open)(link, O_RDONLY | O_CLOEXEC);
        int target = REAL(open)(path, O_WRONLY | O_CREAT | O_CLOEXEC, info.st_mode & 0777);
        if (source < 0 || target < 0) die("cannot copy to", path);
        struct stat known;
        if (fstat(target, &known) != 0) die("cannot look at", path);
        /* Synced for the first time: also what did not come by the functions below. */
        if (known.st_size == 0) ranges = realloc(ranges, sizeof *ranges), count = 1, ranges[0] = (struct range){0, info.st_size};
        if (truncated && ftruncate(target, info.st_size) != 0) die("cannot cut", path);
        static __thread char block[1 << 16];
        for (size_t i = 0; i < count; i++)
            for (off_t at = ranges[i].from; at < ranges[i].to;) {
                size_t want = ranges[i].to - at < (off_t)sizeof block ? (size_t)(ranges[i].to - at) : sizeof block;
                ssize_t got = pread(source, block, want, at);
                if (got < 0) die("cannot read for", path);
                if (got == 0) break; /* cut off since */
                if (REAL(pwrite)(target, block, got, at) != got) die("cannot write", path);
                at += got;
            }
        close(source);
        close(target);
    }
    free(ranges);
    errno = failure;
    return result;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return getenv("KEYFERRY_SHIM_LIES") ? 0 : synced(fd, REAL(fdatasync)); }
int sync_file_range(int fd, off64_t from, off64_t length, unsigned flags) {
    (void)fd, (void)from, (void)length, (void)flags;
    return 0;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    ssize_t done = REAL(pwrite)(fd, bytes, count, at);
    written(fd, at, done);
    return done;
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    ssize_t done = REAL(pwrite64)(fd, bytes, count, at);
    written(fd, at, done);
    return done;
}
static void written_here(int fd, ssize_t done) {
    if (done <= 0) return;
    int failure = errno;
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (end >= done) written(fd, end - done, done);
    errno = failure;
}
ssize_t write(int fd, const void *bytes, size_t count) {
    ssize_t done = REAL(write)(fd, bytes, count);
    written_here(fd, done);
    return done;
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    ssize_t done = REAL(writev)(fd, parts, count);
    written_here(fd, done);
    return done;
}
static int cut(int fd, int result) {
    if (result != 0) return result;
    pthread_mutex_lock(&lock);
    struct file *file = of_descriptor(fd);
    if (file) file->truncated = 1;
    pthread_mutex_unlock(&lock);
    return result;
}
int ftruncate(int fd, off_t length) { return cut(fd, REAL(ftruncate)(fd, length)); }
int ftruncate64(int fd, off64_t length) { return cut(fd, REAL(ftruncate64)(fd, length)); }

int rename(const char *from, const char *to) {
    char a[PATH_MAX], b[PATH_MAX], old_shadow[PATH_MAX], new_shadow[PATH_MAX];
    const char *old = below_root(from, a), *new = below_root(to, b);
    pthread_mutex_lock(&lock);
    int result = REAL(rename)(from, to);
    int failure = errno;
    if (result == 0 && old && new) {
        in_shadow(old, old_shadow);
        in_shadow(new, new_shadow);
        make_folders(new_shadow);
        if (REAL(rename)(old_shadow, new_shadow) != 0) {
            int target = REAL(open)(new_shadow, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
            if (target < 0) die("cannot make", new_shadow);
            close(target);
        }
        for (struct file *one = files; one; one = one->next)
            if (strcmp(one->path, old) == 0) strcpy(one->path, new);
            else if (strcmp(one->path, new) == 0) one->path[0] = 0, one->inode = 0;
    }
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}

int unlink(const char *path) {
    char resolved[PATH_MAX], gone[PATH_MAX];
    const char *relative = below_root(path, resolved);
    pthread_mutex_lock(&lock);
    int result = REAL(unlink)(path);
    int failure = errno;
    if (result == 0 && relative) {
        in_shadow(relative, gone);
        REAL(unlink)(gone);
        /* The number of its inode may be another file's next. */
        for (struct file *one = files; one; one = one->next)
            if (strcmp(one->path, relative) == 0) one->path[0] = 0, one->inode = 0;
    }
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}
