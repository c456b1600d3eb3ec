// Package faults kills, stops and starves the sink and the upkeep of a lake, as
// processes of the real binary, and then asks an oracle that shares no code with
// weir whether anything was lost, doubled or put out of order. It has tests
// only: `make faults` runs the long form, `make test` a short one.
//
// Start at TestFaults. What runs is the binary built with the tag faults, which
// obeys WEIR_FAULT (see lake/fault). The oracle reads the topics with franz-go
// and the lake from its log's JSON and its Parquet files, with Arrow.
package faults
