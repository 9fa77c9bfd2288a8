package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
)

const mergedPieces = 16

// cpuSeconds counts every thread: the garbage collector's work belongs to what made the garbage.
func cpuSeconds() float64 {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

func measureSpeed(name, operation string, bytes int, seconds float64, run func() error) error {
	if err := run(); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	n, end, before := 0, time.Now().Add(time.Duration(seconds*1e9)), cpuSeconds()
	for ok := true; ok; ok = time.Now().Before(end) {
		if err := run(); err != nil {
			return err
		}
		n++
	}
	each := (cpuSeconds() - before) / float64(n)
	fmt.Printf(`{"bench":"pdata","message":"%s","operation":"%s","bytes":%d,"mean_us":%.1f,"gb_per_s":%.3f}`+"\n", name, operation, bytes, each*1e6, float64(bytes)/1e9/each)
	return nil
}

// mergeAll unmarshals copies of a message and merges them into one, as the Collector's batching does.
func mergeAll(body []byte) error {
	into := pprofile.NewProfiles()
	for i := 0; i < mergedPieces; i++ {
		request := pprofileotlp.NewExportRequest()
		if err := request.UnmarshalProto(body); err != nil {
			return err
		}
		if err := request.Profiles().MergeTo(into); err != nil {
			return err
		}
	}
	return nil
}

// runSpeed measures the Collector's own codec, as an anchor for profpipe's micro-benchmarks.
func runSpeed(args []string) int {
	fs := flag.NewFlagSet("speed", flag.ExitOnError)
	seconds := fs.Float64("seconds", 0.5, "for each operation")
	name := fs.String("name", "message", "name of the message in the output")
	_ = fs.Parse(args)
	if fs.NArg() != 1 {
		return fail(errors.New("speed: one file, please"))
	}
	body, err := os.ReadFile(fs.Arg(0))
	if err != nil {
		return fail(err)
	}
	request := pprofileotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		return fail(err)
	}
	text, err := request.MarshalJSON()
	if err != nil {
		return fail(err)
	}
	operations := []struct {
		name  string
		bytes int
		run   func() error
	}{
		{"pdata_unmarshal", len(body), func() error { return pprofileotlp.NewExportRequest().UnmarshalProto(body) }},
		{"pdata_marshal", len(body), func() error { _, err := request.MarshalProto(); return err }},
		{"pdata_unmarshal_and_merge_16", mergedPieces * len(body), func() error { return mergeAll(body) }},
		{"pdata_json_marshal", len(body), func() error { _, err := request.MarshalJSON(); return err }},
		{"pdata_json_unmarshal", len(text), func() error { return pprofileotlp.NewExportRequest().UnmarshalJSON(text) }},
	}
	for _, o := range operations {
		if err := measureSpeed(*name, o.name, o.bytes, *seconds, o.run); err != nil {
			return fail(err)
		}
	}
	return 0
}
