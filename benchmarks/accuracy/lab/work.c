/* The tracked program of `greenai run`: writes down when it began, sleeps, writes down when it ended. work SECONDS */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <time.h>

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int count, char **words) {
  if (count != 2 || !getenv("SIMULATED_WORK")) return 2;
  volatile int64_t *window =
    mmap(NULL, 2 * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, open(getenv("SIMULATED_WORK"), O_RDWR), 0);
  if (window == MAP_FAILED) return 2;
  int64_t end_ns = (window[0] = now_ns()) + (int64_t)(atof(words[1]) * 1e9);
  struct timespec end = {end_ns / 1000000000, end_ns % 1000000000};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
  window[1] = now_ns();
  return 0;
}
