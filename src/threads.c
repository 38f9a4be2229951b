/*
 * threads.c - how many processors this process may use: its affinity, and on Linux the quota of its control group.
 */
#include "heft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sched.h>

static int affinity(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) ? 0 : CPU_COUNT(&set);
}

static bool read_line(const char *path, char *line, size_t n)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(line, (int)n, f);

	if (f)
		fclose(f);
	return ok;
}

/* cgroup v2: "QUOTA PERIOD" or "max PERIOD" in cpu.max of the group and of each of its parents; v1: two files. */
static int quota_of(const char *dir)
{
	char path[4200], line[128];
	long long quota = -1, period = 0;

	snprintf(path, sizeof path, "%s/cpu.max", dir);
	if (read_line(path, line, sizeof line) && sscanf(line, "%lld %lld", &quota, &period) != 2)
		quota = -1;
	return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

static int quota_v1(void)
{
	char line[128];
	long long quota = -1, period = -1;

	if (read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", line, sizeof line))
		quota = atoll(line);
	if (read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", line, sizeof line))
		period = atoll(line);
	return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

static int cgroup(void)
{
	char line[4096], dir[4140];
	int least = quota_v1();
	char *end;

	if (!read_line("/proc/self/cgroup", line, sizeof line) || strncmp(line, "0::/", 4))
		return least;
	line[strcspn(line, "\n")] = 0;
	snprintf(dir, sizeof dir, "/sys/fs/cgroup%s", line + 3);
	while ((end = strrchr(dir, '/')) && strlen(dir) >= strlen("/sys/fs/cgroup")) {
		int n = quota_of(dir);

		if (n && (!least || n < least))
			least = n;
		*end = 0;
	}
	return least;
}
#else
static int affinity(void)
{
	return 0;
}

static int cgroup(void)
{
	return 0;
}
#endif

int heft_default_threads(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	int n = affinity(), quota = cgroup();

	if (n <= 0)
		n = online > 0 ? (int)online : 1;
	return quota > 0 && quota < n ? quota : n;
}
