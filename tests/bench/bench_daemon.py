"""Measurements of the daemon as such: start, idling, memory before a backend that is slow or dead, the cost of a second core."""
import os
import statistics
import subprocess
import time

import bench_rig as rig
import bench_rows as rows
from bench_rig import harness

START_POLL_S = 0.0005
SLOW_BACKEND_BYTES_PER_S = 20_000_000  # and twice that is sent
DEAD_BACKEND_BYTES_PER_S = 29_000_000
COLLECTOR_MIB_MAX = 6000  # its run is cut short there, for the machine's sake


def measured(kind, program, size, **values):
    return {"kind": kind, "program": program.name, "size": size, **values}


def start_to_ready(t, program, options):
    """From exec to the first connection that the receiver takes."""
    times, cpu = [], []
    sink = {"grpc": harness.free_port()}
    for number in range(options.starts):
        port = harness.free_port()
        path = t.write(f"start-{program.name}-{number}.yaml", rows.config(rows.PATHS["grpc-gzip"], program, port, sink))
        command = [program.binary or harness.peer("otelcol"), "--config", path] + (["--feature-gates=service.profilesSupport"] if program.is_collector else [])
        began = time.monotonic()
        process = subprocess.Popen([*rig.pinned(program.core_list, program.nice), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True, preexec_fn=lambda: rig.set_nice(os.getpid(), program.nice))
        try:
            while not harness.can_connect(port):
                if process.poll() is not None or time.monotonic() - began > harness.READY_TIMEOUT_S:
                    raise harness.Failure(f"{program.name} did not start")
                time.sleep(START_POLL_S)
            times.append((time.monotonic() - began) * 1000)
            cpu.append(rig.cpu_seconds(process.pid) * 1000)
        finally:
            process.terminate()
            process.wait(harness.STOP_TIMEOUT_S)
    return [measured("start", program, "", median_ms=statistics.median(times), min_ms=min(times), max_ms=max(times), cpu_ms=statistics.mean(cpu))]


def wakeups(pid):
    """Context switches of all threads so far: each wake-up ends in one."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as status:
            total += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
    return total


def idle(t, program, options):
    """Nothing is sent; the exporter is the one of the path."""
    results = []
    for name in ("http-none", "grpc-none"):
        port = harness.free_port()
        daemon = program.start(t, f"idle-{program.name}-{name}", rows.config(rows.PATHS[name], program, port, {"grpc": harness.free_port(), "http": harness.free_port()}), port)
        time.sleep(min(2.0, options.idle_seconds))
        before, cpu = wakeups(daemon.pid), rig.cpu_seconds(daemon.pid)
        time.sleep(options.idle_seconds)
        results.append(measured("idle", program, name, wakeups_per_s=(wakeups(daemon.pid) - before) / options.idle_seconds,
                                cpu_ms_per_s=(rig.cpu_seconds(daemon.pid) - cpu) * 1000 / options.idle_seconds, rss_mib=rig.memory_mib(daemon.pid, "VmRSS"),
                                threads=len(os.listdir(f"/proc/{daemon.pid}/task"))))
        daemon.stop()
    return results


def load_watching_memory(load, daemon, port, seconds, rate, flight):
    """An open loop; cut short when the daemon has grown beyond all bounds."""
    load.start("run", port=port, seconds=seconds, rate=rate, drain=2, **flight)
    ends = time.monotonic() + seconds + 5
    while time.monotonic() < ends:
        if rig.memory_mib(daemon.pid, "VmRSS") > COLLECTOR_MIB_MAX:
            daemon.kill()
            break
        if load.readable(0.25):
            break
    return load.reply()


def backlog(t, program, size, dead, options):
    """Memory with a backend that takes half of what is sent, or that is not there at all; configuration by default."""
    path, kind = rows.PATHS["grpc-none"], "dead backend" if dead else "slow backend"
    counter = t.path(f"arrived-{kind}-{size}-{program.name}".replace(" ", "-"))
    load, sink = rig.Tool("otlp_load", "grpc", "none", rows.messages(t, size, program.binary), counter), rig.Tool("otlp_sink", counter)
    port = harness.free_port()
    ports = {"grpc": harness.free_port()} if dead else sink.hello
    daemon = program.start(t, f"{kind}-{size}-{program.name}".replace(" ", "-"), rows.config(path, program, port, ports), port)
    connections, in_flight = rows.IN_FLIGHT["grpc"][size]
    try:
        sink.ask("limit", bytes_per_s=SLOW_BACKEND_BYTES_PER_S)
        rate = (DEAD_BACKEND_BYTES_PER_S if dead else 2 * SLOW_BACKEND_BYTES_PER_S) / rows.mean_bytes(t, size)
        sent = load_watching_memory(load, daemon, port, options.backlog_seconds, rate, {"connections": connections, "in_flight": in_flight})
        peak = COLLECTOR_MIB_MAX if daemon.killed else rig.memory_mib(daemon.pid, "VmHWM")
        return measured(kind, program, size, peak_rss_mib=peak, accepted=sent["ok"], refused=sent["refused"], failed=sent["failed"], arrived=sink.ask("stats")["messages"],
                        cut_short=daemon.killed, seconds=options.backlog_seconds, accepted_mb=sent["payload_bytes"] / 1e6)
    finally:
        daemon.kill()
        load.stop()
        sink.stop()


def second_core(t, binary, size, options):
    """CPU for each GB with one event loop on one core and with two loops on two; generator and sink run on both then."""
    path, results = rows.PATHS["grpc-none"], []
    counter = t.path(f"arrived-cores-{size}")
    load, sink = rig.Tool("otlp_load", "grpc", "none", rows.messages(t, size, binary), counter), rig.Tool("otlp_sink", counter)
    flight = dict(zip(("connections", "in_flight"), rows.IN_FLIGHT["grpc"][size]))
    both = ",".join(map(str, sorted(set(rig.cores()))))
    try:
        for number in range(options.rounds):
            for loops, core_list in ((1, str(rig.cores()[0])), (2, both)):
                program = rig.Program(f"profpipe, {loops} loops", binary, core_list=core_list)
                for tool in (load, sink):
                    os.sched_setaffinity(tool.process.pid, {rig.cores()[1]} if loops == 1 else set(rig.cores()))
                port = harness.free_port()
                daemon = program.start(t, f"cores-{size}-{loops}-{number}", rows.config(path, program, port, sink.hello), port, ("--loops", str(loops)))
                rig.run_load(load, sink, daemon.pid, port, count=60, **flight)
                run = rig.run_load(load, sink, daemon.pid, port, seconds=options.seconds, window=rows.WINDOW[size], **flight)
                results.append(measured("cores", program, size, loops=loops, round=number, cpu_s_per_gb=run["cpu_s"] / (run["sent"]["payload_bytes"] / 1e9),
                                        mb_per_s=run["sent"]["payload_bytes"] / 1e6 / run["seconds"], refused=run["sent"]["refused"]))
                daemon.stop()
    finally:
        load.stop()
        sink.stop()
    return results


def measure_all(t, programs, sizes, options, emit):
    """Everything above for profpipe and the Collector with its defaults; emit takes each result as it comes."""
    programs = [p for p in programs if not p.tuned]
    for program in programs:
        for result in start_to_ready(t, program, options) + idle(t, program, options):
            emit(result)
    for size in sizes:
        for dead in (False, True):
            for program in programs:
                emit(backlog(t, program, size, dead, options))
        for result in second_core(t, programs[0].binary, size, options):
            emit(result)
