// otlptool makes, sends, receives and compares OTLP profiles messages. It is the client, the server and the judge of
// profpipe's integration tests; it shares no code with profpipe and works on stored bytes, so that what is on the wire is
// known to the byte.
package main

import (
	"fmt"
	"os"
	"sort"
)

// commands maps a sub-command's name to its function, which gets the arguments after the name and returns the exit code.
var commands = map[string]struct {
	run  func(args []string) int
	help string
}{
	"gen":   {runGen, "write OTLP profiles messages to files"},
	"send":  {runSend, "send stored messages over gRPC or HTTP and report the answers"},
	"sink":  {runSink, "receive messages over gRPC and HTTP, save them, answer by a script"},
	"diff":  {runDiff, "compare two sets of messages value by value"},
	"check": {runCheck, "apply the rules of the data format to messages"},
	"req":   {runReq, "make one HTTP request (HTTP/1.1 or h2c) with any method, headers and body"},
	"speed": {runSpeed, "measure the Collector's codec on a message"},
	"pack":  {runPack, "compress or decompress a file with an HTTP content encoding"},
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: otlptool COMMAND [flags]; COMMAND -h lists its flags")
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(os.Stderr, "  %-5s %s\n", name, commands[name].help)
	}
}

// fail prints one line and returns the exit code for a usage or environment error.
func fail(err error) int {
	fmt.Fprintln(os.Stderr, "otlptool:", err)
	return 2
}

func main() {
	if len(os.Args) < 2 {
		usage()
		os.Exit(2)
	}
	command, ok := commands[os.Args[1]]
	if !ok {
		usage()
		os.Exit(2)
	}
	os.Exit(command.run(os.Args[2:]))
}
