/*
 * peak.c - runs a command and writes "PEAK-KB WALL-MS CPU-MS STATUS" to a file: peak resident set, times, exit status.
 *
 * usage: peak FILE COMMAND [ARG ...]
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long ms(struct timeval t)
{
	return (long)t.tv_sec * 1000 + (long)t.tv_usec / 1000;
}

int main(int argc, char **argv)
{
	struct timespec a, b;
	struct rusage u;
	int status;
	if (argc < 3)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &a);
	pid_t pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &b);
	getrusage(RUSAGE_CHILDREN, &u);
	long peak = u.ru_maxrss;
#ifdef __APPLE__
	peak /= 1024; /* bytes there */
#endif
	FILE *f = fopen(argv[1], "w");
	if (!f)
		return 2;
	fprintf(f, "%ld %ld %ld %d\n", peak, (long)((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000),
		ms(u.ru_utime) + ms(u.ru_stime), WIFEXITED(status) ? WEXITSTATUS(status) : 128);
	return fclose(f) ? 2 : 0;
}
