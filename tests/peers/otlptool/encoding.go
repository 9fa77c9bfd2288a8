package main

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // registers gRPC's gzip compressor
)

// httpEncodings are the content encodings that the Collector's HTTP server reads; "deflate" is a zlib stream there and
// in RFC 9110, "snappy" is one snappy block and "x-snappy-framed" a stream of them.
var httpEncodings = []string{"none", "gzip", "zstd", "snappy", "x-snappy-framed", "zlib", "deflate", "lz4"}

func newEncoder(name string, w io.Writer) (io.WriteCloser, error) {
	switch name {
	case "gzip":
		return gzip.NewWriter(w), nil
	case "zlib", "deflate":
		return zlib.NewWriter(w), nil
	case "zstd":
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	case "x-snappy-framed":
		return snappy.NewBufferedWriter(w), nil
	case "lz4":
		return lz4.NewWriter(w), nil
	}
	return nil, fmt.Errorf("unknown content encoding %q", name)
}

func newDecoder(name string, r io.Reader) (io.Reader, error) {
	switch name {
	case "gzip":
		return gzip.NewReader(r)
	case "zlib", "deflate":
		return zlib.NewReader(r)
	case "zstd":
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	case "x-snappy-framed":
		return snappy.NewReader(r), nil
	case "lz4":
		return lz4.NewReader(r), nil
	}
	return nil, fmt.Errorf("unknown content encoding %q", name)
}

func compress(name string, body []byte) ([]byte, error) {
	switch name {
	case "", "none", "identity":
		return body, nil
	case "snappy":
		return snappy.Encode(nil, body), nil
	}
	var out bytes.Buffer
	w, err := newEncoder(name, &out)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func decompress(name string, body []byte) ([]byte, error) {
	switch name {
	case "", "none", "identity":
		return body, nil
	case "snappy":
		return snappy.Decode(nil, body)
	}
	r, err := newDecoder(name, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// grpcCompressor makes a gRPC compressor of one of the encodings; gRPC's "snappy" is the framed format.
type grpcCompressor struct{ name, encoding string }

func (c grpcCompressor) Name() string { return c.name }
func (c grpcCompressor) Compress(w io.Writer) (io.WriteCloser, error) {
	return newEncoder(c.encoding, w)
}
func (c grpcCompressor) Decompress(r io.Reader) (io.Reader, error) { return newDecoder(c.encoding, r) }

func init() {
	encoding.RegisterCompressor(grpcCompressor{"zstd", "zstd"})
	encoding.RegisterCompressor(grpcCompressor{"snappy", "x-snappy-framed"})
}

func runPack(args []string) int {
	fs := flag.NewFlagSet("pack", flag.ExitOnError)
	name := fs.String("encoding", "gzip", fmt.Sprint("one of ", httpEncodings))
	unpack := fs.Bool("d", false, "decompress")
	in := fs.String("in", "", "input file")
	out := fs.String("out", "", "output file")
	_ = fs.Parse(args)
	if *in == "" || *out == "" {
		return fail(errors.New("pack: --in and --out are required"))
	}
	body, err := os.ReadFile(*in)
	if err != nil {
		return fail(err)
	}
	pack := compress
	if *unpack {
		pack = decompress
	}
	if body, err = pack(*name, body); err != nil {
		return fail(err)
	}
	if err := os.WriteFile(*out, body, 0o644); err != nil {
		return fail(err)
	}
	return 0
}
