package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// received describes one request for the log; the message itself goes to a file.
type received struct {
	N         int                 `json:"n"`
	Time      float64             `json:"time"` // seconds since the sink started
	Transport string              `json:"transport"`
	Path      string              `json:"path"`
	Protocol  string              `json:"protocol,omitempty"`
	Encoding  string              `json:"encoding"` // gRPC: grpc-encoding; HTTP: Content-Encoding; "" for none
	Headers   map[string][]string `json:"headers"`
	WireBytes int                 `json:"wire_bytes"`
	Bytes     int                 `json:"bytes"`
	Answer    string              `json:"answer"`
	File      string              `json:"file,omitempty"`
	Error     string              `json:"error,omitempty"`
}

// sink is what both servers share: the script, the saved messages and the counts.
type sink struct {
	script      script
	dir         string // messages answered with success; "" counts only
	saveRefused bool
	started     time.Time
	connections *connTable

	mu       sync.Mutex
	log      *os.File
	requests int
	bytes    int64
	answers  map[string]int
}

// record counts and logs a request and saves its message; ext tells the encoding of the message ("pb" or "json").
func (s *sink) record(r received, body []byte, ext string, success bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.bytes += int64(len(body))
	s.answers[r.Answer]++
	r.N, r.Time, r.Bytes = s.requests, time.Since(s.started).Seconds(), len(body)
	if dir := s.saveDir(success); dir != "" && r.Error == "" {
		r.File = filepath.Join(dir, fmt.Sprintf("%06d.%s", r.N, ext))
		if err := os.WriteFile(r.File, body, 0o644); err != nil {
			return err
		}
	}
	if s.log == nil {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.log, "%s\n", line)
	return err
}

func (s *sink) saveDir(success bool) string {
	if s.dir == "" || (!success && !s.saveRefused) {
		return ""
	}
	if success {
		return s.dir
	}
	return filepath.Join(s.dir, "refused")
}

func (s *sink) stats() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	answers := map[string]int{}
	for name, n := range s.answers {
		answers[name] = n
	}
	return map[string]any{"requests": s.requests, "bytes": s.bytes, "answers": answers}
}

// control serves GET /stats and POST /script (the new script is the body) on a port of its own.
func (s *sink) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(s.stats())
	})
	mux.HandleFunc("POST /script", func(w http.ResponseWriter, r *http.Request) {
		var text strings.Builder
		if _, err := copyLimited(&text, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.script.load(text.String()); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	return mux
}

type sinkFlags struct {
	host, script, log           string
	grpcPort, httpPort, ctlPort int
	tls                         tlsFlags
}

func parseSink(args []string) (*sink, sinkFlags) {
	s := &sink{started: time.Now(), answers: map[string]int{}, connections: newConnTable()}
	var f sinkFlags
	fs := flag.NewFlagSet("sink", flag.ExitOnError)
	fs.StringVar(&s.dir, "dir", "", "save messages here; empty: count only")
	fs.BoolVar(&s.saveRefused, "save-refused", false, "save messages that were answered with an error under DIR/refused")
	fs.StringVar(&f.host, "host", "127.0.0.1", "address to listen on")
	fs.IntVar(&f.grpcPort, "grpc", 0, "gRPC port; 0: any; -1: none")
	fs.IntVar(&f.httpPort, "http", 0, "HTTP port; 0: any; -1: none")
	fs.IntVar(&f.ctlPort, "control", 0, "control port (GET /stats, POST /script); 0: any; -1: none")
	fs.StringVar(&f.script, "script", "ok", scriptHelp)
	fs.StringVar(&f.log, "log", "", "write one JSON line per request here")
	f.tls.register(fs)
	_ = fs.Parse(args)
	return s, f
}

func runSink(args []string) int {
	s, f := parseSink(args)
	if err := s.open(f); err != nil {
		return fail(err)
	}
	ports := map[string]int{}
	for _, server := range []struct {
		name  string
		port  int
		serve func(net.Listener, *tlsFlags) error
	}{{"grpc", f.grpcPort, s.serveGRPC}, {"http", f.httpPort, s.serveHTTP}, {"control", f.ctlPort, s.serveControl}} {
		if server.port < 0 {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(f.host, fmt.Sprint(server.port)))
		if err != nil {
			return fail(err)
		}
		if err := server.serve(listener, &f.tls); err != nil {
			return fail(err)
		}
		ports[server.name] = listener.Addr().(*net.TCPAddr).Port
	}
	line, _ := json.Marshal(ports)
	fmt.Printf("%s\n", line)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	line, _ = json.Marshal(s.stats())
	fmt.Printf("%s\n", line)
	return 0
}

func (s *sink) open(f sinkFlags) error {
	if err := s.script.load(f.script); err != nil {
		return err
	}
	if s.dir != "" {
		if err := os.MkdirAll(filepath.Join(s.dir, "refused"), 0o755); err != nil {
			return err
		}
	}
	if f.log == "" {
		return nil
	}
	var err error
	s.log, err = os.Create(f.log)
	return err
}

func (s *sink) serveControl(listener net.Listener, _ *tlsFlags) error {
	go func() {
		if err := http.Serve(listener, s.control()); err != nil && !errors.Is(err, net.ErrClosed) {
			fmt.Fprintln(os.Stderr, "otlptool: control:", err)
		}
	}()
	return nil
}
