package main

import (
	"strings"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func collected(t *testing.T, requests ...*collectorpb.ExportProfilesServiceRequest) (*collection, error) {
	t.Helper()
	var messages []message
	for _, r := range requests {
		messages = append(messages, message{"test", r})
	}
	return collect(messages, true)
}

// differs reports whether a comparison sees a difference or cannot expand the second message.
func differs(t *testing.T, a, b *collectorpb.ExportProfilesServiceRequest) bool {
	t.Helper()
	first, err := collected(t, a)
	if err != nil {
		t.Fatal(err)
	}
	second, err := collected(t, b)
	if err != nil {
		return true
	}
	c := comparison{}
	c.compare(first, second)
	return c.found > 0
}

// scalars calls visit for every scalar that is set, in a fixed order, with a function that changes it.
func scalars(m protoreflect.Message, path string, visit func(path string, change func())) {
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if !m.Has(f) {
			continue
		}
		v := m.Get(f)
		at := path + "." + string(f.Name())
		switch {
		case f.IsList() && f.Message() != nil:
			for i := 0; i < v.List().Len(); i++ {
				scalars(v.List().Get(i).Message(), at, visit)
			}
		case f.IsList():
			for i := 0; i < v.List().Len(); i++ {
				visit(at, func() { v.List().Set(i, changed(f, v.List().Get(i))) })
			}
		case f.Message() != nil:
			scalars(v.Message(), at, visit)
		default:
			visit(at, func() { m.Set(f, changed(f, v)) })
		}
	}
}

func changed(f protoreflect.FieldDescriptor, v protoreflect.Value) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(v.String() + "'")
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(append([]byte{0x55}, v.Bytes()...))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(!v.Bool())
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(v.Float() + 1)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(v.Int()) + 1)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(v.Uint()) + 1)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(v.Int() + 1)
	}
	return protoreflect.ValueOfUint64(v.Uint() + 1)
}

// spoil changes one value of a copy, numbered in the order of scalars, and returns its path.
func spoil(original *collectorpb.ExportProfilesServiceRequest, target int) (*collectorpb.ExportProfilesServiceRequest, string) {
	out := proto.Clone(original).(*collectorpb.ExportProfilesServiceRequest)
	type change struct {
		path  string
		apply func()
	}
	var all []change
	scalars(out.ProtoReflect(), "", func(path string, apply func()) { all = append(all, change{path, apply}) })
	all[target].apply()
	return out, all[target].path
}

// Every single value of the message with every field must count, or a loss in transit would go unseen. string_table[0] stands
// for "not set" and is looked up by nobody, so that a change of it alone may pass.
func TestEveryValueCounts(t *testing.T) {
	original := fullMessage(1)
	checked := map[string]int{}
	total := 0
	scalars(original.ProtoReflect(), "", func(string, func()) { total++ })
	for target := range total {
		spoiled, where := spoil(original, target)
		checked[where]++
		if !differs(t, original, spoiled) && spoiled.Dictionary.StringTable[0] == "" {
			t.Errorf("a change at %s goes unseen", where)
		}
	}
	if len(checked) < 60 {
		t.Errorf("only %d kinds of values were changed: %v", len(checked), checked)
	}
}

// shiftStrings moves every string one place up.
func shiftStrings(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() != nil && f.IsList():
			for i := 0; i < v.List().Len(); i++ {
				shiftStrings(v.List().Get(i).Message())
			}
		case f.Message() != nil:
			shiftStrings(v.Message())
		case strings.HasSuffix(string(f.Name()), "strindex") && v.Int() > 0:
			m.Set(f, protoreflect.ValueOfInt32(int32(v.Int())+1))
		}
		return true
	})
}

func TestIndexOrderDoesNotCount(t *testing.T) {
	for _, original := range []*collectorpb.ExportProfilesServiceRequest{fullMessage(1), realisticMessage(genOptions{shape: presets["20k"], seed: 1})} {
		shifted := proto.Clone(original).(*collectorpb.ExportProfilesServiceRequest)
		shiftStrings(shifted.ProtoReflect())
		table := shifted.Dictionary.StringTable
		shifted.Dictionary.StringTable = append([]string{table[0], "a stranger"}, table[1:]...)
		if proto.Equal(original, shifted) || differs(t, original, shifted) {
			t.Error("the same values under other indices are reported as different")
		}
	}
}

// half keeps one side of every profile's samples.
func half(whole *collectorpb.ExportProfilesServiceRequest, second bool) *collectorpb.ExportProfilesServiceRequest {
	out := proto.Clone(whole).(*collectorpb.ExportProfilesServiceRequest)
	for _, rp := range out.ResourceProfiles {
		for _, sp := range rp.ScopeProfiles {
			for _, p := range sp.Profiles {
				middle := len(p.Samples) / 2
				if second {
					p.Samples = p.Samples[middle:]
				} else {
					p.Samples = p.Samples[:middle]
				}
			}
		}
	}
	return out
}

func TestSplittingDoesNotCountAndLosingDoes(t *testing.T) {
	whole := realisticMessage(genOptions{shape: presets["300k"], seed: 3})
	all, err := collected(t, whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		other   []*collectorpb.ExportProfilesServiceRequest
		subset  bool
		differs bool
	}{
		{"two halves", []*collectorpb.ExportProfilesServiceRequest{half(whole, true), half(whole, false)}, false, false},
		{"one half", []*collectorpb.ExportProfilesServiceRequest{half(whole, true)}, false, true},
		{"one half, subset", []*collectorpb.ExportProfilesServiceRequest{half(whole, true)}, true, true},
		{"twice", []*collectorpb.ExportProfilesServiceRequest{whole, whole}, false, true},
		{"twice, subset", []*collectorpb.ExportProfilesServiceRequest{whole, whole}, true, false},
	} {
		other, err := collected(t, c.other...)
		if err != nil {
			t.Fatal(err)
		}
		compared := comparison{subset: c.subset}
		compared.compare(all, other)
		if (compared.found > 0) != c.differs {
			t.Errorf("%s: %d differences", c.name, compared.found)
		}
	}
}

func TestOldLayouts(t *testing.T) {
	good, err := proto.Marshal(realisticMessage(genOptions{shape: presets["20k"], seed: 2}))
	if err != nil {
		t.Fatal(err)
	}
	old, err := toLayout(good, "1.9")
	if err != nil {
		t.Fatal(err)
	}
	if string(old) == string(good) || len(old) != len(good) {
		t.Error("1.9 is the same message with three other field numbers")
	}
	if _, err := toLayout(good[:len(good)-1], "1.9"); err == nil {
		t.Error("a truncated message is renumbered without an error")
	}
}

func TestEncodingsRoundTrip(t *testing.T) {
	body, err := proto.Marshal(realisticMessage(genOptions{shape: presets["20k"], seed: 4}))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range httpEncodings {
		packed, err := compress(name, body)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decompress(name, packed)
		if err != nil || string(back) != string(body) {
			t.Errorf("%s: does not come back as it was: %v", name, err)
		}
	}
}
