//go:build faults

package main

import (
	"fmt"
	"os"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/fault"
)

// plan is what the fault suite wants to happen to this process.
var plan = func() *fault.Plan {
	text := os.Getenv("WEIR_FAULT")
	if text == "" {
		return nil
	}
	p, err := fault.Parse(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, "weir:", err)
		os.Exit(exitUsage)
	}
	return p
}()

// lakeOptions puts the plan between the lake and its disk.
func lakeOptions(dir string) lake.Options {
	if plan == nil {
		return lake.Options{}
	}
	return lake.Options{Storage: plan.Storage(lake.LocalStorage(dir))}
}

// faultStep is told of the steps of the sink.
func faultStep(step string) {
	if plan != nil {
		plan.At(step)
	}
}
