// Package lake is the store: the schemas of events and tables, the storage
// that a lake lies on, the Delta log that says which Parquet files are a
// table, and the writer of event files. It does not read Kafka (ingest does),
// run SQL (lake/duck, lake/derive) or publish for readers (lake/catalog).
//
// Start at Init and Open; then Lake.Table, Table.Snapshot and Table.Commit.
// Event and the payload structs, such as ChatMessage, are the single source of
// the events tables' columns.
package lake

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// FormatVersion is the version of a lake's layout that this binary writes. It
// refuses lakes of a later one.
const FormatVersion = 1

const settingsName = "weir.json"

// Lake is an open lake. It holds no lock and no state but its settings, so it
// may be shared by goroutines, and several processes may have the same lake open.
type Lake struct {
	dir      string
	storage  Storage
	clock    func() time.Time
	random   io.Reader
	personal []string // of a lake to be made
	settings settings
}

type settings struct {
	FormatVersion int       `json:"format_version"`
	ID            string    `json:"lake_id"`
	ClusterID     string    `json:"cluster_id"`
	ErasureKey    string    `json:"erasure_key"` // hex
	CreatedAt     time.Time `json:"created_at"`
	Personal      []string  `json:"redact_personal,omitempty"`
}

// Options of a lake. The zero value is right for all but tests. What is given
// must be as safe for concurrent use as the lake is meant to be.
type Options struct {
	Storage Storage          // of the lake's folder; nil: LocalStorage
	Clock   func() time.Time // stamps commits; nil: time.Now
	Random  io.Reader        // ids and keys come from here; nil: crypto/rand

	// Personal are the kinds of personal data that a new lake keeps out, as
	// ingest/redact names them. An existing lake keeps its own.
	Personal []string
}

func (o Options) lake(dir string) (*Lake, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	l := &Lake{dir: dir, storage: o.Storage, clock: o.Clock, random: o.Random, personal: o.Personal}
	if l.storage == nil {
		l.storage = LocalStorage(dir)
	}
	if l.clock == nil {
		l.clock = time.Now
	}
	if l.random == nil {
		l.random = rand.Reader
	}
	return l, nil
}

// Init makes a lake in a folder that is empty or does not exist. A folder with
// anything else in it is left alone: the error matches fs.ErrExist where it is
// a lake already, else ErrNotALake.
func Init(dir string, opts Options) (*Lake, error) {
	l, err := opts.lake(dir)
	if err != nil {
		return nil, fmt.Errorf("init lake %s: %w", dir, err)
	}
	if err := l.init(); err != nil {
		return nil, fmt.Errorf("init lake %s: %w", dir, err)
	}
	return l, nil
}

func (l *Lake) init() error {
	ctx := context.Background()
	entries, err := l.storage.List(ctx, ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		switch entry.Name {
		case tempDir: // of an init that was cut off
		case settingsName:
			return WithHint(fmt.Errorf("already a lake: %w", fs.ErrExist), "use it as it is, or name another folder")
		default:
			return WithHint(fmt.Errorf("holds %q: %w", entry.Name, ErrNotALake), "name an empty folder, or one that does not exist")
		}
	}
	if l.settings, err = l.newSettings(); err != nil {
		return err
	}
	l.settings.Personal = l.personal
	data, err := json.MarshalIndent(l.settings, "", "  ")
	if err != nil {
		return err
	}
	err = putPrivate(ctx, l.storage, settingsName, append(data, '\n')) // it holds the erasure key
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("another process made it a lake meanwhile: %w", fs.ErrExist)
	}
	return err
}

func (l *Lake) newSettings() (settings, error) {
	var random [16 + 32]byte
	if _, err := io.ReadFull(l.random, random[:]); err != nil {
		return settings{}, err
	}
	id, err := l.newUUID()
	if err != nil {
		return settings{}, err
	}
	return settings{
		FormatVersion: FormatVersion,
		ID:            id,
		ClusterID:     base64.RawURLEncoding.EncodeToString(random[:16]), // as Kafka spells its own
		ErasureKey:    hex.EncodeToString(random[16:]),
		CreatedAt:     l.clock().UTC().Truncate(time.Microsecond),
	}, nil
}

func (l *Lake) newUUID() (string, error) {
	id, err := uuid.NewRandomFromReader(l.random)
	if err != nil {
		return "", err
	}
	return id.String(), nil
}

// Sibling makes an empty lake in another folder, with this one's id, clusters,
// keys and settings: what is ingested into it is what this lake would hold.
func (l *Lake) Sibling(dir string) (*Lake, error) {
	sibling := &Lake{dir: dir, storage: LocalStorage(dir), clock: l.clock, random: l.random, settings: l.settings}
	data, err := json.MarshalIndent(l.settings, "", "  ")
	if err == nil {
		err = putPrivate(context.Background(), sibling.storage, settingsName, append(data, '\n'))
	}
	if err != nil {
		return nil, fmt.Errorf("sibling lake %s: %w", dir, err)
	}
	return sibling, nil
}

// Open opens an existing lake. The error matches ErrNotALake where the folder
// is none.
func Open(dir string) (*Lake, error) { return OpenWith(dir, Options{}) }

// OpenWith is Open with options.
func OpenWith(dir string, opts Options) (*Lake, error) {
	l, err := opts.lake(dir)
	if err != nil {
		return nil, fmt.Errorf("open lake %s: %w", dir, err)
	}
	if err := l.readSettings(); err != nil {
		return nil, fmt.Errorf("open lake %s: %w", dir, err)
	}
	return l, nil
}

func (l *Lake) readSettings() error {
	data, err := ReadFile(context.Background(), l.storage, settingsName)
	if errors.Is(err, fs.ErrNotExist) {
		return WithHint(fmt.Errorf("no %s: %w", settingsName, ErrNotALake), "weir init --lake "+l.dir)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &l.settings); err != nil {
		return fmt.Errorf("%s: %w: %w", settingsName, ErrNotALake, err)
	}
	switch {
	case l.settings.FormatVersion < 1 || l.settings.ID == "" || l.settings.ClusterID == "":
		return fmt.Errorf("%s: %w: format version, lake id or cluster id is missing", settingsName, ErrNotALake)
	case l.settings.FormatVersion > FormatVersion:
		return WithHint(fmt.Errorf("%s: format version %d, this binary knows up to %d", settingsName, l.settings.FormatVersion, FormatVersion),
			"use a newer weir")
	}
	if _, err := hex.DecodeString(l.settings.ErasureKey); err != nil {
		return fmt.Errorf("%s: erasure_key: %w", settingsName, err)
	}
	return nil
}

// Dir is the lake's folder, absolute.
func (l *Lake) Dir() string { return l.dir }

// Storage is where the lake lies.
func (l *Lake) Storage() Storage { return l.storage }

// ID is the lake's own id. A copy of a lake has the same.
func (l *Lake) ID() string { return l.settings.ID }

// ClusterID is the Kafka cluster id of the lake's embedded broker.
func (l *Lake) ClusterID() string { return l.settings.ClusterID }

// CreatedAt is when the lake was made.
func (l *Lake) CreatedAt() time.Time { return l.settings.CreatedAt }

// Personal are the kinds of personal data that are replaced before anything
// reaches the lake, on every path: see ingest/redact.
func (l *Lake) Personal() []string { return l.settings.Personal }

// ErasureKey is the key of the hashes in erasure requests. It is secret: who
// has it can test whether a known person asked to be forgotten.
func (l *Lake) ErasureKey() []byte {
	key, _ := hex.DecodeString(l.settings.ErasureKey) // checked by Open
	return key
}

// KeyedHash is how an erasure names whom to forget: hex HMAC-SHA256 over
// kind:id under the lake's erasure key. Kind is subject or person.
func KeyedHash(key []byte, kind, id string) string {
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, kind+":"+id)
	return hex.EncodeToString(mac.Sum(nil))
}

// BrokerDir is where the embedded broker keeps its data. It may not exist yet.
func (l *Lake) BrokerDir() string { return filepath.Join(l.dir, "_broker") }

// TempDir is for spilled and half-written files, on the lake's file system. It
// may not exist yet.
func (l *Lake) TempDir() string { return filepath.Join(l.dir, tempDir) }

// namespaces are the layers that tables stand in.
var namespaces = []string{"events", "curated", "analysis", "datasets"}

var tableName = regexp.MustCompile(`^[a-z0-9_]+$`)

// Table gives a handle on a table such as events.chat_messages, which need not
// exist yet.
func (l *Lake) Table(name string) (*Table, error) {
	namespace, table, ok := strings.Cut(name, ".")
	if !ok || !slices.Contains(namespaces, namespace) || !tableName.MatchString(table) {
		return nil, fmt.Errorf("table %q: not <namespace>.<name> with a namespace of %s and a name of a-z, 0-9 and _",
			name, strings.Join(namespaces, ", "))
	}
	return &Table{lake: l, name: name, folder: namespace + "/" + table}, nil
}

// Namespaces are the layers that tables stand in: events first, then what is
// derived from them.
func Namespaces() []string { return slices.Clone(namespaces) }

// AllTables lists the names of the tables that exist, by namespace, then sorted.
func (l *Lake) AllTables(ctx context.Context) ([]string, error) {
	var names []string
	for _, namespace := range namespaces {
		found, err := l.Tables(ctx, namespace)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	return names, nil
}

// Tables lists the names of the tables that exist in a namespace, sorted.
func (l *Lake) Tables(ctx context.Context, namespace string) ([]string, error) {
	if !slices.Contains(namespaces, namespace) {
		return nil, fmt.Errorf("namespace %q: not one of %s", namespace, strings.Join(namespaces, ", "))
	}
	entries, err := l.storage.List(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", namespace, err)
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir || !tableName.MatchString(entry.Name) {
			continue
		}
		// A folder without a log holds files of a first commit that never was.
		listing, err := listLog(ctx, l.storage, namespace+"/"+entry.Name)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", namespace, err)
		}
		if listing.head() >= 0 {
			names = append(names, namespace+"."+entry.Name)
		}
	}
	return names, nil
}
