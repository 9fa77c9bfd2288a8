package main

import (
	"fmt"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	profilespb "go.opentelemetry.io/proto/otlp/profiles/v1development"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func (p *program) resourceProfiles(o genOptions, r int) *profilespb.ResourceProfiles {
	service := o.service
	if service == "" {
		service = fmt.Sprintf("service-%d", r)
	}
	rp := &profilespb.ResourceProfiles{
		Resource: &resourcepb.Resource{Attributes: p.d.keyValues(o.refs,
			keyValue{"service.name", stringValue(service)},
			keyValue{"process.pid", intValue(int64(1000 + r))},
			keyValue{"process.executable.path", stringValue(binaries[1])},
			keyValue{"container.id", stringValue(fmt.Sprintf("%064x", r+1))},
			keyValue{"test.seed", intValue(int64(o.seed))})},
		SchemaUrl: "https://opentelemetry.io/schemas/1.44.0",
	}
	for s := 0; s < o.scopes; s++ {
		sp := &profilespb.ScopeProfiles{Scope: &commonpb.InstrumentationScope{Name: fmt.Sprintf("scope-%d", s), Version: "1.2.3",
			Attributes: p.d.keyValues(o.refs, keyValue{"scope.number", intValue(int64(s))})}}
		for n := 0; n < o.profiles; n++ {
			sp.Profiles = append(sp.Profiles, p.profile(o, n))
		}
		rp.ScopeProfiles = append(rp.ScopeProfiles, sp)
	}
	return rp
}

// tinyMessage is countable by hand: main calls work and idle; work 3 samples (values 10, 20, 30), idle one of 5.
func tinyMessage(seed uint64) *collectorpb.ExportProfilesServiceRequest {
	d := newDictionary()
	frame := func(name string, line int64) int32 {
		f := d.function(&profilespb.Function{NameStrindex: d.str(name), FilenameStrindex: d.str("main.c")})
		return d.location(&profilespb.Location{Lines: []*profilespb.Line{{FunctionIndex: f, Line: line}}})
	}
	root := frame("main", 3)
	work, idle := d.stack([]int32{frame("work", 7), root}), d.stack([]int32{frame("idle", 11), root})
	profile := &profilespb.Profile{SampleType: d.valueType("cpu", "nanoseconds"), PeriodType: d.valueType("cpu", "nanoseconds"), Period: 1,
		TimeUnixNano: epochNano + seed, DurationNano: 100,
		Samples: []*profilespb.Sample{
			{StackIndex: work, Values: []int64{10, 20, 30}, TimestampsUnixNano: []uint64{epochNano + seed, epochNano + seed + 1, epochNano + seed + 2}},
			{StackIndex: idle, Values: []int64{5}, TimestampsUnixNano: []uint64{epochNano + seed + 3}},
		}}
	return &collectorpb.ExportProfilesServiceRequest{Dictionary: d.pb, ResourceProfiles: []*profilespb.ResourceProfiles{{
		Resource:      &resourcepb.Resource{Attributes: d.keyValues(false, keyValue{"service.name", stringValue("tiny")}, keyValue{"test.seed", intValue(int64(seed))})},
		ScopeProfiles: []*profilespb.ScopeProfiles{{Scope: &commonpb.InstrumentationScope{Name: "tiny"}, Profiles: []*profilespb.Profile{profile}}},
	}}}
}

// nestedValue holds every kind of AnyValue, three levels deep.
func nestedValue(d *dictionary) *commonpb.AnyValue {
	list := &commonpb.ArrayValue{Values: []*commonpb.AnyValue{
		stringValue("element"), boolValue(true), intValue(-42), {},
		{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: -0.125}},
		{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{0, 1, 2, 255}}},
		{Value: &commonpb.AnyValue_StringValueStrindex{StringValueStrindex: d.str("by reference")}},
		{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{}}},
	}}
	inner := &commonpb.KeyValueList{Values: []*commonpb.KeyValue{
		{Key: "list", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: list}}},
		{KeyStrindex: d.str("key.by.reference"), Value: boolValue(false)},
	}}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: inner}}
}

// setUnknown adds a field that no release of the proto has: a string under number 2000.
func setUnknown(m protoreflect.ProtoMessage, text string) {
	raw := protowire.AppendTag(nil, 2000, protowire.BytesType)
	m.ProtoReflect().SetUnknown(protowire.AppendString(raw, text))
}

// fullMessage sets every field of the proto, in every message that can carry an unknown field adds one too.
func fullMessage(seed uint64) *collectorpb.ExportProfilesServiceRequest {
	d := newDictionary()
	profile, sample := fullProfile(d, seed)
	resource := &resourcepb.Resource{
		Attributes: append(d.keyValues(false, keyValue{"service.name", stringValue("full")}, keyValue{"nested", nestedValue(d)}, keyValue{"empty", nil}),
			d.keyValues(true, keyValue{"by.reference", stringValue("referenced")}, keyValue{"test.seed", intValue(int64(seed))})...),
		DroppedAttributesCount: 3,
		EntityRefs:             []*commonpb.EntityRef{{SchemaUrl: "https://example.test/entity", Type: "service", IdKeys: []string{"service.name"}, DescriptionKeys: []string{"nested"}}},
	}
	scope := &commonpb.InstrumentationScope{Name: "full", Version: "9.9", DroppedAttributesCount: 4,
		Attributes: d.keyValues(false, keyValue{"pprof.scope.default_sample_type", stringValue("cpu")})}
	sp := &profilespb.ScopeProfiles{Scope: scope, SchemaUrl: "https://example.test/scope", Profiles: []*profilespb.Profile{profile}}
	rp := &profilespb.ResourceProfiles{Resource: resource, SchemaUrl: "https://example.test/resource", ScopeProfiles: []*profilespb.ScopeProfiles{sp}}
	request := &collectorpb.ExportProfilesServiceRequest{Dictionary: d.pb, ResourceProfiles: []*profilespb.ResourceProfiles{rp}}
	for name, m := range map[string]protoreflect.ProtoMessage{"resource": resource, "scope": scope, "profile": profile, "sample": sample,
		"scope_profiles": sp, "resource_profiles": rp} {
		setUnknown(m, "unknown in "+name)
	}
	return request
}

func fullProfile(d *dictionary, seed uint64) (*profilespb.Profile, *profilespb.Sample) {
	typed := d.attribute("request.size", intValue(4096), "By")
	nested := d.attribute("nested", nestedValue(d), "")
	mapping := d.mapping(&profilespb.Mapping{MemoryStart: 0x400000, MemoryLimit: 0x500000, FileOffset: 0x1000, FilenameStrindex: d.str("/usr/bin/full"),
		AttributeIndices: []int32{d.attribute(buildIDKey, stringValue("0123456789abcdef"), "")}})
	outer := d.function(&profilespb.Function{NameStrindex: d.str("outer<int>"), SystemNameStrindex: d.str("_Z5outerIiE"), FilenameStrindex: d.str("full.cc"), StartLine: 10})
	inlined := d.function(&profilespb.Function{NameStrindex: d.str("inlined"), FilenameStrindex: d.str("full.h"), StartLine: 2})
	location := d.location(&profilespb.Location{MappingIndex: mapping, Address: 0x400123, AttributeIndices: []int32{d.attribute("profile.frame.type", stringValue("native"), "")},
		Lines: []*profilespb.Line{{FunctionIndex: inlined, Line: 4, Column: 7}, {FunctionIndex: outer, Line: 15, Column: 1}}})
	start := uint64(epochNano) + seed
	sample := &profilespb.Sample{StackIndex: d.stack([]int32{location}), AttributeIndices: []int32{typed, nested}, LinkIndex: d.link(1, 2),
		Values: []int64{-1, 1 << 62}, TimestampsUnixNano: []uint64{start, start + 1}}
	return &profilespb.Profile{
		SampleType: d.valueType("cpu", "nanoseconds"), PeriodType: d.valueType("cpu", "nanoseconds"), Period: -5,
		TimeUnixNano: start, DurationNano: 1 << 40, ProfileId: []byte("0123456789abcdef"), DroppedAttributesCount: 7,
		OriginalPayloadFormat: "pprof", OriginalPayload: []byte{0x1f, 0x8b, 0, 0xff}, AttributeIndices: []int32{nested, typed},
		Samples: []*profilespb.Sample{sample, {StackIndex: 0, TimestampsUnixNano: []uint64{start + 2}}, {StackIndex: d.stack([]int32{location, location}), Values: []int64{3}}},
	}, sample
}

// zerosMessage is valid and nearly nothing once compressed: what a decompression bomb looks like.
func zerosMessage(bytes int) *collectorpb.ExportProfilesServiceRequest {
	request := tinyMessage(1)
	profile := request.ResourceProfiles[0].ScopeProfiles[0].Profiles[0]
	profile.OriginalPayloadFormat = "zeros"
	profile.OriginalPayload = make([]byte, bytes)
	return request
}
