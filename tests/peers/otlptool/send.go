package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// answer is what one request came back with.
type answer struct {
	status    string        // "ok", a gRPC code name ("Unavailable"), "http 503", or "no answer" when the connection broke
	detail    string        // the peer's message
	retry     time.Duration // delay asked for by RetryInfo or Retry-After
	hasRetry  bool
	rejected  int64 // of partial_success
	partial   string
	hasDetail bool // partial_success with a count or a message
}

// sender makes one request; body is the message as stored, uncompressed.
type sender interface {
	send(ctx context.Context, body []byte) answer
	close()
}

type sendOptions struct {
	endpoint, to, encoding, path, version, log string
	json, h2                                   bool
	count, concurrency                         int
	rate                                       float64
	duration, timeout                          time.Duration
	headers                                    headerFlag
	tls                                        tlsFlags
	inputs                                     []string
}

// headerFlag collects repeated --header name:value flags.
type headerFlag [][2]string

func (h *headerFlag) String() string { return "" }

func (h *headerFlag) Set(text string) error {
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return errors.New("a header is name:value")
	}
	*h = append(*h, [2]string{strings.TrimSpace(name), strings.TrimSpace(value)})
	return nil
}

func parseSend(args []string) sendOptions {
	var o sendOptions
	fs := flag.NewFlagSet("send", flag.ExitOnError)
	fs.StringVar(&o.endpoint, "endpoint", "", "host:port (required)")
	fs.StringVar(&o.to, "to", "grpc", "grpc or http")
	fs.StringVar(&o.encoding, "compression", "none", fmt.Sprint("gRPC: none, gzip, zstd, snappy; HTTP: one of ", httpEncodings))
	fs.StringVar(&o.path, "path", "", "gRPC method or HTTP path in place of the standard one")
	fs.BoolVar(&o.json, "json", false, "HTTP: the inputs are OTLP JSON")
	fs.BoolVar(&o.h2, "h2", false, "HTTP: HTTP/2 (h2c without TLS)")
	fs.IntVar(&o.count, "count", 0, "requests to send, cycling through the inputs; 0: each input once, or until --duration")
	fs.IntVar(&o.concurrency, "concurrency", 1, "requests in flight")
	fs.Float64Var(&o.rate, "rate", 0, "requests per second; 0: as fast as the answers come")
	fs.DurationVar(&o.duration, "duration", 0, "stop starting requests after this time")
	fs.DurationVar(&o.timeout, "timeout", 30*time.Second, "per request")
	fs.StringVar(&o.log, "log", "", "write one JSON line per request here: input file, status, milliseconds")
	fs.Var(&o.headers, "header", "name:value, repeatable")
	o.tls.register(fs)
	_ = fs.Parse(args)
	o.inputs = fs.Args()
	return o
}

func newSender(o sendOptions) (sender, error) {
	switch o.to {
	case "grpc":
		return newGRPCSender(o)
	case "http":
		return newHTTPSender(o)
	}
	return nil, fmt.Errorf("send: --to %q is neither grpc nor http", o.to)
}

// tally adds up answers; the workers share it.
type tally struct {
	sync.Mutex
	answers   map[string]int
	details   map[string]string // the first message per status
	retries   []time.Duration
	latencies []time.Duration
	partial   struct {
		Count    int    `json:"count"`
		Rejected int64  `json:"rejected"`
		Message  string `json:"message,omitempty"`
	}
	bytes int64
	log   *os.File
}

func (t *tally) add(input string, size int, a answer, took time.Duration) {
	t.Lock()
	defer t.Unlock()
	t.answers[a.status]++
	if _, seen := t.details[a.status]; !seen && a.detail != "" {
		t.details[a.status] = a.detail
	}
	t.latencies = append(t.latencies, took)
	t.bytes += int64(size)
	if a.hasRetry {
		t.retries = append(t.retries, a.retry)
	}
	if a.hasDetail {
		t.partial.Count++
		t.partial.Rejected += a.rejected
		t.partial.Message = a.partial
	}
	if t.log != nil {
		line, _ := json.Marshal(map[string]any{"file": input, "status": a.status, "detail": a.detail, "ms": millis(took)})
		fmt.Fprintf(t.log, "%s\n", line)
	}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// percentile expects a sorted slice; 0 for an empty one.
func percentile(sorted []time.Duration, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return millis(sorted[min(len(sorted)-1, int(p*float64(len(sorted))))])
}

func (t *tally) report(elapsed time.Duration) map[string]any {
	slices.Sort(t.latencies)
	slices.Sort(t.retries)
	sent, refused := 0, map[string]int{}
	for status, n := range t.answers {
		sent += n
		if status != "ok" {
			refused[status] = n
		}
	}
	out := map[string]any{
		"sent": sent, "ok": t.answers["ok"], "refused": refused, "details": t.details, "partial_success": t.partial, "bytes": t.bytes,
		"seconds": elapsed.Seconds(), "p50_ms": percentile(t.latencies, 0.50), "p99_ms": percentile(t.latencies, 0.99),
		"retry": map[string]any{"seen": len(t.retries)},
	}
	if n := len(t.retries); n > 0 {
		out["retry"] = map[string]any{"seen": n, "min_ms": millis(t.retries[0]), "max_ms": millis(t.retries[n-1])}
	}
	return out
}

func runSend(args []string) int {
	o := parseSend(args)
	if o.endpoint == "" || len(o.inputs) == 0 {
		return fail(errors.New("send: --endpoint and at least one message file or directory are required"))
	}
	inputs, err := listFiles(o.inputs)
	if err != nil {
		return fail(err)
	}
	bodies := make([][]byte, len(inputs))
	for i, path := range inputs {
		if bodies[i], err = os.ReadFile(path); err != nil {
			return fail(err)
		}
	}
	t := &tally{answers: map[string]int{}, details: map[string]string{}}
	if o.log != "" {
		if t.log, err = os.Create(o.log); err != nil {
			return fail(err)
		}
		defer t.log.Close()
	}
	s, err := newSender(o)
	if err != nil {
		return fail(err)
	}
	defer s.close()
	started := time.Now()
	sendAll(o, s, t, inputs, bodies)
	line, err := json.Marshal(t.report(time.Since(started)))
	if err != nil {
		return fail(err)
	}
	fmt.Printf("%s\n", line)
	return 0
}

func sendAll(o sendOptions, s sender, t *tally, inputs []string, bodies [][]byte) {
	limit := int64(o.count)
	if limit == 0 && o.duration == 0 {
		limit = int64(len(inputs))
	}
	started := time.Now()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range o.concurrency {
		workers.Go(func() {
			for {
				n := next.Add(1) - 1
				if limit > 0 && n >= limit {
					return
				}
				if o.rate > 0 {
					time.Sleep(time.Until(started.Add(time.Duration(float64(n) / o.rate * float64(time.Second)))))
				}
				if o.duration > 0 && time.Since(started) > o.duration {
					return
				}
				i := int(n) % len(inputs)
				ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
				begin := time.Now()
				a := s.send(ctx, bodies[i])
				cancel()
				t.add(inputs[i], len(bodies[i]), a, time.Since(begin))
			}
		})
	}
	workers.Wait()
}
