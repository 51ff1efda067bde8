/* Stands in for libnvidia-ml.so.1: answers the calls that the probe makes with the values of the file NVML_STANDIN.
 *
 * A line of it is NAME VALUE. What is not in it is NOT_SUPPORTED, as on a driver that does not have the figure. `gpus` is how
 * many there are, `process` (several) is PID BYTES NAME, and `hang_ms` is how long each call takes. With `hangs` a call
 * returns when the file has no such line any more, and `error` is what each figure's call returns instead of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9 };
enum { LINE = 512 };

struct memory { unsigned long long total, free, used; };
struct utilization { unsigned gpu, memory; };
struct process { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; };

static int line_of(const char *name, int number, char *found) {
    FILE *file = fopen(getenv("NVML_STANDIN") ? getenv("NVML_STANDIN") : "", "r");
    size_t length = strlen(name);
    char line[LINE];
    int there = 0;
    while (file && !there && fgets(line, LINE, file))
        if (!strncmp(line, name, length) && line[length] == ' ' && number-- == 0) {
            line[strcspn(line, "\n")] = 0;
            strcpy(found, line + length + 1);
            there = 1;
        }
    if (file) fclose(file);
    return there;
}

static int whole(const char *name, unsigned long long *value) {
    char text[LINE];
    if (line_of("hang_ms", 0, text)) usleep(1000 * atoi(text));
    while (line_of("hangs", 0, text)) usleep(5000);
    if (strcmp(name, "gpus") && line_of("error", 0, text)) return atoi(text);
    if (!line_of(name, 0, text)) return NOT_SUPPORTED;
    *value = strtoull(text, NULL, 0);
    return SUCCESS;
}

static int unsigned_of(const char *name, unsigned *value) {
    unsigned long long wide = 0;
    int result = whole(name, &wide);
    *value = (unsigned)wide;
    return result;
}

static int words(const char *name, char *value, unsigned length) {
    char text[LINE];
    if (!line_of(name, 0, text)) return NOT_SUPPORTED;
    snprintf(value, length, "%s", text);
    return SUCCESS;
}

int nvmlInitWithFlags(unsigned flags) {
    unsigned gpus;
    (void)flags;
    return unsigned_of("gpus", &gpus) ? DRIVER_NOT_LOADED : SUCCESS;
}
int nvmlDeviceGetCount_v2(unsigned *count) { return unsigned_of("gpus", count) ? DRIVER_NOT_LOADED : SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned number, void **device) {
    *device = (void *)(size_t)(number + 1);
    return SUCCESS;
}
int nvmlDeviceGetName(void *device, char *name, unsigned length) { (void)device; return words("name", name, length); }
int nvmlSystemGetDriverVersion(char *version, unsigned length) { return words("driver", version, length); }
int nvmlDeviceGetClockInfo(void *device, unsigned kind, unsigned *mhz) {
    (void)device;
    return unsigned_of(kind == 1 ? "sm_mhz" : "memory_mhz", mhz);
}
int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *bits) {
    (void)device;
    return whole("reasons", bits);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *bits) {
    (void)device;
    return whole("old_reasons", bits);
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *mw) { (void)device; return unsigned_of("power_mw", mw); }
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *c) {
    (void)device, (void)sensor;
    return unsigned_of("temperature_c", c);
}
int nvmlDeviceGetUtilizationRates(void *device, struct utilization *rates) {
    (void)device;
    rates->memory = 0;
    return unsigned_of("utilisation", &rates->gpu);
}
int nvmlDeviceGetPerformanceState(void *device, unsigned *state) { (void)device; return unsigned_of("pstate", state); }
int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory) {
    (void)device;
    memory->free = 0;
    return whole("memory_total", &memory->total) || whole("memory_used", &memory->used) ? NOT_SUPPORTED : SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, struct process *found) {
    char text[LINE];
    unsigned number = 0, room = *count;
    (void)device;
    while (line_of("process", (int)number, text)) {
        unsigned long long used;
        if (found && number < room && sscanf(text, "%u %llu", &found[number].pid, &used) == 2)
            found[number].used = used;
        number++;
    }
    *count = number;
    return number > room ? INSUFFICIENT_SIZE : SUCCESS;
}
int nvmlSystemGetProcessName(unsigned pid, char *name, unsigned length) {
    char text[LINE];
    for (int number = 0; line_of("process", number, text); number++) {
        unsigned here;
        int at;
        if (sscanf(text, "%u %*s %n", &here, &at) == 1 && here == pid) {
            snprintf(name, length, "%s", text + at);
            return SUCCESS;
        }
    }
    return NOT_FOUND;
}
