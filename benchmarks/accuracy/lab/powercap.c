/* A file system for /sys/class/powercap: energy counters computed when they are read. powercap SPEC MOUNTPOINT
 *
 *   intel-rapl/intel-rapl:0/{name,energy_uj,max_energy_range_uj,enabled}
 *   intel-rapl/intel-rapl:0/intel-rapl:0:0/...
 *   intel-rapl:0, intel-rapl:0:0                    links, as in the kernel's class folder
 *
 * As in RAPL a counter is renewed each millisecond and counts in units of the zone. Content is made when a file is read
 * at offset 0 (as sysfs does) and never cached. */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <sched.h>

#include "sim.h"

enum { MAX_NODES = 96, CONTENT = 32 };
enum kind { FOLDER, LINK, NAME, ENERGY, RANGE, ENABLED };

typedef struct {
  char path[256], target[160];
  enum kind kind;
  int zone;
} node;

static machine sim;
static node nodes[MAX_NODES];
static int n_nodes;

static void add(const char *path, enum kind kind, int zone, const char *target) {
  node *n = &nodes[n_nodes++];
  snprintf(n->path, sizeof n->path, "%s", path);
  snprintf(n->target, sizeof n->target, "%s", target);
  n->kind = kind;
  n->zone = zone;
}

static void add_in(const char *folder, const char *name, enum kind kind, int zone, const char *target) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  add(path, kind, zone, target);
}

static void build(void) {
  add("/", FOLDER, -1, "");
  add("/intel-rapl", FOLDER, -1, "");
  add("/intel-rapl/enabled", ENABLED, -1, "");
  add("/intel-rapl/subsystem", LINK, -1, "..");
  for (int i = 0; i < sim.n_zones; i++) { /* a zone's path: "0", or "0:1" for one inside it */
    char name[32], folder[160];
    snprintf(name, sizeof name, "intel-rapl:%s", sim.zones[i].path);
    char *inner = strchr(sim.zones[i].path, ':');
    if (inner) {
      snprintf(folder, sizeof folder, "/intel-rapl/intel-rapl:%.*s/%s", (int)(inner - sim.zones[i].path),
               sim.zones[i].path, name);
    } else {
      snprintf(folder, sizeof folder, "/intel-rapl/%s", name);
    }
    add(folder, FOLDER, i, "");
    add_in(folder, "name", NAME, i, "");
    add_in(folder, "energy_uj", ENERGY, i, "");
    add_in(folder, "max_energy_range_uj", RANGE, i, "");
    add_in(folder, "enabled", ENABLED, i, "");
    add_in("", name, LINK, i, folder + 1);
  }
}

static const node *find(const char *path) {
  for (int i = 0; i < n_nodes; i++) if (strcmp(nodes[i].path, path) == 0) return &nodes[i];
  return NULL;
}

static int locked(const node *n) { return n->kind == ENERGY && !sim.zones[n->zone].readable; }

static double counter_uj(int number, int64_t t_ns, int64_t reset_ns) {
  const zone *z = &sim.zones[number];
  int64_t at_ns = renewed_ns(&sim, t_ns, 1000000, z->renewal_ns);
  double uj = z->start_uj + energy_j(&sim, z->curve, at_ns) * 1e6;
  if (reset_ns) uj = fmax(energy_j(&sim, z->curve, at_ns) - energy_j(&sim, z->curve, reset_ns), 0) * 1e6;
  uj = floor(uj / z->unit_uj) * z->unit_uj;
  return fmod(uj, z->range_uj + z->unit_uj); /* the kernel's range is the largest value, one unit below the modulus */
}

/* Write what a file holds now; returns its length, or minus an error number. */
static int content(const node *n, char *text) {
  if (n->kind == NAME) return snprintf(text, CONTENT, "%s\n", sim.zones[n->zone].label);
  if (n->kind == RANGE) return snprintf(text, CONTENT, "%.0f\n", sim.zones[n->zone].range_uj);
  if (n->kind == ENABLED) return snprintf(text, CONTENT, "1\n");
  int64_t t_ns = now_ns(), reset_ns;
  enum fault_kind kind = fault_of(&sim, "zone", n->zone, t_ns, &reset_ns);
  if (kind == FAIL || kind == LOST) return -EIO;
  if (kind == SENTINEL) return snprintf(text, CONTENT, "4294967295\n");
  return snprintf(text, CONTENT, "%.0f\n", counter_uj(n->zone, t_ns, reset_ns));
}

static int get_attributes(const char *path, struct stat *st, struct fuse_file_info *info) {
  (void)info;
  const node *n = find(path);
  if (!n) return -ENOENT;
  memset(st, 0, sizeof *st);
  st->st_mode = n->kind == FOLDER ? S_IFDIR | 0755 : n->kind == LINK ? S_IFLNK | 0777 : S_IFREG | (locked(n) ? 0400 : 0444);
  st->st_nlink = n->kind == FOLDER ? 2 : 1;
  st->st_size = n->kind == LINK ? (off_t)strlen(n->target) : 4096;
  return 0;
}

static int check_access(const char *path, int mask) {
  const node *n = find(path);
  return !n ? -ENOENT : locked(n) && (mask & R_OK) ? -EACCES : 0;
}

static int read_link(const char *path, char *target, size_t size) {
  const node *n = find(path);
  if (!n || n->kind != LINK) return -EINVAL;
  snprintf(target, size, "%s", n->target);
  return 0;
}

static int list(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *info,
                enum fuse_readdir_flags flags) {
  (void)offset, (void)info, (void)flags;
  size_t length = strcmp(path, "/") == 0 ? 0 : strlen(path);
  fill(buffer, ".", NULL, 0, 0);
  fill(buffer, "..", NULL, 0, 0);
  for (int i = 1; i < n_nodes; i++) {
    const char *rest = nodes[i].path + length;
    if (strncmp(nodes[i].path, path, length) == 0 && *rest == '/' && !strchr(rest + 1, '/'))
      fill(buffer, rest + 1, NULL, 0, 0);
  }
  return 0;
}

static int open_file(const char *path, struct fuse_file_info *info) {
  const node *n = find(path);
  if (!n) return -ENOENT;
  if ((info->flags & O_ACCMODE) != O_RDONLY || locked(n)) return -EACCES;
  info->direct_io = 1;
  info->fh = (uint64_t)(uintptr_t)calloc(1, CONTENT); /* what the last read at offset 0 saw */
  return 0;
}

static int read_file(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *info) {
  char *text = (char *)(uintptr_t)info->fh;
  if (offset == 0) {
    int length = content(find(path), text);
    if (length < 0) return length;
  }
  size_t length = strlen(text);
  if ((size_t)offset >= length) return 0;
  size_t count = length - (size_t)offset < size ? length - (size_t)offset : size;
  memcpy(buffer, text + offset, count);
  return (int)count;
}

static int release_file(const char *path, struct fuse_file_info *info) {
  (void)path;
  free((void *)(uintptr_t)info->fh);
  return 0;
}

static const struct fuse_operations operations = {
  .getattr = get_attributes, .access = check_access, .readlink = read_link, .readdir = list,
  .open = open_file, .read = read_file, .release = release_file,
};

int main(int count, char **words) {
  if (count != 3) return 2;
  load_machine(&sim, words[1]);
  build();
  /* A real counter does not wait for its turn on a busy processor. */
  sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
  char *arguments[] = {words[0], "-s", words[2], NULL}; /* goes into the background once it is mounted */
  return fuse_main(3, arguments, &operations, NULL);
}
