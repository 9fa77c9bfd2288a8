package main

import (
	"fmt"
	"math/rand/v2"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	profilespb "go.opentelemetry.io/proto/otlp/profiles/v1development"
)

// program is a made-up process: a few binaries, functions spread over them and stacks that share their callers, which is
// what makes real dictionaries compress and merge the way they do.
type program struct {
	d       *dictionary
	rng     *rand.Rand
	stacks  []int32
	threads []int32 // attribute indices
}

var (
	packages  = []string{"runtime", "net/http", "encoding/json", "database/sql", "compress/flate", "crypto/tls", "std::__detail", "tokio::runtime", "io.netty.channel", "java.util.concurrent"}
	verbs     = []string{"read", "write", "parse", "flush", "dispatch", "acquire", "resolve", "decode", "commit", "schedule", "allocate", "serialize"}
	nouns     = []string{"Buffer", "Request", "Session", "Header", "Block", "Frame", "Token", "Queue", "Stream", "Index", "Page", "Cursor"}
	binaries  = []string{"/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/checkout", "/usr/lib/x86_64-linux-gnu/libssl.so.3", "[kernel.kallsyms]", "/opt/app/lib/libworker.so"}
	frameKind = []string{"native", "go", "native", "kernel", "rust"}
)

const buildIDKey = "process.executable.build_id.gnu"

func newProgram(d *dictionary, rng *rand.Rand, s shape) *program {
	p := &program{d: d, rng: rng}
	mappings := make([]int32, len(binaries))
	kinds := make([]int32, len(binaries))
	for i, name := range binaries {
		id := d.attribute(buildIDKey, stringValue(fmt.Sprintf("%016x%016x%08x", rng.Uint64(), rng.Uint64(), rng.Uint32())), "")
		start := 0x7f0000000000 + uint64(i)<<32
		mappings[i] = d.mapping(&profilespb.Mapping{MemoryStart: start, MemoryLimit: start + 0x800000, FileOffset: uint64(i) * 0x1000,
			FilenameStrindex: d.str(name), AttributeIndices: []int32{id}})
		kinds[i] = d.attribute("profile.frame.type", stringValue(frameKind[i]), "")
	}
	locations := make([]int32, 0, s.functions)
	for i := 0; i < s.functions; i++ {
		locations = append(locations, p.location(i, mappings, kinds))
	}
	p.makeStacks(locations, s)
	for i := 0; i < 12; i++ {
		p.threads = append(p.threads, d.attribute("thread.name", stringValue(fmt.Sprintf("worker-%d", i)), ""))
	}
	return p
}

// location gives every fourth function an inlined caller and leaves every ninth without a name, as a profiler that could
// not symbolize would.
func (p *program) location(i int, mappings, kinds []int32) int32 {
	d, rng := p.d, p.rng
	b := rng.IntN(len(mappings))
	l := &profilespb.Location{MappingIndex: mappings[b], Address: 0x7f0000000000 + uint64(b)<<32 + uint64(rng.IntN(0x7fffff)), AttributeIndices: []int32{kinds[b]}}
	if i%9 == 8 {
		return d.location(l)
	}
	l.Lines = append(l.Lines, &profilespb.Line{FunctionIndex: p.function(i), Line: int64(1 + rng.IntN(2000)), Column: int64(rng.IntN(80))})
	if i%4 == 3 {
		l.Lines = append(l.Lines, &profilespb.Line{FunctionIndex: p.function(i - 1), Line: int64(1 + rng.IntN(2000))})
	}
	return d.location(l)
}

func (p *program) function(i int) int32 {
	pkg, verb, noun := packages[i%len(packages)], verbs[i/7%len(verbs)], nouns[i/3%len(nouns)]
	name := fmt.Sprintf("%s.(*%s).%s%d", pkg, noun, verb, i)
	f := &profilespb.Function{NameStrindex: p.d.str(name), FilenameStrindex: p.d.str(fmt.Sprintf("/src/%s/%s_%d.go", pkg, noun, i/5))}
	if i%3 == 0 {
		f.SystemNameStrindex = p.d.str(fmt.Sprintf("_ZN%d%s%d%sEv", len(noun), noun, len(verb), verb) + fmt.Sprint(i))
		f.StartLine = int64(1 + i%900)
	}
	return p.d.function(f)
}

// makeStacks grows each stack from a prefix of an earlier one, towards the root.
func (p *program) makeStacks(locations []int32, s shape) {
	var earlier [][]int32
	for len(p.stacks) < s.stacks {
		depth := max(2, s.depth/2+p.rng.IntN(s.depth))
		var stack []int32
		for len(stack) < depth/3+1 {
			stack = append(stack, locations[p.rng.IntN(len(locations))])
		}
		if len(earlier) > 0 {
			caller := earlier[p.rng.IntN(len(earlier))]
			stack = append(stack, caller[max(0, len(caller)-(depth-len(stack))):]...)
		}
		for len(stack) < depth {
			stack = append(stack, locations[p.rng.IntN(len(locations))])
		}
		earlier = append(earlier, stack)
		p.stacks = append(p.stacks, p.d.stack(stack))
	}
}

const epochNano = 1_780_000_000_000_000_000 // a fixed day in 2026, so that the same seed gives the same bytes

type sampleKind struct{ kind, unit, periodKind, periodUnit string }

var sampleKinds = []sampleKind{
	{"samples", "count", "cpu", "nanoseconds"}, {"alloc_space", "bytes", "space", "bytes"}, {"off_cpu", "nanoseconds", "off_cpu", "nanoseconds"},
}

func realisticMessage(o genOptions) *collectorpb.ExportProfilesServiceRequest {
	rng := rand.New(rand.NewPCG(o.seed, 0x70726f66))
	d := newDictionary()
	p := newProgram(d, rng, o.shape)
	request := &collectorpb.ExportProfilesServiceRequest{Dictionary: d.pb}
	for r := 0; r < o.resources; r++ {
		request.ResourceProfiles = append(request.ResourceProfiles, p.resourceProfiles(o, r))
	}
	return request
}

func (p *program) profile(o genOptions, n int) *profilespb.Profile {
	kind := sampleKinds[n%len(sampleKinds)]
	start := uint64(epochNano) + o.seed*10_000_000_000
	profile := &profilespb.Profile{
		SampleType: p.d.valueType(kind.kind, kind.unit), PeriodType: p.d.valueType(kind.periodKind, kind.periodUnit), Period: 50_000_000,
		TimeUnixNano: start, DurationNano: 10_000_000_000, ProfileId: make([]byte, 16),
		AttributeIndices: []int32{p.d.attribute("pprof.profile.comment", stringValue(fmt.Sprintf("seed %d", o.seed)), "")},
	}
	for i := range profile.ProfileId {
		profile.ProfileId[i] = byte(1 + p.rng.IntN(255))
	}
	for i := 0; i < o.samples; i++ {
		profile.Samples = append(profile.Samples, p.sample(o, start, i))
	}
	return profile
}

func (p *program) sample(o genOptions, start uint64, i int) *profilespb.Sample {
	rng := p.rng
	s := &profilespb.Sample{StackIndex: p.stacks[rng.IntN(len(p.stacks))],
		AttributeIndices: []int32{p.threads[rng.IntN(len(p.threads))], p.d.attribute("cpu.logical_number", intValue(int64(rng.IntN(8))), "")}}
	if i%10 == 0 {
		s.LinkIndex = p.d.link(uint64(rng.IntN(200)), uint64(rng.IntN(400)))
	}
	if i%25 == 0 {
		s.AttributeIndices = append(s.AttributeIndices, p.d.attribute("request.size", intValue(int64(64<<rng.IntN(10))), "By"))
	}
	if o.aggregated {
		s.Values = []int64{1 + rng.Int64N(1_000_000)}
		return s
	}
	for n := 1 + rng.IntN(3); n > 0; n-- {
		s.Values = append(s.Values, 1+rng.Int64N(1000))
		s.TimestampsUnixNano = append(s.TimestampsUnixNano, start+rng.Uint64N(10_000_000_000))
	}
	return s
}
