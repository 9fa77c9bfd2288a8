package main

import (
	"fmt"
	"slices"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	profilespb "go.opentelemetry.io/proto/otlp/profiles/v1development"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// parts are the places of the tiny message that the rules are broken at.
type parts struct {
	d       *profilespb.ProfilesDictionary
	profile *profilespb.Profile
	sample  *profilespb.Sample
	request *collectorpb.ExportProfilesServiceRequest
}

const outOfRange = 4711

// brokenRules are well-formed messages that break one rule of the profiles data format each.
var brokenRules = map[string]func(p parts){
	"stack-index":        func(p parts) { p.sample.StackIndex = outOfRange },
	"negative-index":     func(p parts) { p.sample.StackIndex = -1 },
	"link-index":         func(p parts) { p.sample.LinkIndex = outOfRange },
	"sample-attribute":   func(p parts) { p.sample.AttributeIndices = []int32{outOfRange} },
	"profile-attribute":  func(p parts) { p.profile.AttributeIndices = []int32{outOfRange} },
	"sample-type":        func(p parts) { p.profile.SampleType.TypeStrindex = outOfRange },
	"period-unit":        func(p parts) { p.profile.PeriodType.UnitStrindex = outOfRange },
	"location-index":     func(p parts) { p.d.StackTable[1].LocationIndices[0] = outOfRange },
	"mapping-index":      func(p parts) { p.d.LocationTable[1].MappingIndex = outOfRange },
	"function-index":     func(p parts) { p.d.LocationTable[1].Lines[0].FunctionIndex = outOfRange },
	"location-attribute": func(p parts) { p.d.LocationTable[1].AttributeIndices = []int32{outOfRange} },
	"function-name":      func(p parts) { p.d.FunctionTable[1].NameStrindex = outOfRange },
	"function-file":      func(p parts) { p.d.FunctionTable[1].FilenameStrindex = outOfRange },
	"mapping-file": func(p parts) {
		p.d.MappingTable = append(p.d.MappingTable, &profilespb.Mapping{FilenameStrindex: outOfRange})
	},
	"attribute-key": func(p parts) {
		p.d.AttributeTable = append(p.d.AttributeTable, &profilespb.KeyValueAndUnit{KeyStrindex: outOfRange})
	},
	"attribute-unit": func(p parts) {
		p.d.AttributeTable = append(p.d.AttributeTable, &profilespb.KeyValueAndUnit{KeyStrindex: 1, UnitStrindex: outOfRange})
	},
	"resource-key":     func(p parts) { p.firstAttribute().Key, p.firstAttribute().KeyStrindex = "", outOfRange },
	"resource-value":   func(p parts) { p.firstAttribute().Value = referenced(outOfRange) },
	"no-zero-string":   func(p parts) { p.d.StringTable[0] = "not empty" },
	"no-zero-function": func(p parts) { p.d.FunctionTable[0].NameStrindex = 1 },
	"no-zero-location": func(p parts) { p.d.LocationTable[0].Address = 1 },
	"no-zero-stack":    func(p parts) { p.d.StackTable[0].LocationIndices = []int32{1} },
	"no-dictionary":    func(p parts) { p.request.Dictionary = nil },
	"unequal-shape":    func(p parts) { p.sample.Values = []int64{1, 2} },
	"no-observation":   func(p parts) { p.sample.Values, p.sample.TimestampsUnixNano = nil, nil },
	"profile-id":       func(p parts) { p.profile.ProfileId = []byte("short") },
	"trace-id": func(p parts) {
		p.d.LinkTable = append(p.d.LinkTable, &profilespb.Link{TraceId: []byte("short"), SpanId: make([]byte, 8)})
	},
}

// brokenBytes are no protobuf, or protobuf that no honest sender writes.
var brokenBytes = map[string]func(good []byte) []byte{
	"truncated":    func(good []byte) []byte { return good[:len(good)-3] },
	"random":       func([]byte) []byte { return []byte("this is no protobuf message at all, whichever way it is read") },
	"lying-length": func(good []byte) []byte { return append(slices.Clone(good), 0x0a, 0xff, 0xff, 0xff, 0xff, 0x07) },
	"endless-varint": func(good []byte) []byte {
		return append(append(slices.Clone(good), 0x0a), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)
	},
	"mixed-layout": mixedLayout,
	"deep":         deepValue,
}

func (p parts) firstAttribute() *commonpb.KeyValue {
	return p.request.ResourceProfiles[0].Resource.Attributes[0]
}

func referenced(index int32) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValueStrindex{StringValueStrindex: index}}
}

// mixedLayout has one sample that only 1.9 can have written and one that only 1.10 can.
func mixedLayout(good []byte) []byte {
	old, err := toLayout(good, "1.9")
	if err != nil {
		panic(err) // our own message is well-formed
	}
	attribute := protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), []byte{0}) // attribute_indices of 1.9
	link := protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 0)            // link_index of 1.10
	var profile []byte
	for _, sample := range [][]byte{attribute, link} {
		profile = protowire.AppendBytes(protowire.AppendTag(profile, 2, protowire.BytesType), sample)
	}
	scope := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), profile)
	resource := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), scope)
	return protowire.AppendBytes(protowire.AppendTag(old, 1, protowire.BytesType), resource)
}

const deepLevels = 20000

// deepValue nests array values so deep that a recursive decoder without a limit runs out of stack.
func deepValue(good []byte) []byte {
	var value []byte
	for range deepLevels {
		array := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), value)
		value = protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), array)
	}
	entry := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), value)
	dictionary := protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), entry)
	return protowire.AppendBytes(protowire.AppendTag(slices.Clone(good), 2, protowire.BytesType), dictionary)
}

// brokenMessage returns the bytes of one broken kind.
func brokenMessage(name string, seed uint64) ([]byte, error) {
	request := tinyMessage(seed)
	good, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return nil, err
	}
	if spoil, ok := brokenBytes[name]; ok {
		return spoil(good), nil
	}
	spoil, ok := brokenRules[name]
	if !ok {
		return nil, fmt.Errorf("gen: unknown kind of broken message %q", name)
	}
	profile := request.ResourceProfiles[0].ScopeProfiles[0].Profiles[0]
	spoil(parts{request.Dictionary, profile, profile.Samples[0], request})
	return proto.MarshalOptions{Deterministic: true}.Marshal(request)
}

func brokenNames() []string {
	var names []string
	for name := range brokenRules {
		names = append(names, name)
	}
	for name := range brokenBytes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// writeBroken writes one file per broken kind, named after it.
func writeBroken(seed uint64, write func(stem string, body []byte) error) error {
	for _, name := range brokenNames() {
		body, err := brokenMessage(name, seed)
		if err != nil {
			return err
		}
		if err := write(name, body); err != nil {
			return err
		}
	}
	return nil
}
