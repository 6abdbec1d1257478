package checkpoint

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weirstream/weir/flow"
)

// ErrNoCheckpoint is wrapped by FindRestore's error when there is no completed checkpoint at all.
var ErrNoCheckpoint = errors.New("no completed checkpoint")

// ErrOtherJob is wrapped by FindRestore's error when a checkpoint is of another job or of another job graph.
var ErrOtherJob = errors.New("the checkpoint is not of this job")

// Expect says what a checkpoint must be of.
type Expect struct {
	// Job is the name of the job that is to be restored.
	Job string
	// Fingerprint of its graph; "" allows any: state is then matched by operator UID alone.
	Fingerprint string
	// Dir is where "latest" and ids are looked for; "" is JobDir(Job).
	Dir string
}

// Damage is a checkpoint that was passed over.
type Damage struct {
	ID     flow.CheckpointID
	Reason string
}

// Found is the checkpoint to restore from.
type Found struct {
	// Dir is the job's directory in the store; state files lie in Directory(Dir, Manifest.ID).
	Dir      string
	Manifest *Manifest
	// Damaged are the newer ones that were passed over, newest first.
	Damaged []Damage
}

// Notes says in words, for the log, what was passed over.
func (f *Found) Notes() []string {
	notes := make([]string, len(f.Damaged))
	for i, d := range f.Damaged {
		use := f.Manifest.ID
		if i+1 < len(f.Damaged) {
			use = f.Damaged[i+1].ID
		}
		notes[i] = fmt.Sprintf("%v: %s; using %v", d.ID, d.Reason, use)
		if i+1 < len(f.Damaged) {
			notes[i] = fmt.Sprintf("%v: %s; trying %v", d.ID, d.Reason, use)
		}
	}
	return notes
}

// FindRestore finds the checkpoint that ref names and reads all of it (Load, Verify). ref is "latest"; an id, "7" or
// "chk-7"; or a path in the store: of a job's directory ("." is the store's root) or of one checkpoint in it.
//
// Where ref leaves the choice, the newest undamaged one is taken. A checkpoint that was named and is damaged is an error:
// going further back is then the user's decision.
func FindRestore(s Store, ref string, want Expect) (*Found, error) {
	dir, id, err := parseRef(ref, want)
	if err != nil {
		return nil, err
	}
	ids := []flow.CheckpointID{id}
	if id == 0 {
		if ids, err = Latest(s, dir); err != nil {
			return nil, err
		}
		if len(ids) == 0 {
			return nil, fmt.Errorf("restore %q: %w in directory %q of the store: check the path, or start without restoring", ref, ErrNoCheckpoint, dir)
		}
	}
	found := &Found{Dir: dir}
	for _, id := range ids {
		m, err := try(s, dir, id, want)
		switch {
		case err == nil:
			found.Manifest = m
			return found, nil
		case !errors.Is(err, ErrDamaged):
			return nil, fmt.Errorf("restore %q: %w", ref, err)
		}
		found.Damaged = append(found.Damaged, Damage{ID: id, Reason: err.Error()})
	}
	if id != 0 {
		return nil, fmt.Errorf("restore %q: %s: %w", ref, found.Damaged[0].Reason, olderThan(s, dir, id))
	}
	reasons := make([]string, len(found.Damaged))
	for i, d := range found.Damaged {
		reasons[i] = fmt.Sprintf("%v: %s", d.ID, d.Reason)
	}
	return nil, fmt.Errorf("restore %q: %w: every checkpoint is: %s", ref, ErrDamaged, strings.Join(reasons, "; "))
}

// try loads and verifies one checkpoint. Its job is checked first: of another job's checkpoint nothing more is read.
func try(s Store, dir string, id flow.CheckpointID, want Expect) (*Manifest, error) {
	m, err := Load(s, dir, id)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", ErrNoCheckpoint, err)
	}
	if err != nil {
		return nil, err
	}
	if m.Job != want.Job {
		return nil, fmt.Errorf("%s: %w: it is of job %q, and job %q is to be restored: give the directory of that job",
			Directory(dir, id), ErrOtherJob, m.Job, want.Job)
	}
	if want.Fingerprint != "" && m.Fingerprint != want.Fingerprint {
		return nil, fmt.Errorf("%s: %w: the graph of job %q was %s and is %s now: run the code that wrote it, or allow another graph",
			Directory(dir, id), ErrOtherJob, m.Job, m.Fingerprint, want.Fingerprint)
	}
	return m, Verify(s, dir, m)
}

// olderThan is the advice for a damaged checkpoint that was asked for by name.
func olderThan(s Store, dir string, id flow.CheckpointID) error {
	ids, err := Latest(s, dir)
	if k := slices.IndexFunc(ids, func(x flow.CheckpointID) bool { return x < id }); err == nil && k >= 0 {
		return fmt.Errorf("%w: the one before is %v", ErrDamaged, ids[k])
	}
	return fmt.Errorf("%w: there is none before it", ErrDamaged)
}

// parseRef splits a reference into the job's directory and the id; 0 is the newest.
func parseRef(ref string, want Expect) (dir string, id flow.CheckpointID, err error) {
	dir = want.Dir
	if dir == "" {
		if dir, err = JobDir(want.Job); err != nil {
			return "", 0, err
		}
	}
	if ref == "latest" {
		return dir, 0, nil
	}
	if id, ok := parseCheckpoint(ref); ok {
		return dir, id, nil
	}
	if n, err := strconv.ParseInt(ref, 10, 64); err == nil && n > 0 {
		return dir, flow.CheckpointID(n), nil
	}
	path := strings.TrimSuffix(ref, "/")
	if path == "." {
		return "", 0, nil
	}
	path = strings.TrimPrefix(path, "./")
	if err := CheckName(path); err != nil {
		return "", 0, fmt.Errorf("restore %q: it is neither latest, nor an id, nor a path in the store: %w", ref, err)
	}
	parent, last := "", path
	if k := strings.LastIndexByte(path, '/'); k >= 0 {
		parent, last = path[:k], path[k+1:]
	}
	if id, ok := parseCheckpoint(last); ok {
		return parent, id, nil
	}
	return path, 0, nil
}
