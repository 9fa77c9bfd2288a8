package main

import (
	"encoding/binary"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	profilespb "go.opentelemetry.io/proto/otlp/profiles/v1development"
	"google.golang.org/protobuf/proto"
)

// dictionary builds a ProfilesDictionary whose entries are unique by value and whose index 0 is the zero entry of each table.
type dictionary struct {
	pb         *profilespb.ProfilesDictionary
	strings    map[string]int32
	functions  map[string]int32
	mappings   map[string]int32
	locations  map[string]int32
	stacks     map[string]int32
	links      map[string]int32
	attributes map[string]int32
}

func newDictionary() *dictionary {
	d := &dictionary{
		pb: &profilespb.ProfilesDictionary{
			StringTable:    []string{""},
			FunctionTable:  []*profilespb.Function{{}},
			MappingTable:   []*profilespb.Mapping{{}},
			LocationTable:  []*profilespb.Location{{}},
			StackTable:     []*profilespb.Stack{{}},
			LinkTable:      []*profilespb.Link{{}},
			AttributeTable: []*profilespb.KeyValueAndUnit{{}},
		},
		strings: map[string]int32{"": 0}, functions: map[string]int32{"": 0}, mappings: map[string]int32{"": 0},
		locations: map[string]int32{"": 0}, stacks: map[string]int32{"": 0}, links: map[string]int32{"": 0},
		attributes: map[string]int32{"": 0},
	}
	return d
}

func (d *dictionary) str(s string) int32 {
	if i, ok := d.strings[s]; ok {
		return i
	}
	i := int32(len(d.pb.StringTable))
	d.pb.StringTable = append(d.pb.StringTable, s)
	d.strings[s] = i
	return i
}

// intern returns the index of an entry in a table, appending it when no equal one is there.
func intern[T proto.Message](known map[string]int32, table *[]T, entry T) int32 {
	key, err := proto.MarshalOptions{Deterministic: true}.Marshal(entry)
	if err != nil {
		panic(err) // our own literals always marshal
	}
	if i, ok := known[string(key)]; ok {
		return i
	}
	i := int32(len(*table))
	*table = append(*table, entry)
	known[string(key)] = i
	return i
}

func (d *dictionary) function(f *profilespb.Function) int32 {
	return intern(d.functions, &d.pb.FunctionTable, f)
}

func (d *dictionary) mapping(m *profilespb.Mapping) int32 {
	return intern(d.mappings, &d.pb.MappingTable, m)
}

func (d *dictionary) location(l *profilespb.Location) int32 {
	return intern(d.locations, &d.pb.LocationTable, l)
}

func (d *dictionary) stack(locations []int32) int32 {
	return intern(d.stacks, &d.pb.StackTable, &profilespb.Stack{LocationIndices: locations})
}

// link makes 16 and 8 byte ids from numbers; the upper half of the trace id is fixed, so ids are never all zero.
func (d *dictionary) link(trace, span uint64) int32 {
	l := &profilespb.Link{TraceId: make([]byte, 16), SpanId: make([]byte, 8)}
	binary.BigEndian.PutUint64(l.TraceId[:8], 0x4bf92f3577b34da6)
	binary.BigEndian.PutUint64(l.TraceId[8:], trace)
	binary.BigEndian.PutUint64(l.SpanId, span|1)
	return intern(d.links, &d.pb.LinkTable, l)
}

func (d *dictionary) attribute(key string, value *commonpb.AnyValue, unit string) int32 {
	return intern(d.attributes, &d.pb.AttributeTable,
		&profilespb.KeyValueAndUnit{KeyStrindex: d.str(key), Value: value, UnitStrindex: d.str(unit)})
}

func (d *dictionary) valueType(kind, unit string) *profilespb.ValueType {
	return &profilespb.ValueType{TypeStrindex: d.str(kind), UnitStrindex: d.str(unit)}
}

func stringValue(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

func intValue(i int64) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: i}}
}

func boolValue(b bool) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: b}}
}

// keyValues writes resource or scope attributes inline, or as references into the string table.
func (d *dictionary) keyValues(refs bool, pairs ...keyValue) []*commonpb.KeyValue {
	out := make([]*commonpb.KeyValue, 0, len(pairs))
	for _, p := range pairs {
		kv := &commonpb.KeyValue{Value: p.value}
		if !refs {
			kv.Key = p.key
			out = append(out, kv)
			continue
		}
		kv.KeyStrindex = d.str(p.key)
		if s, ok := p.value.GetValue().(*commonpb.AnyValue_StringValue); ok {
			kv.Value = &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValueStrindex{StringValueStrindex: d.str(s.StringValue)}}
		}
		out = append(out, kv)
	}
	return out
}

type keyValue struct {
	key   string
	value *commonpb.AnyValue
}
