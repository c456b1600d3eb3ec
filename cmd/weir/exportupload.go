package main

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/exporters/upload"
	"github.com/weir-lake/weir/lake"
)

func uploadFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "upload", Usage: "copy the finished export to `s3://BUCKET/PREFIX`, with keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		&cli.StringFlag{Name: "endpoint", Usage: "`URL` of the object store; without it Amazon's", EnvVars: []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}},
	}
}

// checkUpload refuses what an upload could not do, before the export is made.
func checkUpload(c *cli.Context) error {
	uri := c.String("upload")
	if uri == "" {
		return nil
	}
	if _, _, err := upload.ParseURI(uri); err != nil {
		return &usageError{what: "export: " + err.Error(), try: lake.HintOf(err)}
	}
	return uploadOptions(c).Check()
}

// uploadOptions takes keys from the environment alone: a command line is for
// everybody to see.
func uploadOptions(c *cli.Context) upload.Options {
	return upload.Options{
		Endpoint: c.String("endpoint"), Region: cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")),
		AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN"),
	}
}

func runUpload(ctx context.Context, e env, dir string, c *cli.Context) (*upload.Report, error) {
	bar := e.progress("upload", c.Bool("quiet"))
	defer bar.done()
	opts := uploadOptions(c)
	opts.Progress = bar.set
	report, err := upload.Export(ctx, dir, c.String("upload"), opts)
	return &report, err
}

func printUpload(e env, report *upload.Report) {
	if report == nil {
		return
	}
	fmt.Fprintf(e.stdout, "\nuploaded: %s, %s files of %s bytes; %s were there\n",
		report.URI, count(report.Sent), count(report.SentBytes), count(report.There))
}
