#!/usr/bin/env python3
"""What a sanitizer finds in any program that a script starts makes the script fail: shown with small programs that are at fault."""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

# (what, flag of the compiler, statements of main, what the report says)
FAULTS = [
    ("a leak", "address,undefined", "volatile char *p = malloc(7); p = 0;", "LeakSanitizer"),
    ("a read past the end", "address,undefined", "volatile char *p = malloc(7); putchar(p[argc + 6]); free((void *)p);", "heap-buffer-overflow"),
    ("a race", "thread", "pthread_t t; pthread_create(&t, 0, other, 0); shared++; pthread_join(t, 0);", "data race"),
]
OVERFLOW = "volatile int n = 2147483647; n += argc;"
PROGRAM = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
int shared;
void *other(void *arg) { shared++; return arg; }
int main(int argc, char **argv) { (void)argv; (void)argc; %s return 0; }
"""


def compiled(t, name, flag, statements):
    source = t.write(f"{name}.c", PROGRAM % statements)
    done = subprocess.run(["gcc", "-g", f"-fsanitize={flag}", "-fno-sanitize-recover=all", "-o", t.path(name), source, "-lpthread"],
                          capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise harness.Failure(f"{name}: {done.stderr}")
    return t.path(name)


def as_daemon(script, program):
    daemon = harness.Daemon("program", [program], script.folder)
    script.daemons.append(daemon)
    daemon.process.wait(20)
    script.check(True, "it ran")


def as_command(script, program):
    subprocess.run([program], capture_output=True, timeout=20, check=False)
    script.check(True, "it ran")


def verdict(t, name, use, program):
    """What the harness makes of a script that runs a program: its exit code and what it printed."""
    folder = t.path(name)
    os.mkdir(folder)
    harness.report_sanitizers_to(folder)
    script, shown = harness.Test(folder), []
    script.say = shown.append
    return harness.run_guarded(lambda s: use(s, program), script), "\n".join(shown)


def run(t):
    if harness.sanitized():
        raise harness.Skip("not about the binary under test")
    for number, (what, flag, statements, wanted) in enumerate(FAULTS):
        program = compiled(t, f"fault{number}", flag, statements)
        for use in (as_daemon, as_command):
            code, shown = verdict(t, f"{use.__name__}{number}", use, program)
            t.check(code == 1 and wanted in shown, f"{what}, {use.__name__}: the script fails and shows the report", (code, shown))
    overflow = compiled(t, "overflow", "address,undefined", OVERFLOW)
    code, shown = verdict(t, "as_daemon_overflow", as_daemon, overflow)
    t.check(code == 1 and "signed integer overflow" in shown, "an overflow of int, as_daemon: the script fails and shows the report", (code, shown))
    ended = subprocess.run([overflow], capture_output=True, timeout=20, check=False).returncode
    t.check(ended == -signal.SIGABRT, "an overflow of int, as_command: no exit code that a script could wait for", ended)
    good = compiled(t, "good", "address,undefined", "free(malloc(7));")
    for use in (as_daemon, as_command):
        code, shown = verdict(t, f"{use.__name__}_good", use, good)
        t.check(code == 0, f"no fault, {use.__name__}: the script passes", shown)


if __name__ == "__main__":
    harness.main(run)
