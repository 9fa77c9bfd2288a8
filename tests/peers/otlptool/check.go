package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	profilespb "go.opentelemetry.io/proto/otlp/profiles/v1development"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// checker applies the rules of the profiles data format that a comparison of values does not see: what a dictionary looks like.
type checker struct {
	origin         string
	dupes, orphans bool
	found          int
	used           map[string]map[int32]bool // table -> indices that something reachable refers to
}

func (c *checker) report(format string, args ...any) {
	const shown = 20
	if c.found++; c.found <= shown {
		fmt.Printf(c.origin+": "+format+"\n", args...)
	}
}

// references names, per field that holds an index, the table that it points into.
var references = map[protoreflect.FullName]string{}

func init() {
	const pkg = "opentelemetry.proto.profiles.v1development."
	for field, table := range map[string]string{
		"ValueType.type_strindex": "string_table", "ValueType.unit_strindex": "string_table",
		"Function.name_strindex": "string_table", "Function.system_name_strindex": "string_table", "Function.filename_strindex": "string_table",
		"Mapping.filename_strindex": "string_table", "KeyValueAndUnit.key_strindex": "string_table", "KeyValueAndUnit.unit_strindex": "string_table",
		"Sample.stack_index": "stack_table", "Sample.link_index": "link_table", "Stack.location_indices": "location_table",
		"Location.mapping_index": "mapping_table", "Line.function_index": "function_table",
		"Sample.attribute_indices": "attribute_table", "Profile.attribute_indices": "attribute_table", "Mapping.attribute_indices": "attribute_table",
		"Location.attribute_indices": "attribute_table",
	} {
		references[protoreflect.FullName(pkg+field)] = table
	}
	references["opentelemetry.proto.common.v1.KeyValue.key_strindex"] = "string_table"
	references["opentelemetry.proto.common.v1.AnyValue.string_value_strindex"] = "string_table"
}

// tables lists the message tables of a dictionary; strings are apart, because they are no messages.
func tables(d *profilespb.ProfilesDictionary) map[string][]proto.Message {
	out := map[string][]proto.Message{}
	for i := range d.ProtoReflect().Descriptor().Fields().Len() {
		f := d.ProtoReflect().Descriptor().Fields().Get(i)
		if f.Message() == nil {
			continue
		}
		list := d.ProtoReflect().Get(f).List()
		for n := range list.Len() {
			out[string(f.Name())] = append(out[string(f.Name())], list.Get(n).Message().Interface())
		}
	}
	return out
}

// use marks what a message refers to and follows it into the dictionary.
func (c *checker) use(d *profilespb.ProfilesDictionary, all map[string][]proto.Message, m proto.Message) {
	eachMessage(m.ProtoReflect(), func(inner protoreflect.Message) {
		inner.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			table, ok := references[f.FullName()]
			if !ok {
				return true
			}
			if !f.IsList() {
				c.mark(d, all, table, int32(v.Int()), f)
				return true
			}
			for i := range v.List().Len() {
				c.mark(d, all, table, int32(v.List().Get(i).Int()), f)
			}
			return true
		})
	})
}

func (c *checker) mark(d *profilespb.ProfilesDictionary, all map[string][]proto.Message, table string, index int32, f protoreflect.FieldDescriptor) {
	if c.used[table] == nil {
		c.used[table] = map[int32]bool{}
	}
	if index == 0 || c.used[table][index] {
		return
	}
	c.used[table][index] = true
	size := len(all[table])
	if table == "string_table" {
		size = len(d.GetStringTable())
	}
	if index < 0 || int(index) >= size {
		c.report("%s: %d is not in %s of %d", f.FullName(), index, table, size)
		return
	}
	if table != "string_table" {
		c.use(d, all, all[table][index])
	}
}

func (c *checker) message(m message) {
	c.origin, c.used = m.origin, map[string]map[int32]bool{}
	d := m.pb.GetDictionary()
	all := tables(d)
	for _, rp := range m.pb.GetResourceProfiles() {
		c.use(d, all, rp)
	}
	c.strings(d.GetStringTable())
	for name, entries := range all {
		c.table(name, entries)
	}
	for i, l := range d.GetLinkTable() {
		if n, s := len(l.GetTraceId()), len(l.GetSpanId()); i > 0 && (n != 16 || s != 8) {
			c.report("link_table[%d]: ids of %d and %d bytes", i, n, s)
		}
	}
	c.uniqueKeys(d, m)
}

func (c *checker) strings(table []string) {
	if len(table) == 0 || table[0] != "" {
		c.report("string_table[0] is missing or not empty")
	}
	seen := map[string]bool{}
	for i, s := range table {
		if c.dupes && seen[s] {
			c.report("string_table[%d]: %q is there twice", i, s)
		}
		seen[s] = true
		if c.orphans && i > 0 && !c.used["string_table"][int32(i)] {
			c.report("string_table[%d]: %q is used by nothing", i, s)
		}
	}
}

func (c *checker) table(name string, entries []proto.Message) {
	seen := map[string]int{}
	for i, entry := range entries {
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(entry)
		if err != nil {
			c.report("%s[%d]: %v", name, i, err)
		}
		if i == 0 && len(text) > 0 && name != "attribute_table" {
			c.report("%s[0] is not the zero value", name)
		}
		if first, twice := seen[string(text)]; c.dupes && twice {
			c.report("%s[%d] is the same as [%d]", name, i, first)
		}
		seen[string(text)] = i
		if c.orphans && i > 0 && !c.used[name][int32(i)] {
			c.report("%s[%d] is used by nothing", name, i)
		}
	}
}

// uniqueKeys: the attributes of one object must not repeat a key, although the attribute table may.
func (c *checker) uniqueKeys(d *profilespb.ProfilesDictionary, m message) {
	check := func(what string, indices []int32) {
		seen := map[int32]bool{}
		for _, i := range indices {
			if i <= 0 || int(i) >= len(d.GetAttributeTable()) {
				continue
			}
			key := d.GetAttributeTable()[i].GetKeyStrindex()
			if seen[key] {
				c.report("%s: attribute key %q twice", what, d.GetStringTable()[key])
			}
			seen[key] = true
		}
	}
	for i, l := range d.GetLocationTable() {
		check(fmt.Sprintf("location_table[%d]", i), l.GetAttributeIndices())
	}
	for i, x := range d.GetMappingTable() {
		check(fmt.Sprintf("mapping_table[%d]", i), x.GetAttributeIndices())
	}
	eachMessage(m.pb.ProtoReflect(), func(inner protoreflect.Message) {
		switch x := inner.Interface().(type) {
		case *profilespb.Profile:
			check("profile", x.GetAttributeIndices())
		case *profilespb.Sample:
			check("sample", x.GetAttributeIndices())
		case *commonpb.KeyValue:
			if x.GetKey() != "" && x.GetKeyStrindex() != 0 {
				c.report("attribute %q has key_strindex %d beside its key", x.GetKey(), x.GetKeyStrindex())
			}
		}
	})
}

func samplesOf(m message) int {
	n := 0
	for _, rp := range m.pb.GetResourceProfiles() {
		for _, sp := range rp.GetScopeProfiles() {
			for _, p := range sp.GetProfiles() {
				n += len(p.GetSamples())
			}
		}
	}
	return n
}

func runCheck(args []string) int {
	c := checker{}
	fs := flag.NewFlagSet("check", flag.ExitOnError)
	fs.BoolVar(&c.dupes, "dupes", false, "report equal entries of a table")
	fs.BoolVar(&c.orphans, "orphans", false, "report entries that nothing refers to")
	sizes := fs.Bool("sizes", false, "print the samples of each message as a JSON line")
	_ = fs.Parse(args)
	if fs.NArg() == 0 {
		return fail(errors.New("check: want message files or directories"))
	}
	messages, err := readAll(fs.Args())
	if err != nil {
		return fail(err)
	}
	for _, m := range messages {
		c.message(m)
		if *sizes {
			fmt.Printf("{\"file\": %q, \"samples\": %d}\n", m.origin, samplesOf(m))
		}
	}
	fmt.Fprintf(os.Stderr, "check: %d messages, %d faults\n", len(messages), c.found)
	if c.found > 0 {
		return 1
	}
	return 0
}
