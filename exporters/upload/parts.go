package upload

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
)

const (
	defaultPart = 16 << 20
	// maxParts stays below the stores' 10,000.
	maxParts = 9_000
)

// partBytes is a function of the file's size alone, so that a later run cuts
// the same parts.
func (u *uploading) partBytes(size int64) int64 {
	part := u.opts.PartBytes
	if part <= 0 {
		part = defaultPart
	}
	return max(part, (size+maxParts-1)/maxParts)
}

// send sends a file: at once, or in parts where it is larger than one.
func (u *uploading) send(ctx context.Context, key string, file localFile) error {
	in, err := os.Open(file.path)
	if err != nil {
		return err
	}
	defer in.Close()
	opts := minio.PutObjectOptions{
		ContentType: contentType(file.name), UserMetadata: map[string]string{sumKey: file.sum}, SendContentMd5: true, DisableMultipart: true,
	}
	if file.bytes <= u.partBytes(file.bytes) {
		if _, err := u.core.Client.PutObject(ctx, u.bucket, key, in, file.bytes, opts); err != nil {
			return err
		}
		u.passed(file.bytes)
		return nil
	}
	id, there, err := u.begin(ctx, key, file, opts)
	if err != nil {
		return err
	}
	part := u.partBytes(file.bytes)
	var parts []minio.CompletePart
	for n, at := 1, int64(0); at < file.bytes; n, at = n+1, at+part {
		size := min(part, file.bytes-at)
		sum, err := md5Of(io.NewSectionReader(in, at, size))
		if err != nil {
			return err
		}
		etag := hex.EncodeToString(sum)
		if was, ok := there[n]; !ok || was.Size != size || strings.Trim(was.ETag, `"`) != etag {
			sent, err := u.core.PutObjectPart(ctx, u.bucket, key, id, n, io.NewSectionReader(in, at, size), size,
				minio.PutObjectPartOptions{Md5Base64: base64.StdEncoding.EncodeToString(sum)})
			if err != nil {
				return err
			}
			etag = sent.ETag // of a store that encrypts it is no md5
		}
		parts = append(parts, minio.CompletePart{PartNumber: n, ETag: etag})
		u.passed(size)
	}
	_, err = u.core.CompleteMultipartUpload(ctx, u.bucket, key, id, parts, opts)
	return err
}

// begin begins an upload in parts, or finds the one that was cut short, with the
// parts that are there. Parts are taken over of files only whose key names their
// content: the metadata of an upload that has begun cannot be asked for.
func (u *uploading) begin(ctx context.Context, key string, file localFile, opts minio.PutObjectOptions) (id string, there map[int]minio.ObjectPart, err error) {
	found, err := u.core.ListMultipartUploads(ctx, u.bucket, key, "", "", "", 1000)
	if err != nil {
		return "", nil, err
	}
	for _, upload := range found.Uploads {
		switch {
		case upload.Key != key:
		case file.named && id == "":
			id = upload.UploadID
		default:
			if err := u.core.AbortMultipartUpload(ctx, u.bucket, key, upload.UploadID); err != nil {
				return "", nil, err
			}
		}
	}
	there = map[int]minio.ObjectPart{}
	if id == "" {
		id, err = u.core.NewMultipartUpload(ctx, u.bucket, key, opts)
		return id, there, err
	}
	for marker := 0; ; {
		list, err := u.core.ListObjectParts(ctx, u.bucket, key, id, marker, 1000)
		if err != nil {
			return "", nil, err
		}
		for _, part := range list.ObjectParts {
			there[part.PartNumber] = part
		}
		if !list.IsTruncated || list.NextPartNumberMarker <= marker {
			return id, there, nil
		}
		marker = list.NextPartNumberMarker
	}
}

func md5Of(r io.Reader) ([]byte, error) {
	sum := md5.New()
	_, err := io.Copy(sum, r)
	return sum.Sum(nil), err
}

func contentType(name string) string {
	switch {
	case strings.HasSuffix(name, ".json"):
		return "application/json"
	case strings.HasSuffix(name, ".jsonl"):
		return "application/jsonl"
	case strings.HasSuffix(name, ".gz"):
		return "application/gzip"
	case strings.HasSuffix(name, ".zst"):
		return "application/zstd"
	}
	return "application/octet-stream"
}
