package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"golang.org/x/net/http2"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const maxReply = 8 << 20 // bytes of a response that we read

type httpSender struct {
	client      *http.Client
	url         string
	encoding    string
	contentType string
	headers     headerFlag
}

func newHTTPClient(t *tlsFlags, h2 bool, connections int) (*http.Client, string, error) {
	config, err := t.client()
	if err != nil {
		return nil, "", err
	}
	scheme := "http"
	if config != nil {
		scheme = "https"
	}
	if !h2 {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: connections, DisableCompression: true}}, scheme, nil
	}
	transport := &http2.Transport{TLSClientConfig: config, AllowHTTP: true, DisableCompression: true}
	if config == nil {
		transport.DialTLSContext = func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
	}
	return &http.Client{Transport: transport}, scheme, nil
}

func newHTTPSender(o sendOptions) (sender, error) {
	client, scheme, err := newHTTPClient(&o.tls, o.h2, o.concurrency)
	if err != nil {
		return nil, err
	}
	s := &httpSender{client: client, url: scheme + "://" + o.endpoint + profilesPath, encoding: o.encoding,
		contentType: "application/x-protobuf", headers: o.headers}
	if o.path != "" {
		s.url = scheme + "://" + o.endpoint + o.path
	}
	if o.json {
		s.contentType = "application/json"
	}
	return s, nil
}

func (s *httpSender) close() { s.client.CloseIdleConnections() }

func (s *httpSender) send(ctx context.Context, body []byte) answer {
	packed, err := compress(s.encoding, body)
	if err != nil {
		return answer{status: "not sent", detail: err.Error()}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(packed))
	if err != nil {
		return answer{status: "not sent", detail: err.Error()}
	}
	request.Header.Set("Content-Type", s.contentType)
	if s.encoding != "none" {
		request.Header.Set("Content-Encoding", s.encoding)
	}
	for _, h := range s.headers {
		request.Header.Add(h[0], h[1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{status: "no answer", detail: err.Error()}
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if err != nil {
		return answer{status: "no answer", detail: err.Error()}
	}
	return httpAnswer(response, reply)
}

func httpAnswer(response *http.Response, reply []byte) answer {
	kind := response.Header.Get("Content-Type")
	if response.StatusCode/100 != 2 {
		a := answer{status: fmt.Sprintf("http %d", response.StatusCode), detail: statusMessage(kind, reply)}
		a.retry, a.hasRetry = retryAfter(response.Header.Get("Retry-After"), time.Now())
		return a
	}
	if strings.HasPrefix(kind, "application/json") {
		parsed := pprofileotlp.NewExportResponse()
		if err := parsed.UnmarshalJSON(reply); err != nil {
			return answer{status: "unreadable response", detail: err.Error()}
		}
		reply, _ = parsed.MarshalProto()
	}
	return withPartialSuccess(answer{status: "ok"}, reply)
}

// statusMessage reads the rpc.Status that OTLP puts into error bodies; anything else is shown as text.
func statusMessage(contentType string, body []byte) string {
	var st statuspb.Status
	if strings.HasPrefix(contentType, "application/x-protobuf") && proto.Unmarshal(body, &st) == nil {
		return st.GetMessage()
	}
	if strings.HasPrefix(contentType, "application/json") && protojson.Unmarshal(body, &st) == nil {
		return st.GetMessage()
	}
	return string(body[:min(len(body), 200)])
}

// retryAfter reads both forms of the header: seconds and an HTTP date.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now)), true
	}
	return 0, false
}
