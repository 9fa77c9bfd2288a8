// Writes one profile of every kind that the Go runtime makes, with work behind it, into the folder named.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

var kept [][]byte

func allocate(n int) {
	for i := 0; i < n; i++ {
		kept = append(kept, bytes.Repeat([]byte{byte(i)}, 1<<uint(6+i%8)))
	}
}

func spin(until time.Time) (n int) {
	for time.Now().Before(until) {
		n += strings.Count(strings.Repeat("ab", 1000), "b")
	}
	return n
}

func contend() {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := 0; j < 20; j++ {
				mu.Lock()
				time.Sleep(200 * time.Microsecond)
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	dir := os.Args[1]
	runtime.MemProfileRate = 512
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	cpu, err := os.Create(filepath.Join(dir, "cpu.pb.gz"))
	check(err)
	check(pprof.StartCPUProfile(cpu))
	pprof.Do(context.Background(), pprof.Labels("tenant", "blue", "route", "/a;b"), func(ctx context.Context) {
		spin(time.Now().Add(600 * time.Millisecond))
	})
	allocate(4000)
	contend()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	for i := 0; i < 20; i++ {
		w.Write(bytes.Repeat([]byte("compress me"), 10000))
	}
	w.Close()
	pprof.StopCPUProfile()
	check(cpu.Close())
	runtime.GC()
	for _, kind := range []string{"heap", "allocs", "goroutine", "block", "mutex", "threadcreate"} {
		f, err := os.Create(filepath.Join(dir, kind+".pb.gz"))
		check(err)
		check(pprof.Lookup(kind).WriteTo(f, 0))
		check(f.Close())
	}
}
