package checkpoint

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weirstream/weir/flow"
)

// FormatVersion is the version of the manifests that are written; all up to it are read.
const FormatVersion = 1

// MaxManifest, in bytes, bounds a manifest: some hundred thousand splits. It is held in memory as a whole.
const MaxManifest = 64 << 20

// ErrDamaged is wrapped by errors that come from bytes which are not what was written.
var ErrDamaged = errors.New("damaged")

// ErrNewer is wrapped by errors that come from a file of a later release.
var ErrNewer = errors.New("written by a newer release")

// Manifest says all about one completed checkpoint; its existence is what completes it (I2). File names in it are relative
// to its own directory, so that the directory may be moved or copied as a whole.
type Manifest struct {
	Job         string
	Run         string
	Fingerprint string // of the job graph
	ID          flow.CheckpointID
	Kind        flow.BarrierKind
	Term        flow.Term
	// Started is when the trigger was sent, Completed when the last part was acknowledged.
	Started, Completed flow.Time
	Vertices           []VertexState // ascending by ID
	Sources            []SourceState
}

// VertexState is what one vertex had.
type VertexState struct {
	ID             flow.VertexID  `json:"id"`
	Name           string         `json:"name"`
	UIDs           []string       `json:"uids,omitempty"`
	Parallelism    int            `json:"parallelism"`
	MaxParallelism int            `json:"maxParallelism"`
	Subtasks       []SubtaskState `json:"subtasks"`
}

// SubtaskState is what one subtask wrote. File is empty when it had nothing to keep.
type SubtaskState struct {
	Index   int          `json:"index"`
	Attempt flow.Attempt `json:"attempt"`
	File    string       `json:"file,omitempty"`
	Size    int64        `json:"size,omitempty"`
	Sum     Sum          `json:"crc32c,omitempty"`
	Records int64        `json:"records"`
}

// SourceState is how far one source was: its enumerator's memory, the splits that no reader had, and what each reader
// had. On restore the readers' splits are dealt out first.
type SourceState struct {
	UID        string        `json:"uid"`
	Enumerator []byte        `json:"enumerator,omitempty"`
	Pending    []SplitState  `json:"pending,omitempty"`
	Readers    []ReaderState `json:"readers,omitempty"`
}

// ReaderState is what one subtask's reader had.
type ReaderState struct {
	Vertex   flow.VertexID `json:"vertex"`
	Index    int           `json:"subtask"`
	Splits   []SplitState  `json:"splits,omitempty"`
	Finished []SplitID     `json:"finished,omitempty"`
}

// SplitState is a split and its position, in the connector's own format.
type SplitState struct {
	ID        SplitID   `json:"id"`
	State     []byte    `json:"state,omitempty"`
	Watermark flow.Time `json:"watermark"` // ms; flow.MinTime for a split never read
}

// SplitID is a split's name. It may hold any bytes: names of files do. Those that are not UTF-8 are written in base64.
type SplitID string

const base64Prefix = "base64:"

// MarshalText implements encoding.TextMarshaler.
func (s SplitID) MarshalText() ([]byte, error) {
	if utf8.ValidString(string(s)) && !strings.HasPrefix(string(s), base64Prefix) {
		return []byte(s), nil
	}
	return []byte(base64Prefix + base64.StdEncoding.EncodeToString([]byte(s))), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *SplitID) UnmarshalText(b []byte) error {
	coded, ok := strings.CutPrefix(string(b), base64Prefix)
	if !ok {
		*s = SplitID(b)
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(coded)
	*s = SplitID(raw)
	return err
}

// Sum is a CRC-32C, written as eight hexadecimal digits.
type Sum uint32

func (s Sum) String() string { return fmt.Sprintf("%08x", uint32(s)) }

// MarshalText implements encoding.TextMarshaler.
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Sum) UnmarshalText(b []byte) error {
	v, err := strconv.ParseUint(string(b), 16, 32)
	*s = Sum(v)
	if err == nil && s.String() != string(b) {
		err = fmt.Errorf("%q is not eight lower-case hexadecimal digits", b)
	}
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// manifestFile is a Manifest as it stands in the file: an indented JSON object whose last field is the CRC-32C of all
// bytes before that field. Every later format keeps "format" and "crc32c" so.
type manifestFile struct {
	Format      int               `json:"format"`
	Job         string            `json:"job"`
	Run         string            `json:"run"`
	Fingerprint string            `json:"fingerprint"`
	ID          flow.CheckpointID `json:"checkpoint"`
	Kind        string            `json:"kind"`
	Term        flow.Term         `json:"term"`
	Started     string            `json:"started"`
	Completed   string            `json:"completed"`
	Vertices    []VertexState     `json:"vertices"`
	Sources     []SourceState     `json:"sources,omitempty"`
	Sum         Sum               `json:"crc32c"`
}

func trailer(sum Sum) string { return fmt.Sprintf(",\n  \"crc32c\": \"%v\"\n}\n", sum) }

// Encode writes m as the bytes of its file: equal manifests give equal bytes.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	f := manifestFile{
		Format: FormatVersion, Job: m.Job, Run: m.Run, Fingerprint: m.Fingerprint, ID: m.ID, Kind: m.Kind.String(), Term: m.Term,
		Started: m.Started.String(), Completed: m.Completed.String(), Vertices: m.Vertices, Sources: m.Sources,
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(&f); err != nil {
		return nil, fmt.Errorf("manifest of %v: %w", m.ID, err)
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte(trailer(0)))
	data := append(body, trailer(Sum(crc32.Checksum(body, castagnoli)))...)
	if len(data) > MaxManifest {
		return nil, fmt.Errorf("manifest of %v: %d bytes are more than %d: the sources have too many splits", m.ID, len(data), MaxManifest)
	}
	return data, nil
}

// Decode reads what Encode wrote; name is the file's, for error messages. It accepts nothing else: errors wrap ErrDamaged
// or ErrNewer.
func Decode(name string, data []byte) (*Manifest, error) {
	damaged := func(format string, a ...any) error {
		return fmt.Errorf("%s: %w: %s: restore from another checkpoint", name, ErrDamaged, fmt.Sprintf(format, a...))
	}
	if len(data) > MaxManifest {
		return nil, damaged("%d bytes are more than a manifest may have (%d)", len(data), MaxManifest)
	}
	cut := len(data) - len(trailer(0))
	if cut < 0 {
		return nil, damaged("%d bytes are too few for a manifest", len(data))
	}
	if want := trailer(Sum(crc32.Checksum(data[:cut], castagnoli))); string(data[cut:]) != want {
		return nil, damaged("it does not end with its checksum")
	}
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, damaged("%v", err)
	}
	if version.Format > FormatVersion {
		return nil, fmt.Errorf("%s: %w: its format is %d and this release reads up to %d: restore it with the release that wrote it, or upgrade",
			name, ErrNewer, version.Format, FormatVersion)
	}
	var f manifestFile
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, damaged("%v", err)
	}
	m, err := f.manifest()
	if err != nil {
		return nil, damaged("%v", err)
	}
	switch again, err := m.Encode(); { // Encode validates
	case err != nil:
		return nil, damaged("%v", err)
	case !bytes.Equal(again, data): // I7: no other spelling, no field twice, nothing behind it
		return nil, damaged("it is not written as a manifest of format %d is", FormatVersion)
	}
	return m, nil
}

func (f *manifestFile) manifest() (*Manifest, error) {
	m := &Manifest{
		Job: f.Job, Run: f.Run, Fingerprint: f.Fingerprint, ID: f.ID, Term: f.Term, Vertices: f.Vertices, Sources: f.Sources,
	}
	if f.Format < 1 {
		return nil, fmt.Errorf("format %d", f.Format)
	}
	kind, err := parseKind(f.Kind)
	if err != nil {
		return nil, err
	}
	m.Kind = kind
	if m.Started, err = parseTime(f.Started); err != nil {
		return nil, fmt.Errorf("started: %w", err)
	}
	if m.Completed, err = parseTime(f.Completed); err != nil {
		return nil, fmt.Errorf("completed: %w", err)
	}
	return m, nil
}

func parseKind(s string) (flow.BarrierKind, error) {
	for _, k := range []flow.BarrierKind{flow.Periodic, flow.Stop, flow.Final} {
		if k.String() == s {
			return k, nil
		}
	}
	return 0, fmt.Errorf("kind %q is none of periodic, stop, final", s)
}

// parseTime reads what flow.Time.String prints.
func parseTime(s string) (flow.Time, error) {
	switch s {
	case "min":
		return flow.MinTime, nil
	case "max":
		return flow.MaxTime, nil
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return flow.Time(ms), nil
	}
	t, err := time.Parse("2006-01-02T15:04:05.000Z", s)
	if err != nil {
		return 0, fmt.Errorf("%q is no time", s)
	}
	return flow.TimeOf(t), nil
}

// Validate reports the first contradiction in m.
func (m *Manifest) Validate() error {
	if m.ID < 1 || m.Kind > flow.Final || m.Term < 0 {
		return fmt.Errorf("manifest of %v: kind %v, term %d", m.ID, m.Kind, m.Term)
	}
	for _, s := range []string{m.Job, m.Run, m.Fingerprint} {
		if !utf8.ValidString(s) {
			return fmt.Errorf("manifest of %v: %q is not UTF-8", m.ID, s)
		}
	}
	if m.Job == "" {
		return fmt.Errorf("manifest of %v: no job name", m.ID)
	}
	subtasks, files := 0, make(map[string]bool)
	for i := range m.Vertices {
		v := &m.Vertices[i]
		if i > 0 && v.ID <= m.Vertices[i-1].ID || v.ID < 0 {
			return fmt.Errorf("vertex %d stands at place %d: they ascend", v.ID, i)
		}
		if err := v.validate(files); err != nil {
			return fmt.Errorf("vertex %d %q: %w", v.ID, v.Name, err)
		}
		subtasks += v.Parallelism
	}
	if subtasks == 0 || subtasks > MaxSubtasks {
		return fmt.Errorf("manifest of %v: %d subtasks are not within 1 to %d", m.ID, subtasks, MaxSubtasks)
	}
	uids := make(map[string]bool)
	for i := range m.Sources {
		s := &m.Sources[i]
		if s.UID == "" || !utf8.ValidString(s.UID) || uids[s.UID] {
			return fmt.Errorf("source %q is empty, not UTF-8 or listed twice", s.UID)
		}
		uids[s.UID] = true
		if err := s.validate(m); err != nil {
			return fmt.Errorf("source %q: %w", s.UID, err)
		}
	}
	return nil
}

func (v *VertexState) validate(files map[string]bool) error {
	if !utf8.ValidString(v.Name) || v.MaxParallelism < 1 || v.MaxParallelism > flow.MaxKeyGroups {
		return fmt.Errorf("its name is not UTF-8, or it has %d key groups", v.MaxParallelism)
	}
	for _, u := range v.UIDs {
		if u == "" || !utf8.ValidString(u) {
			return fmt.Errorf("operator UID %q is empty or not UTF-8", u)
		}
	}
	if v.Parallelism < 1 || len(v.Subtasks) != v.Parallelism {
		return fmt.Errorf("parallelism %d, with %d subtasks", v.Parallelism, len(v.Subtasks))
	}
	for i, s := range v.Subtasks {
		if s.Index != i || s.Attempt < 1 || s.Records < 0 {
			return fmt.Errorf("subtask %d stands at place %d, attempt %d, %d records", s.Index, i, s.Attempt, s.Records)
		}
		if err := checkStateFile(s.File, s.Size); err != nil {
			return fmt.Errorf("subtask %d: %w", i, err)
		}
		if s.File != "" && files[s.File] {
			return fmt.Errorf("subtask %d: file %q belongs to another one too", i, s.File)
		}
		files[s.File] = true
	}
	return nil
}

// validate checks that no split is in two places: it would be read twice (I5).
func (s *SourceState) validate(m *Manifest) error {
	seen := make(map[SplitID]bool)
	once := func(splits []SplitState) error {
		for _, x := range splits {
			if seen[x.ID] {
				return fmt.Errorf("split %q is in two places and would be read twice", x.ID)
			}
			seen[x.ID] = true
		}
		return nil
	}
	readers := make(map[flow.SubtaskID]bool)
	for _, r := range s.Readers {
		at := flow.SubtaskID{Vertex: r.Vertex, Index: r.Index}
		if v := m.Vertex(r.Vertex); v == nil || r.Index < 0 || r.Index >= v.Parallelism || readers[at] {
			return fmt.Errorf("reader of subtask %v, which does not exist or is listed twice", at)
		}
		readers[at] = true
		if err := once(r.Splits); err != nil {
			return err
		}
	}
	return once(s.Pending)
}

// Vertex finds the vertex with this ID; nil for none.
func (m *Manifest) Vertex(id flow.VertexID) *VertexState {
	for i := range m.Vertices {
		if m.Vertices[i].ID == id {
			return &m.Vertices[i]
		}
	}
	return nil
}

// Operator finds the vertex that has the operator with this UID; nil for none.
func (m *Manifest) Operator(uid string) *VertexState {
	for i := range m.Vertices {
		for _, u := range m.Vertices[i].UIDs {
			if u == uid {
				return &m.Vertices[i]
			}
		}
	}
	return nil
}

// Source finds the source with this operator UID; nil for none.
func (m *Manifest) Source(uid string) *SourceState {
	for i := range m.Sources {
		if m.Sources[i].UID == uid {
			return &m.Sources[i]
		}
	}
	return nil
}

// Bytes is the size of all state files.
func (m *Manifest) Bytes() (n int64) {
	for i := range m.Vertices {
		for _, s := range m.Vertices[i].Subtasks {
			n += s.Size
		}
	}
	return n
}
