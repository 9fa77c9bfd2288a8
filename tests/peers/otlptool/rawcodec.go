package main

import (
	"fmt"

	"google.golang.org/grpc/mem"
)

const (
	exportMethod  = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
	profilesPath  = "/v1development/profiles"
	versionHeader = "otlp-profiles-development-version"
	maxMessage    = 1 << 30 // bytes; far over every limit under test, so that the peer is the one that refuses
)

// rawCodec passes message bytes through gRPC untouched: what is stored is what is sent, also when it is no protobuf at all.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	body, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("raw codec: cannot marshal %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*body)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	body, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("raw codec: cannot unmarshal into %T", v)
	}
	*body = data.Materialize()
	return nil
}
