package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

const scriptHelp = `comma-separated answers, one per request; the last one stays. Each is [N*]NAME[:key=value...]:
  ok                      success
  CODE[:retry=D][:delay=D] a gRPC code in snake case (unavailable, resource_exhausted, invalid_argument, ...); over HTTP the status
                          that OTLP maps it to. retry=D: a RetryInfo detail, or Retry-After over HTTP
  httpNNN[:after=N|date+D] HTTP only: status NNN; Retry-After in seconds or as the HTTP date that lies D ahead
  partial[:rejected=N][:message=TEXT]  success with partial_success
  slow:delay=D            success after D
  never                   no answer until the client gives up
  reset                   the connection is cut without an answer
  goaway                  success; then a GOAWAY (HTTP: Connection: close) and a new server for new connections
  garbage                 200 / OK with a body that is no protobuf
  big:bytes=N             200 / OK with a valid body of N bytes`

// step is one scripted answer.
type step struct {
	name     string
	code     codes.Code // of a gRPC-style step
	http     int        // of an httpNNN step
	delay    time.Duration
	retry    time.Duration
	hasRetry bool
	after    string // Retry-After of an httpNNN step: seconds or date+D
	rejected int64
	message  string
	bytes    int
}

var plainSteps = map[string]bool{"ok": true, "partial": true, "slow": true, "never": true, "reset": true, "goaway": true, "garbage": true, "big": true}

func parseStep(text string) (step, error) {
	parts := strings.Split(text, ":")
	s := step{name: parts[0], message: "scripted " + parts[0]}
	var code codes.Code
	switch {
	case plainSteps[s.name]:
	case strings.HasPrefix(s.name, "http"):
		n, err := strconv.Atoi(s.name[4:])
		if err != nil || n < 200 || n > 599 {
			return s, fmt.Errorf("script: %q is no HTTP status", s.name)
		}
		s.http = n
	default:
		if code.UnmarshalJSON([]byte(`"`+strings.ToUpper(s.name)+`"`)) != nil || code == codes.OK {
			return s, fmt.Errorf("script: unknown answer %q", s.name)
		}
		s.code = code
	}
	for _, option := range parts[1:] {
		if err := s.set(option); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *step) set(option string) error {
	key, value, _ := strings.Cut(option, "=")
	var err error
	switch key {
	case "retry":
		s.retry, err = time.ParseDuration(value)
		s.hasRetry = true
	case "delay":
		s.delay, err = time.ParseDuration(value)
	case "after":
		s.after = value
	case "rejected":
		s.rejected, err = strconv.ParseInt(value, 10, 64)
	case "message":
		s.message = value
	case "bytes":
		s.bytes, err = strconv.Atoi(value)
	default:
		err = fmt.Errorf("script: unknown option %q", option)
	}
	return err
}

// success says whether the client may count the message as delivered.
func (s step) success() bool {
	switch s.name {
	case "ok", "partial", "slow", "goaway", "big":
		return true
	}
	return s.http/100 == 2
}

func (s step) status() *status.Status {
	st := status.New(s.code, s.message)
	if !s.hasRetry {
		return st
	}
	with, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(s.retry)})
	if err != nil {
		return st
	}
	return with
}

// httpStatus is the OTLP specification's mapping of gRPC codes.
func (s step) httpStatus() int {
	switch s.code {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss:
		return http.StatusServiceUnavailable
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.InvalidArgument:
		return http.StatusBadRequest
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.Unimplemented:
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

// retryAfter is the header's value, or "".
func (s step) retryAfterHeader(now time.Time) string {
	if s.hasRetry {
		return strconv.Itoa(int(s.retry / time.Second))
	}
	if ahead, isDate := strings.CutPrefix(s.after, "date+"); isDate {
		if d, err := time.ParseDuration(ahead); err == nil {
			return now.Add(d).UTC().Format(http.TimeFormat)
		}
	}
	return s.after
}

// script hands out the answers in order; safe for use by many requests at once.
type script struct {
	sync.Mutex
	steps []step
	used  int
}

func (s *script) load(text string) error {
	var steps []step
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		times := 1
		if n, rest, ok := strings.Cut(part, "*"); ok {
			var err error
			if times, err = strconv.Atoi(n); err != nil {
				return fmt.Errorf("script: %q: the factor is no number", part)
			}
			part = rest
		}
		one, err := parseStep(part)
		if err != nil {
			return err
		}
		for range times {
			steps = append(steps, one)
		}
	}
	s.Lock()
	defer s.Unlock()
	s.steps, s.used = steps, 0
	return nil
}

func (s *script) next() step {
	s.Lock()
	defer s.Unlock()
	i := min(s.used, len(s.steps)-1)
	s.used++
	return s.steps[i]
}
