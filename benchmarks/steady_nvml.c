/* libnvidia-ml.so.1 of a machine with one GPU that counts energy and answers at once. */
#include <stdio.h>
static int gpu;
int nvmlInitWithFlags(unsigned flags) { (void)flags; return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { (void)code; return "Not Supported"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, int **device) { (void)index; *device = &gpu; return 0; }
int nvmlDeviceGetHandleByUUID(const char *uuid, int **device) { (void)uuid; *device = &gpu; return 0; }
int nvmlDeviceGetName(int *device, char *text, unsigned length) { (void)device; snprintf(text, length, "Steady GPU"); return 0; }
int nvmlDeviceGetUUID(int *device, char *text, unsigned length) { (void)device; snprintf(text, length, "GPU-0"); return 0; }
int nvmlDeviceGetPowerUsage(int *device, unsigned *power_mw) { (void)device; *power_mw = 900; return 0; }
int nvmlDeviceGetTotalEnergyConsumption(int *device, unsigned long long *energy_mj) {
  (void)device;
  *energy_mj = 123456789;
  return 0;
}
