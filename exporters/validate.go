package exporters

import (
	"fmt"
	"os"

	"github.com/weir-lake/weir/exporters/target"
)

// Finding is a fault in a file that a target would refuse or misread.
type Finding struct {
	File string `json:"file"`
	target.Finding
}

// String is file:line: path: what (rule).
func (f Finding) String() string { return f.File + ":" + f.Finding.String() }

// Validate checks files, weir's or not, by a target's rules.
func Validate(targetName string, paths []string, report func(Finding)) error {
	t, err := target.Named(targetName)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := validateFile(t, path, report); err != nil {
			return fmt.Errorf("validate: %w", err)
		}
	}
	return nil
}

func validateFile(t *target.Target, path string, report func(Finding)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := t.CheckFile(file, func(f target.Finding) { report(Finding{File: path, Finding: f}) }); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
