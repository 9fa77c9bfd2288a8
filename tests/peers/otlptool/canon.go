package main

import (
	"encoding/hex"
	"fmt"
	"sort"
	"strconv"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	profilespb "go.opentelemetry.io/proto/otlp/profiles/v1development"
	"google.golang.org/protobuf/proto"
)

// leaf is one value of an expanded object with the path to it. An expanded object is a list of leaves that no longer
// depends on index order, on which table entry was used, or on how a key or a string was written.
type leaf struct{ path, value string }

type leaves []leaf

func (l *leaves) add(path, value string) { *l = append(*l, leaf{path, value}) }

// number adds a value unless it is the default, which protobuf does not tell from a missing one.
func (l *leaves) number(path string, value int64) {
	if value != 0 {
		l.add(path, strconv.FormatInt(value, 10))
	}
}

func (l *leaves) text(path, value string) {
	if value != "" {
		l.add(path, strconv.Quote(value))
	}
}

func (l *leaves) bytes(path string, value []byte) {
	if len(value) > 0 {
		l.add(path, hex.EncodeToString(value))
	}
}

func (l leaves) String() string {
	var b strings.Builder
	for _, x := range l {
		b.WriteString(x.path)
		b.WriteByte('=')
		b.WriteString(x.value)
		b.WriteByte('\n')
	}
	return b.String()
}

// expander resolves one message's dictionary.
type expander struct {
	d             *profilespb.ProfilesDictionary
	keepUnknown   bool
	stacks        map[int32]digest
	locations     map[int32]digest
	attributeText map[int32]attributeLeaf
}

type attributeLeaf struct{ key, value string }

func newExpander(d *profilespb.ProfilesDictionary, keepUnknown bool) *expander {
	return &expander{d: d, keepUnknown: keepUnknown, stacks: map[int32]digest{}, locations: map[int32]digest{}, attributeText: map[int32]attributeLeaf{}}
}

// entry looks up an index; 0 means "not set" also where the table is missing altogether.
func entry[T any](table []T, index int32, name string) (T, error) {
	var none T
	if index < 0 || int(index) >= len(table) {
		if index == 0 {
			return none, nil
		}
		return none, fmt.Errorf("%s[%d] is out of range (table has %d)", name, index, len(table))
	}
	return table[index], nil
}

func (e *expander) str(index int32) (string, error) {
	return entry(e.d.GetStringTable(), index, "string_table")
}

func (e *expander) unknown(l *leaves, path string, m proto.Message) {
	if !e.keepUnknown {
		return
	}
	l.bytes(path+"(unknown fields)", m.ProtoReflect().GetUnknown())
}

// value writes an AnyValue as text that tells the types apart and is the same for inline and referenced strings.
func (e *expander) value(v *commonpb.AnyValue) (string, error) {
	switch x := v.GetValue().(type) {
	case nil:
		return "empty", nil
	case *commonpb.AnyValue_StringValue:
		return strconv.Quote(x.StringValue), nil
	case *commonpb.AnyValue_StringValueStrindex:
		s, err := e.str(x.StringValueStrindex)
		return strconv.Quote(s), err
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(x.BoolValue), nil
	case *commonpb.AnyValue_IntValue:
		return "int " + strconv.FormatInt(x.IntValue, 10), nil
	case *commonpb.AnyValue_DoubleValue:
		return "double " + strconv.FormatFloat(x.DoubleValue, 'g', -1, 64), nil
	case *commonpb.AnyValue_BytesValue:
		return "bytes " + hex.EncodeToString(x.BytesValue), nil
	case *commonpb.AnyValue_ArrayValue:
		return e.array(x.ArrayValue)
	case *commonpb.AnyValue_KvlistValue:
		list, err := e.keyValues(x.KvlistValue.GetValues())
		parts := make([]string, len(list))
		for i, a := range list {
			parts[i] = a.key + ": " + a.value
		}
		return "{" + strings.Join(parts, ", ") + "}", err
	}
	return "", fmt.Errorf("AnyValue of an unknown kind %T", v.GetValue())
}

func (e *expander) array(a *commonpb.ArrayValue) (string, error) {
	parts := make([]string, len(a.GetValues()))
	for i, v := range a.GetValues() {
		text, err := e.value(v)
		if err != nil {
			return "", err
		}
		parts[i] = text
	}
	return "[" + strings.Join(parts, ", ") + "]", nil
}

// keyValues expands inline or referenced keys and sorts them: attributes are a set.
func (e *expander) keyValues(list []*commonpb.KeyValue) ([]attributeLeaf, error) {
	out := make([]attributeLeaf, 0, len(list))
	for _, kv := range list {
		key := kv.GetKey()
		if kv.GetKeyStrindex() != 0 {
			if key != "" {
				return nil, fmt.Errorf("attribute has both a key (%q) and key_strindex %d", key, kv.GetKeyStrindex())
			}
			var err error
			if key, err = e.str(kv.GetKeyStrindex()); err != nil {
				return nil, err
			}
		}
		value, err := e.value(kv.GetValue())
		if err != nil {
			return nil, err
		}
		out = append(out, attributeLeaf{key, value})
	}
	sortAttributes(out)
	return out, nil
}

func sortAttributes(list []attributeLeaf) {
	sort.Slice(list, func(i, j int) bool {
		return list[i].key < list[j].key || (list[i].key == list[j].key && list[i].value < list[j].value)
	})
}

func (l *leaves) attributes(path string, list []attributeLeaf) {
	for _, a := range list {
		l.add(path+"attribute "+strconv.Quote(a.key), a.value)
	}
}

// indexed expands attribute_indices through the attribute table, units included.
func (e *expander) indexed(indices []int32) ([]attributeLeaf, error) {
	out := make([]attributeLeaf, 0, len(indices))
	for _, i := range indices {
		a, ok := e.attributeText[i]
		if !ok {
			var err error
			if a, err = e.indexedOne(i); err != nil {
				return nil, err
			}
			e.attributeText[i] = a
		}
		out = append(out, a)
	}
	sortAttributes(out)
	return out, nil
}

func (e *expander) indexedOne(i int32) (attributeLeaf, error) {
	pb, err := entry(e.d.GetAttributeTable(), i, "attribute_table")
	if err != nil {
		return attributeLeaf{}, err
	}
	key, err := e.str(pb.GetKeyStrindex())
	if err != nil {
		return attributeLeaf{}, err
	}
	value, err := e.value(pb.GetValue())
	if err != nil {
		return attributeLeaf{}, err
	}
	unit, err := e.str(pb.GetUnitStrindex())
	if unit != "" {
		value += " unit " + strconv.Quote(unit)
	}
	return attributeLeaf{key, value}, err
}
