package trainer

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/lake"
)

// Errors that callers tell apart.
var (
	// ErrUnknown says that there is no trainer, or platform, of a name.
	ErrUnknown = errors.New("unknown")
	// ErrExists says that the folder to be written has something in it.
	ErrExists = errors.New("is not empty")
)

// trainer is one that training.yaml can be written for.
type trainer struct {
	name      string
	doc       string
	targets   []string // of weir export, that it reads; the first is proposed
	needs     []string // Python packages, pinned
	command   string   // that trains, in the written folder
	onSeveral string   // the same, on {n} devices
	oneFile   bool     // a side
	isOnMac   bool     // runs on Apple's machines, not on rented ones
	isSilent  bool     // leaves no log but what it prints
	file      string   // its configuration
	format    func(job) ([]byte, error)
}

// job is what a trainer's configuration is made of.
type job struct {
	Config
	data
	trainer
	notes *[]string
}

// note says what the trainer cannot do, or does in its own way.
func (j job) note(format string, args ...any) {
	*j.notes = append(*j.notes, fmt.Sprintf(format, args...))
}

// Names lists the trainers.
func Names() []string {
	var names []string
	for _, t := range trainers() {
		names = append(names, t.name)
	}
	return names
}

// Platforms lists what rents machines.
func Platforms() []string { return []string{"modal", "runpod"} }

func find(name string) (trainer, error) {
	for _, t := range trainers() {
		if t.name == name {
			return t, nil
		}
	}
	return trainer{}, fmt.Errorf("%w trainer %q: want one of %s", ErrUnknown, name, strings.Join(Names(), ", "))
}

// Written is what Write wrote.
type Written struct {
	Dir     string   `json:"dir"`
	Trainer string   `json:"trainer"`
	Files   []string `json:"files"` // in it, sorted
	Notes   []string `json:"notes"` // what the trainer cannot do, or does in its own way
	Command string   `json:"command"`
	Target  string   `json:"target"`
	Hash    string   `json:"content_hash"` // of the export
	Lines   int64    `json:"lines"`        // to train on
}

// Write makes the folder: training.yaml with what it left out, the trainer's
// configuration, the data, run.sh and requirements.txt, and what the platform starts from; platform may be empty.
// The folder must not exist, or be empty. The same inputs give the same bytes.
func Write(dir, name, platform, export string, c Config) (Written, error) {
	w, err := write(dir, name, platform, export, c)
	if err != nil {
		return w, fmt.Errorf("train config: %w", err)
	}
	return w, nil
}

func write(dir, name, platform, export string, c Config) (w Written, err error) {
	t, err := find(name)
	if err != nil {
		return w, err
	}
	switch {
	case platform != "" && !slices.Contains(Platforms(), platform):
		return w, fmt.Errorf("%w platform %q: want one of %s", ErrUnknown, platform, strings.Join(Platforms(), ", "))
	case platform != "" && t.isOnMac:
		return w, fmt.Errorf("%s trains on Apple's machines: %s has none", t.name, platform)
	}
	d, err := readData(export, t)
	if err != nil {
		return w, err
	}
	notes := []string{}
	j := job{Config: c, data: d, trainer: t, notes: &notes}
	steps := int64(math.Ceil(float64(d.lines) * c.Training.Epochs / float64(c.Training.BatchSize*c.Training.Accumulation*c.Platform.GPUs)))
	if c.Training.WarmupSteps >= steps {
		j.note("training.warmup_steps is %d, and the run has about %d steps: the learning rate is never reached", c.Training.WarmupSteps, steps)
	}
	config, err := t.format(j)
	if err != nil {
		return w, err
	}
	// What it is trained with, whole: weir train record reads it.
	whole, err := yaml.Marshal(c)
	if err != nil {
		return w, err
	}
	files := []written{
		{name: "training.yaml", text: whole},
		{name: t.file, text: config},
		{name: "requirements.txt", text: []byte(strings.Join(t.needs, "\n") + "\n")},
		{name: "run.sh", text: runScript(j), mode: 0o755},
	}
	more, err := j.onPlatform(platform)
	if err != nil {
		return w, err
	}
	if err := makeDir(dir); err != nil {
		return w, err
	}
	if err := d.stage(dir); err != nil {
		return w, err
	}
	for _, file := range append(files, more...) {
		if err := os.WriteFile(filepath.Join(dir, file.name), file.text, 0o644|file.mode); err != nil {
			return w, err
		}
		w.Files = append(w.Files, file.name)
	}
	for _, file := range d.copied {
		w.Files = append(w.Files, dataDir+"/"+file.Name)
	}
	slices.Sort(w.Files)
	w.Dir, w.Trainer, w.Notes, w.Target, w.Hash, w.Lines = dir, t.name, notes, d.target, d.hash, d.lines
	w.Command = map[string]string{"": "./run.sh", "modal": "modal run modal_app.py", "runpod": "python runpod_job.py"}[platform]
	return w, nil
}

type written struct {
	name string
	text []byte
	mode os.FileMode
}

func makeDir(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(dir, 0o755)
	case err != nil:
		return err
	case len(entries) > 0:
		return lake.WithHint(fmt.Errorf("%s: %w", dir, ErrExists), "--out another folder")
	}
	return nil
}

// runScript starts the trainer on as many devices as the machine is to have.
func runScript(j job) []byte {
	command := j.command
	if n := j.Platform.GPUs; n > 1 {
		command = strings.ReplaceAll(j.onSeveral, "{n}", strconv.FormatInt(n, 10))
	}
	if j.isSilent {
		return []byte("#!/usr/bin/env bash\n# Trains. Needs: pip install -r requirements.txt\nset -euo pipefail\ncd \"$(dirname \"$0\")\"\nmkdir -p output\n" +
			command + " \"$@\" 2>&1 | tee -a output/train.log\n")
	}
	return []byte("#!/bin/sh\n# Trains. Needs: pip install -r requirements.txt\nset -eu\ncd \"$(dirname \"$0\")\"\nexec " + command + " \"$@\"\n")
}
