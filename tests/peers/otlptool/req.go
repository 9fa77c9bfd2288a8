package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// runReq makes one request that send would not make and prints everything about the answer as one JSON line.
func runReq(args []string) int {
	fs := flag.NewFlagSet("req", flag.ExitOnError)
	endpoint := fs.String("endpoint", "", "host:port (required)")
	method := fs.String("method", "POST", "HTTP method")
	path := fs.String("path", profilesPath, "path")
	body := fs.String("body", "", "file whose bytes are the body; empty: no body")
	h2 := fs.Bool("h2", false, "HTTP/2 (h2c without TLS)")
	timeout := fs.Duration("timeout", 30*time.Second, "for the whole exchange")
	var headers headerFlag
	fs.Var(&headers, "header", "name:value, repeatable")
	var tls tlsFlags
	tls.register(fs)
	_ = fs.Parse(args)
	if *endpoint == "" {
		return fail(errors.New("req: --endpoint is required"))
	}
	var content []byte
	if *body != "" {
		var err error
		if content, err = os.ReadFile(*body); err != nil {
			return fail(err)
		}
	}
	client, scheme, err := newHTTPClient(&tls, *h2, 1)
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, *method, scheme+"://"+*endpoint+*path, bytes.NewReader(content))
	if err != nil {
		return fail(err)
	}
	for _, h := range headers {
		request.Header.Add(h[0], h[1])
	}
	return printExchange(client, request)
}

func printExchange(client *http.Client, request *http.Request) int {
	out := map[string]any{}
	response, err := client.Do(request)
	if err == nil {
		defer response.Body.Close()
		var reply []byte
		reply, err = io.ReadAll(io.LimitReader(response.Body, maxReply))
		out["status"], out["protocol"], out["headers"], out["trailers"] = response.StatusCode, response.Proto, response.Header, response.Trailer
		out["body"], out["message"] = base64.StdEncoding.EncodeToString(reply), statusMessage(response.Header.Get("Content-Type"), reply)
	}
	if err != nil {
		out["error"] = err.Error()
	}
	line, err := json.Marshal(out)
	if err != nil {
		return fail(err)
	}
	fmt.Printf("%s\n", line)
	return 0
}
