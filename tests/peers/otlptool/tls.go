package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
)

// tlsFlags are the same on the client and on the server side; a server requires client certificates when --ca is given.
type tlsFlags struct {
	enabled, skipVerify       bool
	ca, cert, key, serverName string
}

func (t *tlsFlags) register(fs *flag.FlagSet) {
	fs.BoolVar(&t.enabled, "tls", false, "use TLS")
	fs.StringVar(&t.ca, "ca", "", "PEM file of the authority that signed the other side's certificate")
	fs.StringVar(&t.cert, "cert", "", "PEM file of the own certificate")
	fs.StringVar(&t.key, "key", "", "PEM file of the own key")
	fs.BoolVar(&t.skipVerify, "skip-verify", false, "client: accept any server certificate")
	fs.StringVar(&t.serverName, "server-name", "", "client: the name to verify, in place of the host in the endpoint")
}

func (t *tlsFlags) load() (*tls.Config, *x509.CertPool, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if t.ca == "" {
		return config, nil, nil
	}
	pem, err := os.ReadFile(t.ca)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("%s: no certificate in it", t.ca)
	}
	return config, pool, nil
}

func (t *tlsFlags) client() (*tls.Config, error) {
	if !t.enabled {
		return nil, nil
	}
	config, pool, err := t.load()
	if err != nil {
		return nil, err
	}
	config.RootCAs, config.InsecureSkipVerify, config.ServerName = pool, t.skipVerify, t.serverName
	return config, nil
}

func (t *tlsFlags) server() (*tls.Config, error) {
	if !t.enabled {
		return nil, nil
	}
	if t.cert == "" {
		return nil, errors.New("a TLS server needs --cert and --key")
	}
	config, pool, err := t.load()
	if err != nil {
		return nil, err
	}
	if pool != nil {
		config.ClientCAs, config.ClientAuth = pool, tls.RequireAndVerifyClientCert
	}
	return config, nil
}
