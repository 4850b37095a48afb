/* A file system that hands everything through to a folder, until its control file says otherwise. faulty FOLDER CONTROL MOUNTPOINT
 *
 * The control file holds two numbers: an errno that every operation answers from now on (0: none), and seconds that every operation
 * hangs. So does a network file system whose server is away, and a quota that is used up (EDQUOT, for writing only). */
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[PATH_MAX], control[PATH_MAX];

static int fault(int writes) {
  int error = 0;
  double seconds = 0;
  FILE *file = fopen(control, "r");
  if (file) {
    if (fscanf(file, "%d %lf", &error, &seconds) < 1) error = 0;
    fclose(file);
  }
  if (seconds > 0) usleep((useconds_t)(seconds * 1e6));
  return error == EDQUOT && !writes ? 0 : error;
}

#define PATH(name) char name[2 * PATH_MAX]; snprintf(name, sizeof name, "%s%s", folder, path)
#define UNLESS_FAULT(writes) do { int error = fault(writes); if (error) return -error; } while (0)
#define RESULT(call) return (call) < 0 ? -errno : 0

static int f_getattr(const char *path, struct stat *st, struct fuse_file_info *info) {
  (void)info; PATH(p); UNLESS_FAULT(0); RESULT(lstat(p, st));
}
static int f_access(const char *path, int mask) { PATH(p); UNLESS_FAULT(0); RESULT(access(p, mask)); }
static int f_mkdir(const char *path, mode_t mode) { PATH(p); UNLESS_FAULT(1); RESULT(mkdir(p, mode)); }
static int f_unlink(const char *path) { PATH(p); UNLESS_FAULT(0); RESULT(unlink(p)); }
static int f_rmdir(const char *path) { PATH(p); UNLESS_FAULT(0); RESULT(rmdir(p)); }
static int f_rename(const char *path, const char *to, unsigned flags) {
  PATH(p); char q[2 * PATH_MAX]; (void)flags;
  snprintf(q, sizeof q, "%s%s", folder, to); UNLESS_FAULT(0); RESULT(rename(p, q));
}
static int f_truncate(const char *path, off_t size, struct fuse_file_info *info) {
  (void)info; PATH(p); UNLESS_FAULT(1); RESULT(truncate(p, size));
}
static int f_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *info) {
  (void)info; PATH(p); UNLESS_FAULT(0); RESULT(utimensat(AT_FDCWD, p, times, AT_SYMLINK_NOFOLLOW));
}
static int f_open(const char *path, struct fuse_file_info *info) {
  PATH(p); UNLESS_FAULT(0);
  int fd = open(p, info->flags);
  if (fd < 0) return -errno;
  info->fh = (uint64_t)fd; info->direct_io = 1;
  return 0;
}
static int f_create(const char *path, mode_t mode, struct fuse_file_info *info) {
  PATH(p); UNLESS_FAULT(1);
  int fd = open(p, info->flags, mode);
  if (fd < 0) return -errno;
  info->fh = (uint64_t)fd; info->direct_io = 1;
  return 0;
}
static int f_read(const char *path, char *data, size_t size, off_t at, struct fuse_file_info *info) {
  (void)path; UNLESS_FAULT(0);
  ssize_t n = pread((int)info->fh, data, size, at);
  return n < 0 ? -errno : (int)n;
}
static int f_write(const char *path, const char *data, size_t size, off_t at, struct fuse_file_info *info) {
  (void)path; UNLESS_FAULT(1);
  ssize_t n = pwrite((int)info->fh, data, size, at); /* with O_APPEND the kernel appends */
  return n < 0 ? -errno : (int)n;
}
static int f_fsync(const char *path, int data_only, struct fuse_file_info *info) {
  (void)path; (void)data_only; UNLESS_FAULT(1); RESULT(fsync((int)info->fh));
}
static int f_flush(const char *path, struct fuse_file_info *info) { (void)path; (void)info; return -fault(0); }
static int f_release(const char *path, struct fuse_file_info *info) { (void)path; close((int)info->fh); return 0; }
static int f_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t at, struct fuse_file_info *info,
                     enum fuse_readdir_flags flags) {
  (void)at; (void)info; (void)flags; PATH(p); UNLESS_FAULT(0);
  DIR *dir = opendir(p);
  if (!dir) return -errno;
  for (struct dirent *entry; (entry = readdir(dir));) fill(out, entry->d_name, NULL, 0, 0);
  closedir(dir);
  return 0;
}
static void *f_init(struct fuse_conn_info *connection, struct fuse_config *config) {
  (void)connection; config->attr_timeout = config->entry_timeout = config->negative_timeout = 0;
  return NULL;
}

static const struct fuse_operations operations = {
    .getattr = f_getattr, .access = f_access, .mkdir = f_mkdir, .unlink = f_unlink, .rmdir = f_rmdir,
    .rename = f_rename, .truncate = f_truncate, .utimens = f_utimens, .open = f_open, .create = f_create,
    .read = f_read, .write = f_write, .fsync = f_fsync, .flush = f_flush, .release = f_release,
    .readdir = f_readdir, .init = f_init,
};

int main(int argc, char **argv) {
  if (argc != 4 || !realpath(argv[1], folder) || !realpath(argv[2], control)) return 2;
  char *arguments[] = {argv[0], "-f", "-o", "allow_other", argv[3]};
  return fuse_main(5, arguments, &operations, NULL);
}
