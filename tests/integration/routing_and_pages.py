#!/usr/bin/env python3
"""Routing by resource attribute and by request, detected attributes, and the pages that show what runs: health_check, zpages, metrics."""
import json
import os
import signal
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

PORTS = ("in", "health", "zpages", "metrics")


def config(ports, sinks):
    exporters = "\n".join(f"  otlp_http/{name}: {{endpoint: 'http://127.0.0.1:{sink.http}', encoding: json}}" for name, sink in sinks.items())
    outputs = "\n".join(f"    profiles/{name}: {{receivers: [routing], exporters: [otlp_http/{name}]}}" for name in sinks if name != "all")
    return f"""
receivers:
  otlp: {{protocols: {{http: {{endpoint: 127.0.0.1:{ports['in']}, include_metadata: true}}}}}}
processors:
  resource_detection: {{detectors: [env, system], override: false, system: {{hostname_sources: [os]}}}}
connectors:
  routing:
    default_pipelines: [profiles/rest]
    table:
      - {{context: request, condition: 'request["x-tenant"] == "acme"', pipelines: [profiles/acme]}}
      - {{statement: 'route() where attributes["service.name"] == "shop"', pipelines: [profiles/shop]}}
      - {{condition: 'IsMatch(attributes["service.name"], "^pay")', action: copy, pipelines: [profiles/pay]}}
exporters:
{exporters}
extensions:
  health_check: {{endpoint: 127.0.0.1:{ports['health']}}}
  zpages: {{endpoint: 127.0.0.1:{ports['zpages']}}}
service:
  extensions: [health_check, zpages]
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {ports['metrics']}}}}}}}}}]}}}}
  pipelines:
    profiles: {{receivers: [otlp], processors: [resource_detection], exporters: [routing, otlp_http/all]}}
{outputs}
"""


def attributes(path):
    """The resource attributes of a stored JSON message, one dictionary for each resource."""
    with open(path) as text:
        message = json.load(text)
    return [{a["key"]: a["value"].get("stringValue") for a in r["resource"].get("attributes", [])} for r in message["resourceProfiles"]]


def fetch(port, path="/"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def send(t, ports, service, arguments=()):
    report = t.send(ports["in"], t.gen(f"{service}{len(arguments)}", "20k", service=service), to="http", arguments=arguments)
    t.check(report["ok"] == 1, f"a message of {service} is accepted", report)


def routes(t, ports, sinks):
    """Each message goes where its resource or its request says, once, and nowhere else."""
    wanted = {name: [] for name in sinks}
    for service, arguments, route in [("shop", (), "shop"), ("other", (), "rest"), ("shop", ("--header", "x-tenant:acme"), "acme")]:
        send(t, ports, service, arguments)
        wanted[route].append(service)
        wanted["all"].append(service)
    send(t, ports, "payments")
    for name in ("pay", "rest", "all"):  # a route that copies leaves the message to those behind it and to the default, as in the Collector
        wanted[name].append("payments")
    for name, sink in sinks.items():
        sink.wait_for(len(wanted[name]))
        got = [attributes(r["file"])[0]["service.name"] for r in sink.requests()]
        t.check(sorted(got) == sorted(wanted[name]), f"{name} gets {' '.join(wanted[name])}", got)


def detected(t, sinks):
    """Attributes of the environment and the host are added to every resource; what is there stays."""
    resources = [r for request in sinks["all"].requests() for r in attributes(request["file"])]
    wanted = {"deployment.environment.name": "test bed", "os.type": "linux"}
    t.check(all(r.get(k) == v for r in resources for k, v in wanted.items()), f"every resource has {wanted}", resources[:1])
    t.check(all(r.get("host.name") for r in resources), "every resource has a host.name", resources[:1])
    t.check(all(r["service.name"] != "overridden" for r in resources), "override: false keeps service.name", resources[:1])


def pages(t, ports):
    status, body = fetch(ports["health"])
    t.check(status == 200 and json.loads(body)["status"] == "Server available", "health_check says available", (status, body))
    t.check(fetch(ports["health"], "/below/it")[0] == 200, "health_check: the path / stands for all paths, as in the Collector")
    for path, words in [("/debug/servicez", ("ready", "version")), ("/debug/pipelinez", ("profiles/shop", "routing", "resource_detection", "StatusOK")),
                        ("/debug/extensionz", ("health_check", "zpages")), ("/debug/featurez", ("gates",))]:
        status, body = fetch(ports["zpages"], path)
        t.check(status == 200 and all(word in body for word in words), f"zpages {path} shows {', '.join(words)}", (status, body[:2000]))
    t.check(fetch(ports["zpages"], "/debug/nothing")[0] == 404, "zpages: another path is 404")
    for name, labels in [("otelcol_receiver_accepted_profile_samples", {"receiver": "otlp", "transport": "http"}),
                         ("otelcol_exporter_sent_profile_samples", {"exporter": "otlp_http/all"}),
                         ("otelcol_processor_incoming_items", {"processor": "resource_detection"}),
                         ("otelcol_processor_internal_duration_seconds_count", {"processor": "resource_detection"})]:
        t.check(harness.metric_sum(ports["metrics"], name, **labels) > 0, f"metrics: {name}{labels} counts")


def stopping(t, ports, daemon, sinks):
    """While the daemon drains, health_check says that it is not ready."""
    sinks["all"].script("slow:delay=3s")
    send(t, ports, "other")
    harness.wait_until(lambda: harness.metric_sum(ports["metrics"], "otelcol_exporter_in_flight_requests", exporter="otlp_http/all") > 0, 10, "a send under way")
    daemon.signal(signal.SIGTERM)
    seen = harness.wait_until(lambda: (s := fetch(ports["health"])) and s[0] == 503 and s, 3, "health_check to say 503")
    t.check("not available" in seen[1], "health_check says not available while draining", seen)
    t.check(daemon.process.wait(20) == 0, "the daemon ends with code 0")  # a second SIGTERM, as stop() sends, would cut the drain short


def run(t):
    os.environ["OTEL_RESOURCE_ATTRIBUTES"] = "deployment.environment.name=test%20bed,service.name=overridden"
    ports = {name: harness.free_port() for name in PORTS}
    sinks = {name: t.sink(name) for name in ("shop", "pay", "acme", "rest", "all")}
    daemon = t.profpipe("profpipe", config(ports, sinks), ports.values())
    routes(t, ports, sinks)
    detected(t, sinks)
    pages(t, ports)
    stopping(t, ports, daemon, sinks)


if __name__ == "__main__":
    harness.main(run)
