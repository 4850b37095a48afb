/* The simulated machine, read from a specification that benchmarks/accuracy/machine.py writes: power curves whose
 * integral is exact at any moment, the sensors on them, and their faults.
 *
 *   machine EPOCH_NS WORK_FILE
 *   curve BASE BEFORE_W PERIOD_S PHASE_S N  T0 P0 ... TN PN
 *   zone PATH LABEL CURVE UNIT_UJ RANGE_UJ START_UJ RENEWAL_NS READABLE
 *   gpu NUMBER UUID CURVE ARCHITECTURE COUNTS START_MJ ENERGY_NS POWER_NS NAME
 *   fault SENSOR DEVICE KIND FROM_S TO_S
 *
 * A curve is a polyline in seconds and watts; two points at one time are a step, and it repeats after PERIOD_S (0:
 * the last power holds). BASE "clock" starts it at EPOCH_NS; "work" starts it when the tracked work begins, with BEFORE_W
 * until then. WORK_FILE holds that moment (int64, CLOCK_MONOTONIC ns, 0 = not yet); times of faults count from it. */
#ifndef SIM_H
#define SIM_H

#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CURVES = 16, MAX_ZONES = 12, MAX_GPUS = 8, MAX_FAULTS = 8 };
enum fault_kind { NO_FAULT, FAIL, SENTINEL, RESET, LOST };

typedef struct {
  int at_work, n;
  double before_w, period_s, phase_s;
  double *t_s, *power_w, *energy_j; /* energy_j: cumulated up to each point */
} curve;

typedef struct {
  char path[16], label[32];
  int curve, readable;
  double unit_uj, range_uj, start_uj;
  int64_t renewal_ns;
} zone;

typedef struct {
  int number, curve, architecture, counts;
  char uuid[64], name[64];
  double start_mj;
  int64_t energy_ns, power_ns;
} gpu;

typedef struct {
  char sensor[8];
  int device;
  enum fault_kind kind;
  double from_s, to_s;
} fault;

typedef struct {
  int64_t epoch_ns;
  const volatile int64_t *work;
  int n_curves, n_zones, n_gpus, n_faults;
  curve curves[MAX_CURVES];
  zone zones[MAX_ZONES];
  gpu gpus[MAX_GPUS];
  fault faults[MAX_FAULTS];
} machine;

static inline int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Energy of a polyline from its start to t_s, joules. */
static double polyline_j(const curve *c, double t_s) {
  double whole_j = 0;
  if (c->period_s > 0) {
    double periods = floor(t_s / c->period_s);
    whole_j = periods * c->energy_j[c->n - 1];
    t_s -= periods * c->period_s;
  }
  if (t_s <= c->t_s[0]) return whole_j + c->power_w[0] * (t_s - c->t_s[0]);
  int low = 0, high = c->n - 1; /* t_s[low] < t_s <= t_s[high], unless behind the last point */
  if (t_s > c->t_s[high]) return whole_j + c->energy_j[high] + c->power_w[high] * (t_s - c->t_s[high]);
  while (high - low > 1) {
    int middle = (low + high) / 2;
    if (c->t_s[middle] < t_s) low = middle; else high = middle;
  }
  double into_s = t_s - c->t_s[low], length_s = c->t_s[high] - c->t_s[low];
  double power_w = c->power_w[low] + (c->power_w[high] - c->power_w[low]) * into_s / length_s;
  return whole_j + c->energy_j[low] + (c->power_w[low] + power_w) / 2 * into_s;
}

/* Energy of a curve from the epoch to t_ns, joules. */
static double energy_j(const machine *m, int number, int64_t t_ns) {
  const curve *c = &m->curves[number];
  double since_epoch_s = (double)(t_ns - m->epoch_ns) / 1e9;
  if (!c->at_work) return polyline_j(c, since_epoch_s + c->phase_s) - polyline_j(c, c->phase_s);
  int64_t work_ns = *m->work;
  if (work_ns == 0 || t_ns <= work_ns) return c->before_w * since_epoch_s;
  return c->before_w * ((double)(work_ns - m->epoch_ns) / 1e9) + polyline_j(c, (double)(t_ns - work_ns) / 1e9);
}

/* The last renewal of a sensor at or before t_ns. */
static int64_t renewed_ns(const machine *m, int64_t t_ns, int64_t period_ns, int64_t phase_ns) {
  int64_t since_ns = t_ns - m->epoch_ns - phase_ns;
  return t_ns - ((since_ns % period_ns) + period_ns) % period_ns;
}

/* The fault that a sensor has now. A reset lasts; reset_ns tells when it was. */
static enum fault_kind fault_of(const machine *m, const char *sensor, int device, int64_t t_ns, int64_t *reset_ns) {
  int64_t work_ns = *m->work;
  enum fault_kind kind = NO_FAULT;
  *reset_ns = 0;
  if (work_ns == 0) return kind;
  for (int i = 0; i < m->n_faults; i++) {
    const fault *f = &m->faults[i];
    double t_s = (double)(t_ns - work_ns) / 1e9;
    if (strcmp(f->sensor, sensor) != 0 || f->device != device || t_s < f->from_s || t_s >= f->to_s) continue;
    if (f->kind == RESET) *reset_ns = work_ns + (int64_t)(f->from_s * 1e9); else kind = f->kind;
  }
  return kind;
}

static enum fault_kind fault_kind_of(const char *word) {
  const char *words[] = {"", "fail", "sentinel", "reset", "lost"};
  for (int i = FAIL; i <= LOST; i++) if (strcmp(words[i], word) == 0) return (enum fault_kind)i;
  return NO_FAULT;
}

static void load_curve(machine *m, FILE *file) {
  curve *c = &m->curves[m->n_curves++];
  char base[8];
  if (fscanf(file, "%7s %lf %lf %lf %d", base, &c->before_w, &c->period_s, &c->phase_s, &c->n) != 5) exit(2);
  c->at_work = strcmp(base, "work") == 0;
  c->t_s = calloc((size_t)c->n, sizeof(double));
  c->power_w = calloc((size_t)c->n, sizeof(double));
  c->energy_j = calloc((size_t)c->n, sizeof(double));
  for (int i = 0; i < c->n; i++) {
    if (fscanf(file, "%lf %lf", &c->t_s[i], &c->power_w[i]) != 2) exit(2);
    if (i) c->energy_j[i] = c->energy_j[i - 1] + (c->power_w[i - 1] + c->power_w[i]) / 2 * (c->t_s[i] - c->t_s[i - 1]);
  }
}

/* Read the specification; ends the process if it is not as described above. */
static void load_machine(machine *m, const char *path) {
  FILE *file = fopen(path, "r");
  char word[16], text[256];
  int read = 0;
  memset(m, 0, sizeof *m);
  if (!file) exit(2);
  while (fscanf(file, "%15s", word) == 1) {
    if (strcmp(word, "machine") == 0) {
      read = fscanf(file, "%ld %255s", &m->epoch_ns, text) == 2;
      int work = open(text, O_RDONLY | O_CLOEXEC);
      m->work = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, work, 0);
      close(work);
      read = read && m->work != MAP_FAILED;
    } else if (strcmp(word, "curve") == 0) {
      load_curve(m, file);
    } else if (strcmp(word, "zone") == 0) {
      zone *z = &m->zones[m->n_zones++];
      read = fscanf(file, "%15s %31s %d %lf %lf %lf %ld %d", z->path, z->label, &z->curve, &z->unit_uj, &z->range_uj,
                    &z->start_uj, &z->renewal_ns, &z->readable) == 8;
    } else if (strcmp(word, "gpu") == 0) {
      gpu *g = &m->gpus[m->n_gpus++];
      read = fscanf(file, "%d %63s %d %d %d %lf %ld %ld %63[^\n]", &g->number, g->uuid, &g->curve, &g->architecture,
                    &g->counts, &g->start_mj, &g->energy_ns, &g->power_ns, g->name) == 9;
    } else if (strcmp(word, "fault") == 0) {
      fault *f = &m->faults[m->n_faults++];
      read = fscanf(file, "%7s %d %15s %lf %lf", f->sensor, &f->device, text, &f->from_s, &f->to_s) == 5;
      f->kind = fault_kind_of(text);
    } else {
      read = 0;
    }
    if (!read) exit(2);
  }
  fclose(file);
}

#endif
