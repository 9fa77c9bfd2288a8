package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	"google.golang.org/protobuf/proto"
)

// shape says how large a generated message is; the presets aim at the wire sizes that their names say.
type shape struct {
	resources, scopes, profiles int // profiles per scope
	functions, stacks, samples  int // samples per profile
	depth                       int // mean frames per stack
}

var presets = map[string]shape{
	"20k":  {resources: 1, scopes: 1, profiles: 1, functions: 120, stacks: 60, samples: 150, depth: 30},
	"300k": {resources: 3, scopes: 2, profiles: 2, functions: 1500, stacks: 900, samples: 330, depth: 30},
	"2m":   {resources: 8, scopes: 2, profiles: 3, functions: 6000, stacks: 5000, samples: 650, depth: 32},
}

type genOptions struct {
	shape
	seed       uint64
	refs       bool
	aggregated bool
	service    string
}

func runGen(args []string) int {
	fs := flag.NewFlagSet("gen", flag.ExitOnError)
	out := fs.String("out", "", "directory for the messages (made when missing)")
	kind := fs.String("kind", "20k", "20k, 300k, 2m, tiny (countable by hand), full (every field), zeros (compresses to nothing), broken (one file per broken rule)")
	layout := fs.String("layout", "1.10", "field numbering: 1.8, 1.9 or 1.10")
	count := fs.Int("count", 1, "number of messages; message i is made from seed+i")
	seed := fs.Uint64("seed", 1, "same seed, same bytes")
	refs := fs.Bool("refs", false, "write resource and scope attributes as references into the string table")
	aggregated := fs.Bool("aggregated", false, "values without timestamps: one aggregated value per sample")
	json := fs.Bool("json", false, "write OTLP JSON (the Collector's marshaler) instead of protobuf")
	service := fs.String("service", "", "service.name of every resource; empty: one name per resource")
	resources := fs.Int("resources", 0, "override the preset's number of resources")
	samples := fs.Int("samples", 0, "override the preset's samples per profile")
	bytes := fs.Int("bytes", 100<<20, "size of a zeros message")
	_ = fs.Parse(args)
	if *out == "" {
		return fail(errors.New("gen: --out is required"))
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return fail(err)
	}
	if *kind == "broken" {
		err := writeBroken(*seed, func(name string, body []byte) error {
			return os.WriteFile(filepath.Join(*out, name+".pb"), body, 0o644)
		})
		if err != nil {
			return fail(err)
		}
		return 0
	}
	for i := 0; i < *count; i++ {
		o := genOptions{shape: presets[*kind], seed: *seed + uint64(i), refs: *refs, aggregated: *aggregated, service: *service}
		if *resources > 0 {
			o.resources = *resources
		}
		if *samples > 0 {
			o.samples = *samples
		}
		message, err := generate(*kind, o, *bytes)
		if err != nil {
			return fail(err)
		}
		if err := writeMessage(filepath.Join(*out, fmt.Sprintf("%s-%06d", *kind, o.seed)), message, *json, *layout); err != nil {
			return fail(err)
		}
	}
	return 0
}

func generate(kind string, o genOptions, bytes int) (*collectorpb.ExportProfilesServiceRequest, error) {
	switch kind {
	case "tiny":
		return tinyMessage(o.seed), nil
	case "full":
		return fullMessage(o.seed), nil
	case "zeros":
		return zerosMessage(bytes), nil
	}
	if _, ok := presets[kind]; !ok {
		return nil, fmt.Errorf("gen: unknown kind %q", kind)
	}
	return realisticMessage(o), nil
}

func writeMessage(stem string, message *collectorpb.ExportProfilesServiceRequest, asJSON bool, layout string) error {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return err
	}
	if body, err = toLayout(body, layout); err != nil {
		return err
	}
	if !asJSON {
		return os.WriteFile(stem+".pb", body, 0o644)
	}
	request := pprofileotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		return err
	}
	text, err := request.MarshalJSON()
	if err != nil {
		return err
	}
	return os.WriteFile(stem+".json", text, 0o644)
}
