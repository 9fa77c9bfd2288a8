#!/usr/bin/env python3
"""The metrics page has every series of the real Collector's, with its labels and, where they count the same things, its values."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{grpc}}}, http: {{endpoint: 127.0.0.1:{http}}}}}}}
processors:
  memory_limiter: {{check_interval: 1s, limit_mib: 4000}}
  resource: {{attributes: [{{key: a, value: b, action: insert}}]}}
exporters:
  otlp_grpc: {{endpoint: 127.0.0.1:{sink}, tls: {{insecure: true}}}}
  otlp_http/sink: {{endpoint: http://127.0.0.1:{sink_http}}}
  otlp_http/dead: {{endpoint: http://127.0.0.1:{dead}, retry_on_failure: {{enabled: false}}}}
  debug: {{}}
service:
  telemetry:
    metrics:
      readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {page}, without_scope_info: true, without_units: true, without_type_suffix: true}}}}}}}}]
  pipelines:
    profiles: {{receivers: [otlp], processors: [memory_limiter, resource], exporters: [otlp_grpc, otlp_http/sink, otlp_http/dead, debug]}}
"""
# Go's own: the sum of all bytes ever allocated, which the C library does not keep, and its metrics library's errors.
THEIRS_ALONE = ("otelcol_process_runtime_total_alloc_bytes", "promhttp_metric_handler_errors_total", "target_info")
RESOURCE_LABELS = {"service_instance_id", "service_name", "service_version"}  # of the program itself
WHY_LABELS = {"error_permanent", "error_type"}  # the Collector has them at level detailed, profpipe always
COUNTED = re.compile(r"otelcol_(receiver|exporter)_\w*(samples|requests|queue_size|queue_capacity)$")


def page(t, name, start, sinks, messages):
    """The series of one of the two after it has sent the messages on, as {(name, labels): value}."""
    ports = {kind: harness.free_port() for kind in ("grpc", "http", "page")}
    start(name, CONFIG.format(**ports, **sinks), ports.values())
    t.send(ports["grpc"], messages)
    t.send(ports["http"], messages, to="http")

    def read():
        return {(series, frozenset((k, v) for k, v in labels if k not in RESOURCE_LABELS | WHY_LABELS)): value
                for (series, labels), value in harness.metrics(ports["page"]).items()}

    def settled():
        ends = [v for (series, labels), v in read().items() if series in ("otelcol_exporter_sent_profile_samples", "otelcol_exporter_send_failed_profile_samples")]
        return sum(ends) == 4 * sum(v for (series, _), v in read().items() if series == "otelcol_receiver_accepted_profile_samples") > 0
    harness.wait_until(settled, harness.patient(20), f"{name} to count what became of every sample")
    return read()


def run(t):
    sink = t.sink()
    sinks = {"sink": sink.grpc, "sink_http": sink.http, "dead": harness.free_port()}
    messages = t.gen("tiny", "tiny", count=3)
    theirs = page(t, "collector", t.collector, sinks, messages)
    ours = page(t, "profpipe", t.profpipe, sinks, messages)
    wanted = {key: value for key, value in theirs.items() if key[0] not in THEIRS_ALONE}
    t.check(len(wanted) > 15, f"the Collector shows {len(wanted)} series", sorted(map(str, wanted)))
    for (name, labels), value in sorted(wanted.items(), key=str):
        have = ours.get((name, labels))
        # A counter that never counted: the Collector shows it as 0 once its component has run.
        present = have is not None or value == 0 and "failed" in name
        same = not COUNTED.match(name) or (have or 0) == value
        t.check(present and same, f"{name}{{{', '.join(f'{k}={v}' for k, v in sorted(labels))}}} is there{' with the same value' if COUNTED.match(name) else ''}",
                (have, value))


if __name__ == "__main__":
    harness.main(run)
