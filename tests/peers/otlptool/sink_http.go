package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func (s *sink) serveHTTP(listener net.Listener, t *tlsFlags) error {
	config, err := t.server()
	if err != nil {
		return err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+profilesPath, s.handleHTTP)
	server := &http.Server{Handler: mux, TLSConfig: config, Protocols: protocols}
	tracked := trackedListener{listener, s.connections}
	go func() {
		serve := func() error { return server.Serve(tracked) }
		if config != nil {
			serve = func() error { return server.ServeTLS(tracked, "", "") }
		}
		if err := serve(); err != nil && !errors.Is(err, net.ErrClosed) {
			fmt.Fprintln(os.Stderr, "otlptool: http:", err)
		}
	}()
	return nil
}

func (s *sink) handleHTTP(w http.ResponseWriter, r *http.Request) {
	wire, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	one := s.script.next()
	kind, ext := "application/x-protobuf", "pb"
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		kind, ext = "application/json", "json"
	}
	entry := received{Transport: "http", Path: r.URL.Path, Protocol: r.Proto, Encoding: r.Header.Get("Content-Encoding"), Headers: r.Header,
		WireBytes: len(wire), Answer: one.name}
	body, err := decompress(entry.Encoding, wire)
	if err != nil {
		entry.Answer, entry.Error = "undecodable", err.Error()
		one = step{name: "http400", http: http.StatusBadRequest, message: err.Error()}
	}
	if err := s.record(entry, body, ext, one.success()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.answerHTTP(w, r, one, kind)
}

func (s *sink) answerHTTP(w http.ResponseWriter, r *http.Request, one step, kind string) {
	select {
	case <-time.After(one.delay):
	case <-r.Context().Done():
		return
	}
	switch {
	case one.name == "never":
		<-r.Context().Done()
	case one.name == "reset":
		s.connections.cut(r.RemoteAddr)
		panic(http.ErrAbortHandler)
	case one.code != codes.OK || (one.http != 0 && !one.success()):
		writeHTTPError(w, one, kind)
	default:
		if one.name == "goaway" {
			w.Header().Set("Connection", "close")
		}
		writeHTTPSuccess(w, one, kind)
	}
}

func writeHTTPError(w http.ResponseWriter, one step, kind string) {
	number := one.http
	if number == 0 {
		number = one.httpStatus()
	}
	if value := one.retryAfterHeader(time.Now()); value != "" {
		w.Header().Set("Retry-After", value)
	}
	st := one.status().Proto()
	body, err := proto.Marshal(st)
	if kind == "application/json" {
		body, err = protojson.Marshal(st)
	}
	if err != nil {
		number, body = http.StatusInternalServerError, []byte(err.Error())
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(number)
	_, _ = w.Write(body)
}

func writeHTTPSuccess(w http.ResponseWriter, one step, kind string) {
	body, err := one.reply()
	if err == nil && kind == "application/json" && one.name != "garbage" {
		response := pprofileotlp.NewExportResponse()
		if err = response.UnmarshalProto(body); err == nil {
			body, err = response.MarshalJSON()
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	if one.http != 0 {
		w.WriteHeader(one.http)
	}
	_, _ = w.Write(body)
}
