//go:build !faults

package main

import "github.com/weir-lake/weir/lake"

// lakeOptions are the defaults: only the fault suite, which builds with the tag
// faults, has others.
func lakeOptions(string) lake.Options { return lake.Options{} }

// faultStep hears of the sink's steps for nothing.
func faultStep(string) {}
