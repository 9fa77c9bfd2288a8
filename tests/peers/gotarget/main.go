// gotarget is a Go program as profilers meet it: it burns CPU under labels, allocates, contends for a lock, and serves net/http/pprof.
// It prints the port it listens on and runs until it is killed.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

var (
	lock  sync.Mutex
	kept  [64][]byte
	total uint64
)

//go:noinline
func burnCycles(n int) uint64 {
	x := uint64(n)
	for i := 0; i < 1_000_000; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

//go:noinline
func allocateBlocks(n int) {
	kept[n%len(kept)] = make([]byte, 64<<10)
}

// work burns for a fifth of the time, so that tests may run beside it.
func work(endpoint string) {
	pprof.Do(context.Background(), pprof.Labels("endpoint", endpoint, "tier", "test"), func(context.Context) {
		for n := 0; ; n++ {
			lock.Lock()
			total += burnCycles(n)
			allocateBlocks(n)
			lock.Unlock()
			time.Sleep(5 * time.Millisecond)
		}
	})
}

func main() {
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	runtime.MemProfileRate = 4096
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go work("/checkout")
	go work("/cart")
	log.Fatal(http.Serve(listener, nil))
}
