// Command weir keeps an event-sourced data lake for a fleet of AI agents: it
// takes logs in through Kafka, derives training sets and analyses by SQL, and
// writes what providers fine-tune on.
//
// The commands are thin: each file here parses flags, calls one package and
// prints. Start at newApp for the list.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Whoever asks a second time does not want to wait.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
