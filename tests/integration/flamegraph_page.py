#!/usr/bin/env python3
"""The flame graph page in a real browser: it runs without an error, whatever the names are, and its totals, zoom, search and table are right. Skipped
without chromium."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import harness  # noqa: E402

PROFILE = os.path.join(harness.ROOT, "tests", "fuzz", "corpus", "pprof", "full")
HOSTILE = "</script><script>document.title='taken'</script><!--\"'\\\n\u2028"
START = "setType(data.start);\n</script>"
# What a person would do, and what the page then says.
ACTIONS = """
const said = { type: $('type').value, types: data.types.length, start: show(tree.total[0]), bar: $('bar').textContent };
$('query').value = 'x;y'; search(); said.matched = $('matched').textContent;
$('query').value = '/^MAIN$|0x99/'; search(); said.pattern = $('matched').textContent;
$('query').value = ''; search();
$('top').click();
said.rows = [...$('rows').children].map((tr) => [...tr.children].map((td) => td.textContent));
const box = [...Array(tree.n).keys()].find((i) => nameOf(i) === 'x;y');
setZoom(box); said.zoomed = $('bar').textContent;
dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' })); said.reset = $('bar').textContent;
$('type').selectedIndex = 1; $('type').dispatchEvent(new Event('change')); said.second = show(tree.total[0]);
const out = document.createElement('pre'); out.id = 'said'; out.textContent = JSON.stringify({ ...said, errors, title: document.title });
document.body.append(out);
</script>"""
CATCH = "<script>const errors = []; addEventListener('error', (e) => errors.push(e.message));</script>\n<script type=\"application/json\""


def make_page(t, name, profile):
    source, page = t.path(f"{name}.pprof"), t.path(f"{name}.html")
    with open(source, "wb") as out:
        out.write(profile)
    daemon = t.profpipe(name, f"""
receivers:
  pprof/page: {{file: {{include: '{source}', collection_interval: 1h, initial_delay: 10ms}}}}
exporters:
  file: {{path: '{page}', format: flamegraph, title: "a <b> & c"}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    profiles: {{receivers: [pprof/page], exporters: [file]}}
""", [])

    def drawn():
        if not os.path.exists(page):
            return False
        with open(page) as text:
            return '"samples":6' in text.read()
    harness.wait_until(drawn, 20, "the page")
    t.check(daemon.stop() == 0, f"{name}: the daemon ends with code 0")
    with open(page) as text:
        return text.read()


def in_browser(t, name, page):
    path = t.path(f"{name}.acted.html")
    with open(path, "w") as out:
        out.write(page.replace(START, START.removesuffix("</script>") + ACTIONS).replace('<script type="application/json"', CATCH, 1))
    done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                           "--disable-component-update", "--disable-sync", f"--user-data-dir={t.path(name + '.browser')}", "--window-size=1200,800", "--dump-dom",
                           f"file://{path}"], capture_output=True, text=True, timeout=90, check=False)
    start = done.stdout.find('<pre id="said">')
    if not t.check(start >= 0, f"{name}: the page ran to its end", done.stdout[-500:] + done.stderr[-500:]):
        return {}
    text = done.stdout[start + len('<pre id="said">'):done.stdout.index("</pre>", start)]
    return json.loads(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def run(t):
    if not shutil.which("chromium"):
        raise harness.Skip("no chromium on this machine")
    with open(PROFILE, "rb") as file:
        profile = file.read()
    said = in_browser(t, "plain", make_page(t, "plain", profile))
    t.check(said.get("errors") == [], "no script error", said)
    t.check((said.get("type"), said.get("types"), said.get("start")) == ("cpu (ns)", 2, "6 ns"), "the default sample type and its total", said)
    t.check(said.get("matched") == "83.3%", "a search for a name says 5 of 6, nested boxes once", said)
    t.check(said.get("pattern") == "100%", "a search by regular expression", said)
    rows = {row[0]: row[1:] for row in said.get("rows", [])}
    t.check(rows.get("x;y") == ["0 ns0.00%", "5 ns83.3%"] and rows.get("main") == ["5 ns83.3%", "5 ns83.3%"], "the table: self and total, recursion once", rows)
    t.check("x;y total 5 ns (83.3%)" in said.get("zoomed", ""), "zoom", said)
    t.check("all total 6 ns (100%)" in said.get("reset", ""), "Escape resets", said)
    t.check(said.get("second") == "9 B", "the second sample type, without what is below zero", said)
    name = HOSTILE.encode()
    hostile = in_browser(t, "hostile", make_page(t, "hostile", profile.replace(b"2\x04main", b"2" + bytes([len(name)]) + name)))
    t.check(hostile.get("errors") == [] and hostile.get("title") == "a <b> & c – flame graph", "a hostile name stays text", hostile)
    t.check(any(row[0] == HOSTILE for row in hostile.get("rows", [])), "and is shown as it is", hostile.get("rows"))


if __name__ == "__main__":
    harness.main(run)
