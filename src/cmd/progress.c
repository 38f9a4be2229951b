/*
 * progress.c owns what a run shows while it goes on: one line on a terminal, one JSON object per line for programs, or
 * nothing; and the flag that signals set so that a run can end in order.
 */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd.h"

static volatile int stop;

static void on_signal(int number)
{
	stop = number;
}

/* Before the run there is nothing to put in order, and the library may wait for a stream. */
static void on_early_signal(int number)
{
	static const char text[] = "heft: a signal stopped the run [E107]\n";

	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(EXIT_FAILED);
	_exit(EXIT_FAILED);
}

static void handle(void (*handler)(int number))
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction old, act = { .sa_handler = handler, .sa_flags = (int)SA_RESETHAND };

	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (!sigaction(numbers[i], NULL, &old) && old.sa_handler != SIG_IGN) /* nohup stays nohup */
			sigaction(numbers[i], &act, NULL);
}

void quit_on_signals(void)
{
	handle(on_early_signal);
}

const volatile int *stop_on_signals(void)
{
	handle(on_signal);
	return &stop;
}

void progress_begin(struct progress *p, const char *mode, bool quiet)
{
	const char *term = getenv("TERM");
	bool tty = isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb");

	*p = (struct progress){ .mode = PROGRESS_NONE };
	if (mode && !strcmp(mode, "json"))
		p->mode = PROGRESS_JSON;
	else if (!quiet && tty && (!mode || !strcmp(mode, "auto")))
		p->mode = PROGRESS_LINE;
}

/* Bytes per second, smoothed over a few seconds so that the time left does not jump. */
static void measure(struct progress *p, const struct heft_progress *now)
{
	double dt = now->seconds - p->seconds, rate, weight;

	if (dt <= 0 || now->done < p->done)
		return;
	rate = (double)(now->done - p->done) / dt;
	weight = p->rate > 0 ? dt / (dt + 3) : 1;
	p->rate += weight * (rate - p->rate);
	p->seconds = now->seconds;
	p->done = now->done;
}

static double seconds_left(const struct progress *p, const struct heft_progress *now)
{
	return p->rate > 0 && now->total >= now->done ? (double)(now->total - now->done) / p->rate : NAN;
}

static void step_json(struct progress *p, const struct heft_progress *now)
{
	struct emitter w = { .f = stderr, .line = true };

	emit_open(&w, NULL, '{');
	emit_number(&w, "schema", HEFT_SCHEMA);
	emit_text(&w, "event", "progress");
	emit_text(&w, "phase", p->doing ? p->doing : "writing");
	emit_number(&w, "done", now->done);
	emit_number(&w, "total", now->total);
	emit_real(&w, "seconds", now->seconds);
	emit_real(&w, "bytes_per_second", round(p->rate));
	emit_real(&w, "seconds_left", round(seconds_left(p, now)));
	emit_text(&w, "tensor", now->tensor);
	emit_close(&w, '}');
	putc('\n', stderr);
	fflush(stderr);
}

static size_t terminal_width(void)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");

	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	return columns && atoi(columns) > 0 ? (size_t)atoi(columns) : 80;
}

/* " 42%  3.4 GB of 8.1 GB  512 MB/s  0:09 left  blk.12.ffn_down.weight", never wider than the terminal. */
static void step_line(struct progress *p, const struct heft_progress *now)
{
	char line[256];
	double left = seconds_left(p, now), percent = now->total ? 100.0 * (double)now->done / (double)now->total : 100;
	size_t width = terminal_width() - 1;
	int n = snprintf(line, sizeof line, "%s%s%3d%%  %s of %s  %s/s  %s left  ", p->doing ? p->doing : "", p->doing ? " " : "", (int)percent, human_bytes(now->done).s,
			 human_bytes(now->total).s, human_bytes((uint64_t)p->rate).s,
			 isnan(left) ? "-:--" : human_time(left).s);

	fprintf(stderr, "\r\033[K%.*s", (int)((size_t)n < width ? (size_t)n : width), line);
	if (now->tensor && (size_t)n + safe_puts(NULL, now->tensor) <= width)
		safe_puts(stderr, now->tensor);
	fflush(stderr);
	p->drawn = true;
}

void progress_step(void *ctx, const struct heft_progress *now)
{
	struct progress *p = ctx;

	measure(p, now);
	if (p->mode == PROGRESS_JSON)
		step_json(p, now);
	else if (p->mode == PROGRESS_LINE)
		step_line(p, now);
}

void progress_end(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}
