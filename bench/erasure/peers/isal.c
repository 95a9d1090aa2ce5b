/*
 * ISA-L as a C program uses it, for `npm run bench -- erasure`: encodes stripes of 14+4 cells, one call per stripe, on its own threads. Usage: isal LIBRARY; then a line
 * "CELL_BYTES THREADS MILLISECONDS" on standard input is answered with bytes of data per
 * second, and per second of processor time.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DATA = 14, PARITY = 4, CELLS = 18, MAX_THREADS = 64, WORKING_SET_BYTES = 64 << 20 };

typedef void init_tables(int, int, unsigned char *, unsigned char *);
typedef void encode_data(int, int, int, unsigned char *, unsigned char **, unsigned char **);
typedef void cauchy_matrix(unsigned char *, int, int);

struct job {
	size_t cell_bytes;
	double seconds;
	double rate, cpu_rate;
	unsigned char *memory;
};

static encode_data *encode;
static unsigned char tables[32 * DATA * PARITY];

static double now(clockid_t clock) {
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void *run(void *argument) {
	struct job *job = argument;
	size_t slab_bytes = CELLS * job->cell_bytes;
	size_t slabs = WORKING_SET_BYTES / slab_bytes;
	double coded = 0, cpu_start = now(CLOCK_THREAD_CPUTIME_ID), start = now(CLOCK_MONOTONIC), end = start;
	for (size_t turn = 0; end - start < job->seconds; turn++) {
		unsigned char *cells[CELLS];
		for (int i = 0; i < CELLS; i++) cells[i] = job->memory + turn % slabs * slab_bytes + i * job->cell_bytes;
		encode(job->cell_bytes, DATA, PARITY, tables, cells, cells + DATA);
		coded += DATA * job->cell_bytes;
		end = now(CLOCK_MONOTONIC);
	}
	job->rate = coded / (end - start);
	job->cpu_rate = coded / (now(CLOCK_THREAD_CPUTIME_ID) - cpu_start);
	return NULL;
}

static void *need(void *library, const char *name) {
	void *found = dlsym(library, name);
	if (!found) { fprintf(stderr, "isal: no %s: %s\n", name, dlerror()); exit(1); }
	return found;
}

int main(int count, char **arguments) {
	void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
	if (!library) { fprintf(stderr, "usage: isal LIBRARY (%s)\n", count == 2 ? dlerror() : "none given"); return 2; }
	encode = (encode_data *)need(library, "ec_encode_data");
	unsigned char matrix[CELLS * DATA];
	((cauchy_matrix *)need(library, "gf_gen_cauchy1_matrix"))(matrix, CELLS, DATA);
	((init_tables *)need(library, "ec_init_tables"))(DATA, PARITY, matrix + DATA * DATA, tables);

	static struct job jobs[MAX_THREADS];
	size_t cell_bytes;
	int threads, milliseconds;
	while (scanf("%zu %d %d", &cell_bytes, &threads, &milliseconds) == 3) {
		pthread_t handles[MAX_THREADS];
		double rate = 0, cpu_rate = 0;
		if (threads < 1 || threads > MAX_THREADS || cell_bytes * CELLS > WORKING_SET_BYTES) { fprintf(stderr, "isal: out of range\n"); return 2; }
		for (int i = 0; i < threads; i++) {
			if (!jobs[i].memory) {
				if (posix_memalign((void **)&jobs[i].memory, 4096, WORKING_SET_BYTES)) return 1;
				for (size_t at = 0; at < WORKING_SET_BYTES; at++) jobs[i].memory[at] = at * 2654435761u >> 24;
			}
			jobs[i].cell_bytes = cell_bytes;
			jobs[i].seconds = milliseconds / 1e3;
		}
		for (int i = 0; i < threads; i++) if (pthread_create(&handles[i], NULL, run, &jobs[i])) return 1;
		for (int i = 0; i < threads; i++) { pthread_join(handles[i], NULL); rate += jobs[i].rate; cpu_rate += jobs[i].cpu_rate; }
		printf("%.0f %.0f\n", rate, cpu_rate);
		fflush(stdout);
	}
	return 0;
}
