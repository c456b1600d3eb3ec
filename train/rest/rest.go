// Package rest has what the job APIs of OpenAI's shape have in common: a file is
// uploaded as a form and asked for by its id, a job is ordered by a JSON object.
// What a reply says is the provider's own type, which tells the file or job that
// it is. It knows no provider.
package rest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/api"
)

// FileReply is a reply that is about a file.
type FileReply interface{ File() train.File }

// JobReply is a reply that is about a job.
type JobReply interface{ Job() train.Job }

// Named are the files of a name.
func Named[R FileReply](replies []R, name string) []train.File {
	var files []train.File
	for _, reply := range replies {
		if f := reply.File(); f.Name == name {
			files = append(files, f)
		}
	}
	return files
}

// Upload sends a file for training. A reply without its id leaves open whether
// it is there (api.ErrUnsure).
func Upload[R FileReply](ctx context.Context, c *api.Client, path string, u train.Upload, fields ...[2]string) (train.File, error) {
	form := api.Form{
		Fields: append([][2]string{{"purpose", "fine-tune"}}, fields...), Name: u.Name, Bytes: u.Bytes, Open: u.Open, Progress: u.Progress,
	}
	var reply R
	err := c.Upload(ctx, path, form, &reply)
	f := reply.File()
	if err == nil && f.ID == "" {
		err = fmt.Errorf("reply names no file: %w", api.ErrUnsure)
	}
	return f, err
}

// File asks for a file.
func File[R FileReply](ctx context.Context, c *api.Client, path string) (train.File, error) {
	var reply R
	err := c.Get(ctx, path, nil, &reply)
	return reply.File(), err
}

// Create orders a job. A reply without its id leaves open whether it was taken
// (api.ErrUnsure).
func Create[R JobReply](ctx context.Context, c *api.Client, path string, order map[string]any) (train.Job, error) {
	var reply R
	err := c.Post(ctx, path, order, &reply)
	job := reply.Job()
	if err == nil && job.ID == "" {
		err = fmt.Errorf("reply names no job: %w", api.ErrUnsure)
	}
	return job, err
}

// Get asks for a job. A reply without a status is none.
func Get[R JobReply](ctx context.Context, c *api.Client, path string) (R, error) {
	var reply R
	err := c.Get(ctx, path, nil, &reply)
	if err == nil && reply.Job().Status == "" {
		err = errors.New("reply has no status")
	}
	return reply, err
}

// Cancel asks for a job's end.
func Cancel[R JobReply](ctx context.Context, c *api.Client, path string) (train.Job, error) {
	var reply R
	err := c.Post(ctx, path, nil, &reply)
	return reply.Job(), err
}

// Jobs are the jobs of replies, in their order.
func Jobs[R JobReply](replies []R) []train.Job {
	jobs := make([]train.Job, len(replies))
	for i, reply := range replies {
		jobs[i] = reply.Job()
	}
	return jobs
}

// Time is a time in seconds since 1970; 0 is none.
func Time(unix int64) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(unix, 0).UTC()
}
