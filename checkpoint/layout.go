package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/weirstream/weir/flow"
)

// The names of a job's blobs:
//
//	<job>/chk-<n>/<vertex>-<subtask>-<attempt>.state
//	<job>/chk-<n>/manifest.json
//
// The attempt keeps a subtask that was given up, and does not know it yet, from writing over its successor's file.
const (
	manifestName = "manifest.json"
	stateSuffix  = ".state"
	chkPrefix    = "chk-"
)

// verifyBuffer, in bytes, is what Verify reads at once.
const verifyBuffer = 256 << 10

// JobDir is the directory of a job. Bytes that names may not have are written as %XX.
func JobDir(job string) (string, error) {
	if job == "" {
		return "", errors.New("the job has no name: give it one, its checkpoints are found by it")
	}
	var b strings.Builder
	for i := range len(job) {
		if nameByte(job[i]) && !(i == 0 && job[i] == '.') {
			b.WriteByte(job[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", job[i])
		}
	}
	if b.Len() > maxSegment {
		return "", fmt.Errorf("job %q: its name has %d bytes when escaped, and %d are allowed: shorten it", job, b.Len(), maxSegment)
	}
	return b.String(), nil
}

// join puts a name into directory dir; "" is the store's root.
func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// Directory is the directory of checkpoint id of the job whose directory is dir.
func Directory(dir string, id flow.CheckpointID) string { return join(dir, id.String()) }

// StateFile is the name, within a checkpoint's directory, of what a subtask writes.
func StateFile(s flow.SubtaskID, a flow.Attempt) string {
	return fmt.Sprintf("%d-%d-%d%s", s.Vertex, s.Index, a, stateSuffix)
}

// FileName is the name in the store of a file of checkpoint id of the job whose directory is dir.
func FileName(dir string, id flow.CheckpointID, file string) string {
	return Directory(dir, id) + "/" + file
}

// checkStateFile says what is wrong with the name and size of a state file.
func checkStateFile(file string, size int64) error {
	if file == "" && size == 0 {
		return nil
	}
	if size < 0 || !strings.HasSuffix(file, stateSuffix) || strings.Contains(file, "/") || CheckName(file) != nil {
		return fmt.Errorf("a state file named %q of %d bytes", file, size)
	}
	return nil
}

// parseCheckpoint reads "chk-7".
func parseCheckpoint(s string) (flow.CheckpointID, bool) {
	digits, ok := strings.CutPrefix(s, chkPrefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	id := flow.CheckpointID(n)
	return id, err == nil && n > 0 && id.String() == s
}

// ConflictError says that a checkpoint's manifest exists and is not the one to be created. It is an ErrExists.
type ConflictError struct {
	Name string
	// Term of the one that exists: 0 when it is damaged, the largest when a later release wrote it.
	Term flow.Term
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s %v, written under term %d: another JobManager coordinates this job", e.Name, ErrExists, e.Term)
}

func (e *ConflictError) Unwrap() error { return ErrExists }

// CreateManifest carries out WriteManifest: nil means ManifestWritten, an error means ManifestFailed with it. It may be
// repeated: a manifest that is there already with the very same bytes was written by an earlier try whose answer was lost.
func CreateManifest(s Store, dir string, m *Manifest) error {
	data, err := m.Encode()
	if err != nil {
		return err
	}
	name := FileName(dir, m.ID, manifestName)
	err = s.CreateIfAbsent(name, data)
	if err == nil {
		return nil
	}
	there, readErr := ReadAll(s, name, MaxManifest)
	switch {
	case readErr == nil && bytes.Equal(there, data):
		return nil
	case !errors.Is(err, ErrExists):
		return err
	case readErr != nil && !errors.Is(readErr, ErrDamaged):
		return readErr // another's or ours: not known
	}
	conflict := &ConflictError{Name: name}
	other, err := Decode(name, there)
	switch {
	case err == nil:
		conflict.Term = other.Term
	case errors.Is(err, ErrNewer):
		conflict.Term = math.MaxInt64
	}
	return conflict
}

// Remove carries out Delete: the manifest goes first, so that a checkpoint half deleted is incomplete and not damaged.
func Remove(s Store, dir string, id flow.CheckpointID) error {
	if err := s.Delete(FileName(dir, id, manifestName)); err != nil {
		return err
	}
	return s.DeleteAll(Directory(dir, id))
}

// scan lists the checkpoints of a job, ascending: those with a manifest and those without.
func scan(s Store, dir string) (complete, incomplete []flow.CheckpointID, err error) {
	infos, err := s.List(dir)
	if err != nil {
		return nil, nil, err
	}
	has := make(map[flow.CheckpointID]bool)
	for _, f := range infos {
		rel := f.Name
		if dir != "" {
			rel = strings.TrimPrefix(rel, dir+"/")
		}
		chk, file, _ := strings.Cut(rel, "/")
		if id, ok := parseCheckpoint(chk); ok && file != "" {
			has[id] = has[id] || file == manifestName
		}
	}
	for id, manifest := range has {
		if manifest {
			complete = append(complete, id)
		} else {
			incomplete = append(incomplete, id)
		}
	}
	slices.Sort(complete)
	slices.Sort(incomplete)
	return complete, incomplete, nil
}

// Latest lists the completed checkpoints of the job whose directory is dir, newest first. It opens none of them.
func Latest(s Store, dir string) ([]flow.CheckpointID, error) {
	complete, _, err := scan(s, dir)
	slices.Reverse(complete)
	return complete, err
}

// NextID is an id above all that the store has of a job, complete or not; for Start.
func NextID(s Store, dir string) (flow.CheckpointID, error) {
	complete, incomplete, err := scan(s, dir)
	next := flow.CheckpointID(1)
	for _, id := range append(complete, incomplete...) {
		next = max(next, id+1)
	}
	return next, err
}

// Clean deletes what is left of incomplete checkpoints older than the newest complete one, but for those in keep. Files
// come to lie there when a subtask is still writing while its checkpoint is aborted. It returns what it deleted.
func Clean(s Store, dir string, keep ...flow.CheckpointID) ([]flow.CheckpointID, error) {
	complete, incomplete, err := scan(s, dir)
	if err != nil || len(complete) == 0 {
		return nil, err
	}
	var gone []flow.CheckpointID
	for _, id := range incomplete {
		if id > complete[len(complete)-1] || slices.Contains(keep, id) {
			continue
		}
		if err := s.DeleteAll(Directory(dir, id)); err != nil {
			return gone, err
		}
		gone = append(gone, id)
	}
	return gone, nil
}

// Load reads the manifest of checkpoint id.
func Load(s Store, dir string, id flow.CheckpointID) (*Manifest, error) {
	name := FileName(dir, id, manifestName)
	data, err := ReadAll(s, name, MaxManifest)
	if err != nil {
		return nil, err
	}
	m, err := Decode(name, data)
	if err == nil && m.ID != id {
		return nil, fmt.Errorf("%s: %w: it is the manifest of %v: give the directory its old name", name, ErrDamaged, m.ID)
	}
	return m, err
}

// Verify reads every state file of m, which lies in directory dir of its job, and compares size and checksum. The error
// wraps ErrDamaged unless the store itself failed.
func Verify(s Store, dir string, m *Manifest) error {
	buf := make([]byte, verifyBuffer)
	for i := range m.Vertices {
		for _, t := range m.Vertices[i].Subtasks {
			if t.File == "" {
				continue
			}
			if err := verifyFile(s, FileName(dir, m.ID, t.File), t, buf); err != nil {
				return err
			}
		}
	}
	return nil
}

func verifyFile(s Store, name string, t SubtaskState, buf []byte) error {
	f, err := s.Open(name)
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%s: %w: the file is missing", name, ErrDamaged)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Size() != t.Size {
		return fmt.Errorf("%s: %w: %d bytes, and %d were written", name, ErrDamaged, f.Size(), t.Size)
	}
	var sum uint32
	for off := int64(0); off < t.Size; {
		b := buf[:min(int64(len(buf)), t.Size-off)]
		n, err := f.ReadAt(b, off)
		if n < len(b) {
			if err == nil || err == io.EOF {
				return fmt.Errorf("%s: %w: it ends after %d bytes", name, ErrDamaged, off+int64(n))
			}
			return fmt.Errorf("%s: %w", name, err)
		}
		sum = crc32.Update(sum, castagnoli, b)
		off += int64(n)
	}
	if Sum(sum) != t.Sum {
		return fmt.Errorf("%s: %w: its checksum is %v, and %v was written", name, ErrDamaged, Sum(sum), t.Sum)
	}
	return nil
}
