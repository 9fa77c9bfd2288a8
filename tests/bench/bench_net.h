/* What the load generator and the sink share: clock, loopback sockets, their own CPU time, the commands on standard input. */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_S 1000000000ull

uint64_t bench_now_ns(void); /* monotonic */

/* User and system time of this process so far, in seconds. */
double bench_cpu_s(void);

/* A listening, non-blocking socket on a free loopback port. Ends the program when there is none. */
int bench_listen(uint16_t *ret_port);

/* A connected, then non-blocking socket to a loopback port; -1 when nobody listens. */
int bench_connect(uint16_t port);

/* Sets TCP_NODELAY and non-blocking mode. */
void bench_tune(int fd);

/* Ends the program with a message and errno's text. */
_Noreturn void bench_die(const char *what);

/* A counter that another process shares through this file, created when it is missing. */
uint64_t *bench_shared_counter(const char *path);

void *bench_alloc(size_t n, size_t size); /* zeroed; ends the program when memory is out */

/* Finds "key=value" among the words of a command; NULL if it is not there. The value runs up to the next space. */
const char *bench_option(const char *command, const char *key);
double bench_number(const char *command, const char *key, double otherwise);

#endif
