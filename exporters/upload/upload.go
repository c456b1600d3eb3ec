// Package upload copies finished exports to S3-compatible object stores. An
// export goes under its content hash and its manifest goes last, so that a reader
// never finds half of one; what is there already is not sent again, and an upload
// that was killed goes on. It makes no exports and deletes none. Start at
// Export.
package upload

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
)

// Options of Export.
type Options struct {
	Endpoint     string // URL of the store; empty: Amazon's
	Region       string // empty: us-east-1
	AccessKey    string
	SecretKey    string
	SessionToken string               // of temporary keys; may be empty
	PartBytes    int64                // of what is sent in parts; 0: 16 MiB, more where a file needs over 9,000 of them
	Progress     func(done, of int64) // bytes; may be nil
	Transport    http.RoundTripper    // nil: minio's
}

// Report says where an export is and what was sent.
type Report struct {
	URI       string `json:"uri"`  // s3://bucket/prefix/version
	Sent      int64  `json:"sent"` // files
	SentBytes int64  `json:"sent_bytes"`
	There     int64  `json:"there"` // files that were there already
}

// ErrNoKeys says that there are no credentials.
var ErrNoKeys = errors.New("no credentials of the object store")

const (
	manifestName = "manifest.json"
	// latestName is an object beside the versions that names the last one.
	latestName = "latest.json"
	// versionDigits of the content hash name a version, as with exporters.Options.Keep.
	versionDigits = 16
	sumKey        = "Sha256" // of an object's metadata
)

// Latest is what latest.json holds.
type Latest struct {
	Target      string `json:"target"`
	Version     string `json:"version"`
	ContentHash string `json:"content_hash"`
	Manifest    string `json:"manifest"` // key, relative to latest.json
}

// Export copies the export in dir to uri, s3://bucket/prefix: its files to
// prefix/version, the manifest after them, and prefix/latest.json at the end.
func Export(ctx context.Context, dir, uri string, opts Options) (Report, error) {
	report, err := export(ctx, dir, uri, opts)
	if err != nil {
		return report, fmt.Errorf("upload %s: %w", uri, explained(err))
	}
	return report, nil
}

func export(ctx context.Context, dir, uri string, opts Options) (r Report, err error) {
	bucket, prefix, err := ParseURI(uri)
	if err != nil {
		return r, err
	}
	manifest, err := readManifest(dir)
	if err != nil {
		return r, err
	}
	files, err := filesOf(dir, manifest)
	if err != nil {
		return r, err
	}
	client, err := connect(opts)
	if err != nil {
		return r, err
	}
	version := manifest.ContentHash[:versionDigits]
	r.URI = "s3://" + path.Join(bucket, prefix, version)
	u := &uploading{core: minio.Core{Client: client}, bucket: bucket, opts: opts, report: &r}
	for _, file := range files {
		u.of += file.bytes
	}
	for _, file := range files {
		if err := u.file(ctx, path.Join(prefix, version, file.name), file); err != nil {
			return r, fmt.Errorf("%s: %w", file.name, err)
		}
	}
	latest, err := json.MarshalIndent(Latest{
		Target: manifest.Target, Version: version, ContentHash: manifest.ContentHash, Manifest: path.Join(version, manifestName),
	}, "", "  ")
	if err != nil {
		return r, err
	}
	return r, u.small(ctx, path.Join(prefix, latestName), append(latest, '\n'))
}

// ParseURI divides s3://bucket/prefix.
func ParseURI(uri string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	bucket, prefix, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return "", "", lake.WithHint(fmt.Errorf("%q is no s3://bucket/prefix", uri), "--upload s3://bucket/prefix")
	}
	return bucket, strings.Trim(prefix, "/"), nil
}

// Check tells of options that no store can be reached with.
func (o Options) Check() error {
	_, err := connect(o)
	return err
}

func connect(opts Options) (*minio.Client, error) {
	if opts.AccessKey == "" || opts.SecretKey == "" {
		return nil, lake.WithHint(ErrNoKeys, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	endpoint, secure, lookup := "s3.amazonaws.com", true, minio.BucketLookupAuto
	if opts.Endpoint != "" {
		at, err := url.Parse(opts.Endpoint)
		if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" || at.Path != "" && at.Path != "/" {
			return nil, lake.WithHint(fmt.Errorf("endpoint %q is no http:// or https:// address", opts.Endpoint), "--endpoint https://HOST:PORT")
		}
		endpoint, secure, lookup = at.Host, at.Scheme == "https", minio.BucketLookupPath
	}
	return minio.New(endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(opts.AccessKey, opts.SecretKey, opts.SessionToken), Secure: secure,
		Region: cmp.Or(opts.Region, "us-east-1"), BucketLookup: lookup, Transport: opts.Transport,
	})
}

// explained gives errors of the store the next step.
func explained(err error) error {
	var said minio.ErrorResponse
	if !errors.As(err, &said) {
		return err
	}
	switch said.Code {
	case "NoSuchBucket":
		return lake.WithHint(err, "make the bucket first; weir makes none")
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch":
		return lake.WithHint(err, "the keys need s3:PutObject, s3:GetObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads there")
	}
	return err
}

func readManifest(dir string) (m exporters.Manifest, err error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return m, lake.WithHint(err, "weir export --target openai --out "+dir)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", manifestName, err)
	}
	if len(m.ContentHash) < versionDigits {
		return m, fmt.Errorf("%s has no content hash", manifestName)
	}
	return m, nil
}

// localFile is a file of the export.
type localFile struct {
	name  string // with slashes, relative to the export
	path  string
	bytes int64
	sum   string // sha256, hex
	// named tells that the version, which is in the key, names its content: parts
	// that are there of it are of the same content.
	named bool
}

// filesOf lists an export's files, the manifest last.
func filesOf(dir string, manifest exporters.Manifest) ([]localFile, error) {
	known := map[string]exporters.File{}
	for _, file := range manifest.Files {
		known[file.Name] = file
	}
	var files []localFile
	err := filepath.WalkDir(dir, func(at string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		file := localFile{name: filepath.ToSlash(name), path: at}
		if said, isKnown := known[file.name]; isKnown {
			// It is read before it is sent: most are there already.
			file.sum, file.bytes, file.named = said.SHA256, said.Bytes, said.Split != ""
			delete(known, file.name)
		} else if file.sum, file.bytes, err = lake.HashFile(at); err != nil {
			return err
		}
		files = append(files, file)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for name := range known {
		return nil, lake.WithHint(fmt.Errorf("%s is not there, %s names it", filepath.Join(dir, name), manifestName), "export again")
	}
	last := func(f localFile) int {
		if f.name == manifestName {
			return 1
		}
		return 0
	}
	slices.SortFunc(files, func(a, b localFile) int { return cmp.Or(last(a)-last(b), cmp.Compare(a.name, b.name)) })
	return files, nil
}

// uploading is one run.
type uploading struct {
	core     minio.Core
	bucket   string
	opts     Options
	report   *Report
	done, of int64 // bytes
}

func (u *uploading) passed(n int64) {
	u.done += n
	if u.opts.Progress != nil {
		u.opts.Progress(u.done, u.of)
	}
}

// file sends a file that is not there yet.
func (u *uploading) file(ctx context.Context, key string, file localFile) error {
	there, err := u.core.StatObject(ctx, u.bucket, key, minio.StatObjectOptions{})
	switch {
	case err == nil && there.Size == file.bytes && there.UserMetadata[sumKey] == file.sum:
		u.report.There++
		u.passed(file.bytes)
		return nil
	case err != nil && minio.ToErrorResponse(err).Code != minio.NoSuchKey:
		return err
	}
	if sum, size, err := lake.HashFile(file.path); err != nil {
		return err
	} else if sum != file.sum || size != file.bytes {
		return lake.WithHint(fmt.Errorf("it is not what %s says", manifestName), "export again")
	}
	if err := u.send(ctx, key, file); err != nil {
		return err
	}
	u.report.Sent++
	u.report.SentBytes += file.bytes
	return nil
}

// small writes an object of a few bytes.
func (u *uploading) small(ctx context.Context, key string, text []byte) error {
	_, err := u.core.Client.PutObject(ctx, u.bucket, key, bytes.NewReader(text), int64(len(text)),
		minio.PutObjectOptions{ContentType: "application/json", SendContentMd5: true, DisableMultipart: true})
	return err
}
