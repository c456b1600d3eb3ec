package lake

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// MemberHash is the content hash of a dataset version: SHA-256 over a line a
// member, in the order of their ids, with id, content hash and side. It is one
// formula, so that the same members have the same hash whoever froze them.
type MemberHash struct{ sum hash.Hash }

// NewMemberHash is the hash of no members.
func NewMemberHash() MemberHash { return MemberHash{sha256.New()} }

// Add takes in the next member.
func (h MemberHash) Add(m DatasetMember) {
	fmt.Fprintf(h.sum, "%s %s %s\n", m.ExampleID, m.ContentHash, m.Side)
}

// String is the hash in hexadecimal.
func (h MemberHash) String() string { return hex.EncodeToString(h.sum.Sum(nil)) }
