/* libnvidia-ml.so.1 of the simulated machine (SIMULATED_MACHINE names its specification): what the real pynvml asks for
 * on behalf of greenai and of the tools compared with it.
 *
 * Sensors as published for the A100 (Yang, Adamek, Armour, SC24, arXiv:2312.02741): the energy counter is renewed each
 * 100.3 ms; power is the mean of the last 25 ms, renewed each 100 ms. Phases come from the specification. A GPU without
 * counter answers as Pascal did. */
#include "sim.h"

enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, GPU_LOST = 15, UNKNOWN = 999 };
enum { ENERGY_PERIOD_NS = 100300000, POWER_PERIOD_NS = 100000000, POWER_WINDOW_NS = 25000000 };
enum { FIELD_ENERGY = 83, FIELD_POWER_AVERAGE = 185, FIELD_POWER_INSTANT = 186, UNSIGNED_INT = 1, UNSIGNED_LONG_LONG = 3 };

typedef struct {
  unsigned field, scope;
  long long timestamp, latency_us;
  int type, status;
  union { unsigned number; unsigned long long big; } value;
} field_value;

typedef struct {
  char legacy[16];
  unsigned domain, bus, device, device_id, subsystem_id;
  char text[32];
} pci_info;

static machine sim;

static int enough(unsigned length, const char *text) { return strlen(text) < length ? OK : TOO_SMALL; }
static int write_text(char *to, unsigned length, const char *text) {
  snprintf(to, length, "%s", text);
  return enough(length, text);
}
static int status_of(const gpu *g, int64_t t_ns, enum fault_kind *kind, int64_t *reset_ns) {
  *kind = fault_of(&sim, "gpu", g->number, t_ns, reset_ns);
  return *kind == LOST ? GPU_LOST : *kind == FAIL ? UNKNOWN : OK;
}
static int present(const gpu *g) {
  int64_t reset_ns;
  enum fault_kind kind;
  return status_of(g, now_ns(), &kind, &reset_ns) == GPU_LOST ? GPU_LOST : OK;
}

int nvmlInitWithFlags(unsigned flags) {
  (void)flags;
  if (!sim.epoch_ns) load_machine(&sim, getenv("SIMULATED_MACHINE"));
  return OK;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) {
  return code == GPU_LOST ? "GPU is lost" : code == NOT_SUPPORTED ? "Not Supported" : "Unknown Error";
}
int nvmlSystemGetDriverVersion(char *text, unsigned length) { return write_text(text, length, "580.65.06"); }
int nvmlSystemGetNVMLVersion(char *text, unsigned length) { return write_text(text, length, "13.580.65.06"); }
int nvmlSystemGetCudaDriverVersion(int *version) { return *version = 13000, OK; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { return *version = 13000, OK; }

int nvmlDeviceGetCount_v2(unsigned *count) { return *count = (unsigned)sim.n_gpus, OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, gpu **handle) {
  if (index >= (unsigned)sim.n_gpus) return INVALID;
  *handle = &sim.gpus[index];
  return present(*handle);
}
int nvmlDeviceGetHandleByUUID(const char *uuid, gpu **handle) {
  for (int i = 0; i < sim.n_gpus; i++)
    if (strcmp(sim.gpus[i].uuid, uuid) == 0) return *handle = &sim.gpus[i], present(*handle);
  return NOT_FOUND;
}
int nvmlDeviceGetIndex(gpu *g, unsigned *index) { return *index = (unsigned)g->number, OK; }
int nvmlDeviceGetMinorNumber(gpu *g, unsigned *number) { return *number = (unsigned)g->number, OK; }
int nvmlDeviceGetName(gpu *g, char *text, unsigned length) { return write_text(text, length, g->name); }
int nvmlDeviceGetUUID(gpu *g, char *text, unsigned length) { return write_text(text, length, g->uuid); }
int nvmlDeviceGetSerial(gpu *g, char *text, unsigned length) { return write_text(text, length, g->uuid + 4); }
int nvmlDeviceGetArchitecture(gpu *g, unsigned *value) { return *value = (unsigned)g->architecture, present(g); }
int nvmlDeviceGetPersistenceMode(gpu *g, unsigned *mode) { return *mode = 1, present(g); }
int nvmlDeviceGetComputeMode(gpu *g, unsigned *mode) { return *mode = 0, present(g); }
int nvmlDeviceGetMigMode(gpu *g, unsigned *now, unsigned *pending) {
  *now = *pending = 0;
  return g->counts ? present(g) : NOT_SUPPORTED;
}
int nvmlDeviceGetPciInfo_v3(gpu *g, pci_info *info) {
  memset(info, 0, sizeof *info);
  info->bus = 1u + (unsigned)g->number;
  info->device_id = 0x20b010de;
  snprintf(info->legacy, sizeof info->legacy, "0000:%02X:00.0", info->bus);
  snprintf(info->text, sizeof info->text, "00000000:%02X:00.0", info->bus);
  return present(g);
}
int nvmlDeviceGetMemoryInfo(gpu *g, unsigned long long *total_free_used) {
  total_free_used[0] = 40ull << 30, total_free_used[1] = 30ull << 30, total_free_used[2] = 10ull << 30;
  return present(g);
}
int nvmlDeviceGetUtilizationRates(gpu *g, unsigned *gpu_memory) {
  gpu_memory[0] = 90, gpu_memory[1] = 40;
  return present(g);
}
int nvmlDeviceGetTemperature(gpu *g, int sensor, unsigned *celsius) { return (void)sensor, *celsius = 60, present(g); }
int nvmlDeviceGetClockInfo(gpu *g, int clock, unsigned *mhz) { return (void)clock, *mhz = 1410, present(g); }
int nvmlDeviceGetMaxClockInfo(gpu *g, int clock, unsigned *mhz) { return (void)clock, *mhz = 1410, present(g); }
int nvmlDeviceGetPowerManagementLimit(gpu *g, unsigned *mw) { return *mw = 500000, present(g); }
int nvmlDeviceGetPowerManagementDefaultLimit(gpu *g, unsigned *mw) { return *mw = 500000, present(g); }
int nvmlDeviceGetEnforcedPowerLimit(gpu *g, unsigned *mw) { return *mw = 500000, present(g); }
int nvmlDeviceGetPowerManagementLimitConstraints(gpu *g, unsigned *low_mw, unsigned *high_mw) {
  return *low_mw = 100000, *high_mw = 500000, present(g);
}
int nvmlDeviceGetComputeRunningProcesses_v3(gpu *g, unsigned *count, void *list) { return (void)list, *count = 0, present(g); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(gpu *g, unsigned *count, void *list) { return (void)list, *count = 0, present(g); }

int nvmlDeviceGetTotalEnergyConsumption(gpu *g, unsigned long long *mj) {
  int64_t t_ns = now_ns(), reset_ns;
  enum fault_kind kind;
  int status = status_of(g, t_ns, &kind, &reset_ns);
  if (status != OK || !g->counts) return status != OK ? status : NOT_SUPPORTED;
  int64_t at_ns = renewed_ns(&sim, t_ns, ENERGY_PERIOD_NS, g->energy_ns);
  double value_mj = g->start_mj + energy_j(&sim, g->curve, at_ns) * 1e3;
  if (reset_ns) value_mj = fmax(energy_j(&sim, g->curve, at_ns) - energy_j(&sim, g->curve, reset_ns), 0) * 1e3;
  *mj = kind == SENTINEL ? 0xFFFFFFFFull : (unsigned long long)value_mj;
  return OK;
}
int nvmlDeviceGetPowerUsage(gpu *g, unsigned *mw) {
  int64_t t_ns = now_ns(), reset_ns;
  enum fault_kind kind;
  int status = status_of(g, t_ns, &kind, &reset_ns);
  if (status != OK) return status;
  int64_t at_ns = renewed_ns(&sim, t_ns, POWER_PERIOD_NS, g->power_ns);
  double window_j = energy_j(&sim, g->curve, at_ns) - energy_j(&sim, g->curve, at_ns - POWER_WINDOW_NS);
  *mw = kind == SENTINEL ? 0xFFFFFFFFu : (unsigned)lround(window_j / (POWER_WINDOW_NS / 1e9) * 1e3);
  return OK;
}
int nvmlDeviceGetFieldValues(gpu *g, int count, field_value *values) {
  for (int i = 0; i < count; i++) {
    field_value *v = &values[i];
    v->timestamp = now_ns() / 1000, v->latency_us = 0;
    v->type = v->field == FIELD_ENERGY ? UNSIGNED_LONG_LONG : UNSIGNED_INT;
    v->value.big = 0;
    if (v->field == FIELD_ENERGY) {
      v->status = nvmlDeviceGetTotalEnergyConsumption(g, &v->value.big);
    } else if ((v->field == FIELD_POWER_AVERAGE || v->field == FIELD_POWER_INSTANT) && v->scope == 0) {
      v->status = nvmlDeviceGetPowerUsage(g, &v->value.number);
    } else {
      v->status = NOT_SUPPORTED;
    }
  }
  return present(g);
}
