// Package basicauth stands in for the module of this name that the Collector's basicauthextension v0.162 is built on and that
// the module proxy does not have. It is our own and small: RFC 7617 headers in and out, behind the names which the extension
// calls. The extension itself, its htpasswd library and the Collector's servers and clients are the real ones.
package basicauth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"go.opentelemetry.io/collector/client"
	"google.golang.org/grpc/credentials"
)

var (
	ErrNoAuth              = errors.New("no basic auth provided")
	ErrInvalidCredentials  = errors.New("invalid credentials")
	ErrInvalidSchemePrefix = errors.New("invalid authorization scheme prefix")
	ErrInvalidFormat       = errors.New("invalid authorization format")
)

// Provider is what the extension's client side is to us.
type Provider interface {
	Username() string
	Password() string
}

type identity struct{ user, raw string }

func (i identity) GetAttribute(name string) any {
	return map[string]any{"username": i.user, "raw": i.raw}[name]
}

func (identity) GetAttributeNames() []string { return []string{"username", "raw"} }

// Authenticate checks the first Authorization header with match and puts who it is into the context.
func Authenticate(ctx context.Context, headers map[string][]string, match func(user, password string) bool) (context.Context, error) {
	var value string
	for name, values := range headers {
		if strings.EqualFold(name, "authorization") && len(values) > 0 {
			value = values[0]
		}
	}
	if value == "" {
		return ctx, ErrNoAuth
	}
	scheme, raw, found := strings.Cut(value, " ")
	if !found || !strings.EqualFold(scheme, "basic") {
		return ctx, ErrInvalidSchemePrefix
	}
	plain, err := base64.StdEncoding.DecodeString(raw)
	user, password, found := strings.Cut(string(plain), ":")
	if err != nil || !found {
		return ctx, ErrInvalidFormat
	}
	if !match(user, password) {
		return ctx, ErrInvalidCredentials
	}
	info := client.FromContext(ctx)
	info.Auth = identity{user, raw}
	return client.NewContext(ctx, info), nil
}

type signer struct {
	base http.RoundTripper
	from Provider
}

func (s signer) value() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(s.from.Username()+":"+s.from.Password()))
}

func (s signer) RoundTrip(request *http.Request) (*http.Response, error) {
	signed := request.Clone(request.Context())
	signed.Header.Set("Authorization", s.value())
	return s.base.RoundTrip(signed)
}

func (s signer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": s.value()}, nil
}

func (signer) RequireTransportSecurity() bool { return true }

func NewRoundTripper(base http.RoundTripper, from Provider) (http.RoundTripper, error) {
	return signer{base, from}, nil
}

func NewPerRPCCredentials(from Provider) (credentials.PerRPCCredentials, error) {
	return signer{from: from}, nil
}
