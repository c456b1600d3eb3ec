package lake

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// ConfigEvent is a version of configuration that counts from a time on. Its id
// follows from kind, content and what is said besides: with the time among that,
// to go back to an earlier version is an event, too.
func ConfigEvent(source, kind, name string, content []byte, at time.Time, besides ...string) Event {
	sum := sha256.Sum256(content)
	hash := hex.EncodeToString(sum[:])
	return Event{
		ID: StableID(append([]string{"config", kind, hash}, besides...)...), Source: source, Type: "weir.config.set.v1",
		Subject: "config:" + kind, Time: at.UTC(),
		Data: &Config{Kind: kind, Name: name, Content: string(content), Hash: hash},
	}
}
