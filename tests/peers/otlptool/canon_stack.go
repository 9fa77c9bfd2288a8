package main

import (
	"crypto/sha256"
	"fmt"

	profilespb "go.opentelemetry.io/proto/otlp/profiles/v1development"
)

// stack identifies a stack by its expanded content; locations and stacks are hashed once, because many samples share them.
func (e *expander) stack(index int32) (digest, error) {
	if d, ok := e.stacks[index]; ok {
		return d, nil
	}
	pb, err := entry(e.d.GetStackTable(), index, "stack_table")
	if err != nil {
		return digest{}, err
	}
	h := sha256.New()
	for _, location := range pb.GetLocationIndices() {
		d, err := e.locationDigest(location)
		if err != nil {
			return digest{}, err
		}
		h.Write(d[:])
	}
	if pb != nil && e.keepUnknown {
		h.Write(pb.ProtoReflect().GetUnknown())
	}
	d := digest(h.Sum(nil))
	e.stacks[index] = d
	return d, nil
}

func (e *expander) locationDigest(index int32) (digest, error) {
	if d, ok := e.locations[index]; ok {
		return d, nil
	}
	var l leaves
	if err := e.location(&l, "", index); err != nil {
		return digest{}, err
	}
	d := digest(sha256.Sum256([]byte(l.String())))
	e.locations[index] = d
	return d, nil
}

func (e *expander) stackLeaves(index int32) (leaves, error) {
	var l leaves
	pb, err := entry(e.d.GetStackTable(), index, "stack_table")
	if err != nil {
		return nil, err
	}
	for i, location := range pb.GetLocationIndices() {
		if err := e.location(&l, fmt.Sprintf("frame[%d].", i), location); err != nil {
			return nil, err
		}
	}
	if pb != nil {
		e.unknown(&l, "stack.", pb)
	}
	return l, nil
}

func (e *expander) location(l *leaves, path string, index int32) error {
	pb, err := entry(e.d.GetLocationTable(), index, "location_table")
	if err != nil {
		return err
	}
	l.add(path+"address", fmt.Sprintf("0x%x", pb.GetAddress()))
	if err := e.mapping(l, path+"mapping.", pb.GetMappingIndex()); err != nil {
		return err
	}
	for i, line := range pb.GetLines() {
		at := fmt.Sprintf("%sline[%d].", path, i)
		l.add(at+"line", fmt.Sprint(line.GetLine()))
		l.number(at+"column", line.GetColumn())
		if err := e.function(l, at+"function.", line.GetFunctionIndex()); err != nil {
			return err
		}
		e.unknown(l, at, line)
	}
	attributes, err := e.indexed(pb.GetAttributeIndices())
	if err != nil {
		return err
	}
	l.attributes(path, attributes)
	if pb != nil {
		e.unknown(l, path, pb)
	}
	return nil
}

func (e *expander) function(l *leaves, path string, index int32) error {
	pb, err := entry(e.d.GetFunctionTable(), index, "function_table")
	if err != nil {
		return err
	}
	if err := e.texts(l, path, map[string]int32{"name": pb.GetNameStrindex(), "system_name": pb.GetSystemNameStrindex(),
		"filename": pb.GetFilenameStrindex()}, "name", "system_name", "filename"); err != nil {
		return err
	}
	l.number(path+"start_line", pb.GetStartLine())
	if pb != nil {
		e.unknown(l, path, pb)
	}
	return nil
}

// texts adds strings by their index, in the order of names.
func (e *expander) texts(l *leaves, path string, indices map[string]int32, names ...string) error {
	for _, name := range names {
		s, err := e.str(indices[name])
		if err != nil {
			return err
		}
		l.text(path+name, s)
	}
	return nil
}

func (e *expander) mapping(l *leaves, path string, index int32) error {
	pb, err := entry(e.d.GetMappingTable(), index, "mapping_table")
	if err != nil || pb == nil {
		return err
	}
	l.number(path+"memory_start", int64(pb.GetMemoryStart()))
	l.number(path+"memory_limit", int64(pb.GetMemoryLimit()))
	l.number(path+"file_offset", int64(pb.GetFileOffset()))
	if err := e.texts(l, path, map[string]int32{"filename": pb.GetFilenameStrindex()}, "filename"); err != nil {
		return err
	}
	attributes, err := e.indexed(pb.GetAttributeIndices())
	if err != nil {
		return err
	}
	l.attributes(path, attributes)
	e.unknown(l, path, pb)
	return nil
}

// sample expands everything of a sample but its stack.
func (e *expander) sample(s *profilespb.Sample) (leaves, error) {
	var l leaves
	for i, v := range s.GetValues() {
		l.add(fmt.Sprintf("value[%d]", i), fmt.Sprint(v))
	}
	for i, t := range s.GetTimestampsUnixNano() {
		l.add(fmt.Sprintf("timestamp[%d]", i), fmt.Sprint(t))
	}
	link, err := entry(e.d.GetLinkTable(), s.GetLinkIndex(), "link_table")
	if err != nil {
		return nil, err
	}
	if s.GetLinkIndex() != 0 { // entry 0 may be empty or zero-filled; both mean "no link"
		l.bytes("link.trace_id", link.GetTraceId())
		l.bytes("link.span_id", link.GetSpanId())
		e.unknown(&l, "link.", link)
	}
	attributes, err := e.indexed(s.GetAttributeIndices())
	if err != nil {
		return nil, err
	}
	l.attributes("", attributes)
	e.unknown(&l, "", s)
	return l, nil
}

func (e *expander) wholeSample(s *profilespb.Sample) (leaves, error) {
	l, err := e.sample(s)
	if err != nil {
		return nil, err
	}
	stack, err := e.stackLeaves(s.GetStackIndex())
	return append(l, stack...), err
}
