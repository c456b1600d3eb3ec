//go:build !linux

package exporters

func exchange(fresh, old string) error { return exchangeByRename(fresh, old) }
