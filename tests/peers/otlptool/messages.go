package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	"google.golang.org/protobuf/proto"
)

// message is one decoded request and where it came from.
type message struct {
	origin string
	pb     *collectorpb.ExportProfilesServiceRequest
}

// listFiles replaces directories by the message files directly inside them, in name order.
func listFiles(paths []string) ([]string, error) {
	var out []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			out = append(out, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		var inside []string
		for _, e := range entries {
			if !e.IsDir() {
				inside = append(inside, filepath.Join(path, e.Name()))
			}
		}
		sort.Strings(inside)
		out = append(out, inside...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no message files in %s", strings.Join(paths, " "))
	}
	return out, nil
}

// readMessages reads a file by its extension: .pb one message, .framed length-prefixed messages (the Collector's file
// exporter with format proto), .json one JSON object per line; .zst after any of the first two means compressed frames.
func readMessages(path string) ([]message, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	switch ext := filepath.Ext(path); ext {
	case ".pb":
		one, err := decodeProto(data, path)
		return []message{one}, err
	case ".framed":
		return readFramed(data, path, "none")
	case ".zst":
		return readFramed(data, path, "zstd")
	case ".json":
		return readJSON(data, path)
	default:
		return nil, fmt.Errorf("%s: unknown extension %q (.pb, .framed, .zst, .json)", path, ext)
	}
}

func decodeProto(data []byte, origin string) (message, error) {
	pb := &collectorpb.ExportProfilesServiceRequest{}
	if err := proto.Unmarshal(data, pb); err != nil {
		return message{}, fmt.Errorf("%s: %w", origin, err)
	}
	return message{origin, pb}, nil
}

func readFramed(data []byte, path, encoding string) ([]message, error) {
	var out []message
	for r := bytes.NewReader(data); r.Len() > 0; {
		var size uint32
		if err := binary.Read(r, binary.BigEndian, &size); err != nil {
			return nil, fmt.Errorf("%s: frame %d: %w", path, len(out), err)
		}
		if int64(size) > int64(r.Len()) {
			return nil, fmt.Errorf("%s: frame %d: %d bytes announced, %d left", path, len(out), size, r.Len())
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, err
		}
		body, err := decompress(encoding, body)
		if err != nil {
			return nil, fmt.Errorf("%s: frame %d: %w", path, len(out), err)
		}
		one, err := decodeFrame(body, fmt.Sprintf("%s[%d]", path, len(out)))
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// decodeFrame reads JSON or protobuf: a compressed file of format json is framed too.
func decodeFrame(body []byte, origin string) (message, error) {
	if len(body) > 0 && body[0] == '{' {
		return decodeJSON(body, origin)
	}
	return decodeProto(body, origin)
}

func decodeJSON(line []byte, origin string) (message, error) {
	request := pprofileotlp.NewExportRequest()
	if err := request.UnmarshalJSON(line); err != nil {
		return message{}, fmt.Errorf("%s: %w", origin, err)
	}
	body, err := request.MarshalProto()
	if err != nil {
		return message{}, fmt.Errorf("%s: %w", origin, err)
	}
	return decodeProto(body, origin)
}

func readJSON(data []byte, path string) ([]message, error) {
	var out []message
	for i, line := range bytes.Split(data, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		one, err := decodeJSON(line, fmt.Sprintf("%s:%d", path, i+1))
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func readAll(paths []string) ([]message, error) {
	files, err := listFiles(paths)
	if err != nil {
		return nil, err
	}
	var out []message
	for _, path := range files {
		some, err := readMessages(path)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}
