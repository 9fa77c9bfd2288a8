package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"

	profilespb "go.opentelemetry.io/proto/otlp/profiles/v1development"
)

type digest [32]byte

// occurrence is where a sample was first seen, kept to expand it again when it has to be shown.
type occurrence struct {
	count  int
	origin string
	e      *expander
	sample *profilespb.Sample
}

// group holds the samples under one resource, scope and profile header, as a multiset. A profile that was split or
// repeated with the same header is one group.
type group struct {
	header  leaves
	origin  string
	samples map[digest]*occurrence
	// payloads counts the original payloads.
	payloads map[string]int
}

// collection is a set of messages with batching, order and dictionaries taken out.
type collection struct {
	groups   map[string]*group
	messages int
	samples  int
}

func collect(messages []message, keepUnknown bool) (*collection, error) {
	c := &collection{groups: map[string]*group{}, messages: len(messages)}
	for _, m := range messages {
		if err := c.addMessage(m, keepUnknown); err != nil {
			return nil, fmt.Errorf("%s: %w", m.origin, err)
		}
	}
	return c, nil
}

func (c *collection) addMessage(m message, keepUnknown bool) error {
	e := newExpander(m.pb.GetDictionary(), keepUnknown)
	for _, rp := range m.pb.GetResourceProfiles() {
		var resource leaves
		if err := e.resource(&resource, rp); err != nil {
			return err
		}
		for _, sp := range rp.GetScopeProfiles() {
			scope := slices.Clone(resource)
			if err := e.scope(&scope, sp); err != nil {
				return err
			}
			for _, p := range sp.GetProfiles() {
				header := slices.Clone(scope)
				if err := e.profile(&header, p); err != nil {
					return err
				}
				if err := c.group(header, m.origin).addSamples(e, p, m.origin); err != nil {
					return err
				}
				c.samples += len(p.GetSamples())
			}
		}
	}
	return nil
}

func (c *collection) group(header leaves, origin string) *group {
	key := header.String()
	g, ok := c.groups[key]
	if !ok {
		g = &group{header: header, origin: origin, samples: map[digest]*occurrence{}, payloads: map[string]int{}}
		c.groups[key] = g
	}
	return g
}

func (g *group) addSamples(e *expander, p *profilespb.Profile, origin string) error {
	if text := payload(p); text != "" {
		g.payloads[text]++
	}
	for _, s := range p.GetSamples() {
		l, err := e.sample(s)
		if err != nil {
			return err
		}
		stack, err := e.stack(s.GetStackIndex())
		if err != nil {
			return err
		}
		key := digest(sha256.Sum256(append([]byte(l.String()), stack[:]...)))
		if o, ok := g.samples[key]; ok {
			o.count++
			continue
		}
		g.samples[key] = &occurrence{1, origin, e, s}
	}
	return nil
}

// comparison prints up to max differences and counts all of them.
type comparison struct {
	subset bool
	max    int
	found  int
}

func (c *comparison) report(format string, args ...any) {
	c.found++
	if c.found <= c.max {
		fmt.Printf(format+"\n", args...)
	}
}

func (c *comparison) compare(a, b *collection) {
	var onlyA, onlyB []*group
	for _, key := range sortedKeys(a.groups) {
		if other, ok := b.groups[key]; ok {
			c.compareGroup(a.groups[key], other)
		} else {
			onlyA = append(onlyA, a.groups[key])
		}
	}
	if !c.subset {
		for _, key := range sortedKeys(b.groups) {
			if _, ok := a.groups[key]; !ok {
				onlyB = append(onlyB, b.groups[key])
			}
		}
	}
	for _, g := range onlyA {
		headers := make([]leaves, len(onlyB))
		for i, other := range onlyB {
			headers[i] = other.header
		}
		c.report("profile of %s (%d samples) has no counterpart; %s", g.origin, len(g.samples), nearest(g.header, headers))
	}
	for _, g := range onlyB {
		c.report("profile of %s (%d samples) is not in the first set: %s", g.origin, len(g.samples), oneLine(g.header))
	}
}

func sortedKeys(groups map[string]*group) []string {
	keys := make([]string, 0, len(groups))
	for key := range groups {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// comparePayloads: each original payload must be there as often as before.
func (c *comparison) comparePayloads(a, b *group) {
	for text, n := range a.payloads {
		if b.payloads[text] < n || (!c.subset && b.payloads[text] > n) {
			c.report("profile of %s: original_payload (format and sha256) %s: there %d times, was %d", a.origin, text, b.payloads[text], n)
		}
	}
	for text, n := range b.payloads {
		if !c.subset && a.payloads[text] == 0 {
			c.report("profile of %s: original_payload (format and sha256) %s: there %d times, was none", a.origin, text, n)
		}
	}
}

func (c *comparison) compareGroup(a, b *group) {
	c.comparePayloads(a, b)
	missing, extra := surplus(a, b), surplus(b, a)
	if c.subset {
		extra = nil
	}
	if len(missing)+len(extra) == 0 {
		return
	}
	var candidates []leaves
	for _, o := range extra[:min(len(extra), maxCandidates)] {
		candidates = append(candidates, o.expand())
	}
	for _, o := range missing {
		c.report("sample of %s: %d missing; %s", o.origin, o.count, nearest(o.expand(), candidates))
	}
	for _, o := range extra {
		c.report("sample of %s: %d not in the first set: %s", o.origin, o.count, oneLine(o.expand()))
	}
}

const maxCandidates = 300 // samples looked at to find what a missing sample turned into

// surplus returns what a has more often than b, with the difference as count, in a stable order.
func surplus(a, b *group) []occurrence {
	var keys []digest
	for key, o := range a.samples {
		if other := b.samples[key]; other == nil || other.count < o.count {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(x, y digest) int { return slices.Compare(x[:], y[:]) })
	out := make([]occurrence, 0, len(keys))
	for _, key := range keys {
		o := *a.samples[key]
		if other := b.samples[key]; other != nil {
			o.count -= other.count
		}
		out = append(out, o)
	}
	return out
}

func (o occurrence) expand() leaves {
	l, err := o.e.wholeSample(o.sample)
	if err != nil {
		l.add("error", err.Error()) // cannot be: it was expanded once
	}
	return l
}

// nearest describes the difference to the candidate that shares the most values.
func nearest(want leaves, candidates []leaves) string {
	best, bestShared := -1, 0
	wanted := map[leaf]int{}
	for _, x := range want {
		wanted[x]++
	}
	for i, candidate := range candidates {
		shared := 0
		for _, x := range candidate {
			if wanted[x] > 0 {
				shared++
			}
		}
		if shared > bestShared {
			best, bestShared = i, shared
		}
	}
	if best < 0 {
		return "nothing like it on the other side: " + oneLine(want)
	}
	return "nearest on the other side differs in " + differences(want, candidates[best])
}

func differences(a, b leaves) string {
	const shown = 6
	var out []string
	inA, inB := map[leaf]bool{}, map[leaf]bool{}
	for _, x := range a {
		inA[x] = true
	}
	other := map[string]string{}
	for _, x := range b {
		inB[x] = true
		if !inA[x] {
			other[x.path] = x.value
		}
	}
	for _, x := range a {
		if inB[x] {
			continue
		}
		value, ok := other[x.path]
		if !ok {
			value = "nothing"
		}
		delete(other, x.path)
		out = append(out, fmt.Sprintf("%s: %s became %s", x.path, x.value, value))
	}
	for _, x := range b {
		if value, ok := other[x.path]; ok && value == x.value {
			out = append(out, fmt.Sprintf("%s: nothing became %s", x.path, x.value))
		}
	}
	if len(out) > shown {
		out = append(out[:shown], fmt.Sprintf("and %d more", len(out)-shown))
	}
	return strings.Join(out, "; ")
}

func oneLine(l leaves) string {
	const shown = 12
	parts := make([]string, 0, len(l))
	for _, x := range l[:min(len(l), shown)] {
		parts = append(parts, x.path+"="+x.value)
	}
	if len(l) > shown {
		parts = append(parts, "...")
	}
	return strings.Join(parts, " ")
}

func runDiff(args []string) int {
	fs := flag.NewFlagSet("diff", flag.ExitOnError)
	fs.Usage = func() {
		fmt.Fprintln(fs.Output(), "usage: otlptool diff [flags] A... -- B...   (files or directories of .pb, .framed, .zst, .json)\nexit 0: equal, 1: different, 2: unreadable")
		fs.PrintDefaults()
	}
	c := comparison{}
	fs.BoolVar(&c.subset, "subset", false, "only require that everything of A is in B")
	fs.IntVar(&c.max, "max", 10, "differences to print")
	inline := fs.Bool("inline", false, "B must write attribute keys and values inline: a reference is a difference")
	ignoreUnknown := fs.Bool("ignore-unknown", false, "leave unknown fields out (a Collector drops them)")
	// The flag package eats the first "--"; A and B are told apart by the one that is left.
	_ = fs.Parse(args)
	split := slices.Index(fs.Args(), "--")
	if split < 1 || split == len(fs.Args())-1 {
		return fail(errors.New("diff: want A... -- B..."))
	}
	sides := [2]*collection{}
	for i, paths := range [][]string{fs.Args()[:split], fs.Args()[split+1:]} {
		messages, err := readAll(paths)
		if err != nil {
			return fail(err)
		}
		if i == 1 && *inline {
			c.findReferences(messages)
		}
		if sides[i], err = collect(messages, !*ignoreUnknown); err != nil {
			return fail(err)
		}
	}
	c.compare(sides[0], sides[1])
	if c.found > c.max {
		fmt.Printf("... %d differences in all\n", c.found)
	}
	fmt.Fprintf(os.Stderr, "diff: %d messages, %d samples against %d messages, %d samples: %d differences\n",
		sides[0].messages, sides[0].samples, sides[1].messages, sides[1].samples, c.found)
	if c.found > 0 {
		return 1
	}
	return 0
}
