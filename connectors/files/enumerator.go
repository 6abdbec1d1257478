package files

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// inProgress ends the names of files that are still being written.
const inProgress = ".inprogress"

// enumerator finds files and cuts them into splits. A bounded one looks once; one that watches keeps the names it has
// taken for as long as their files are there.
type enumerator struct {
	path    string
	options options
	whole   bool // files are not cut
	done    bool
	taken   map[string]bool
	waiting map[string]stamp
}

// stamp is how a file looked at the last discovery.
type stamp struct {
	size    int64
	changed int64
}

func (e *enumerator) Assignment() connectors.Assignment { return connectors.Pull }

func (e *enumerator) Discover(ctx context.Context) (fresh []connectors.Split, done bool, err error) {
	if e.done {
		return nil, true, nil
	}
	names, err := find(e.path)
	if err != nil {
		return nil, false, err
	}
	taken, waiting := map[string]bool{}, map[string]stamp{}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		if e.taken[name] {
			taken[name] = true
			continue
		}
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) && e.options.watch {
			continue // gone since it was listed
		}
		if err != nil {
			return nil, false, fmt.Errorf("files: %w", err)
		}
		now := stamp{info.Size(), info.ModTime().UnixNano()}
		if before, known := e.waiting[name]; e.options.watch && (!known || before != now) {
			waiting[name] = now
			continue
		}
		taken[name] = true
		if fresh, err = e.cut(fresh, name, info.Size()); err != nil {
			return nil, false, err
		}
	}
	if e.taken, e.waiting = taken, waiting; !e.options.watch {
		e.done, e.taken = true, nil
	}
	return fresh, e.done, nil
}

// cut appends the splits of one file.
func (e *enumerator) cut(splits []connectors.Split, name string, size int64) ([]connectors.Split, error) {
	add := func(id string, s splitState) error {
		if len(splits) >= maxSplits {
			return fmt.Errorf("files: %s has more than %d splits; take a larger SplitSize or fewer files", e.path, maxSplits)
		}
		splits = append(splits, connectors.Split{ID: id, State: s.encode(), Watermark: flow.MinTime})
		return nil
	}
	switch {
	case isGzip(name):
		return splits, add(name, splitState{path: name, size: size, end: unlimited, line: 1})
	case size == 0:
		return splits, nil
	case e.whole:
		return splits, add(name, splitState{path: name, size: size, end: size, line: 1})
	}
	for start := int64(0); start < size; start += e.options.splitSize {
		end := min(size, start+e.options.splitSize)
		s := splitState{path: name, size: size, end: end, line: 1}
		if start > 0 {
			// The line that begins at start is ours: its predecessor's end is the byte before.
			s.pos, s.skip, s.line = start-1, true, 0
		}
		if err := add(fmt.Sprintf("%s:%d-%d", name, start, end), s); err != nil {
			return nil, err
		}
		if end == size {
			break
		}
	}
	return splits, nil
}

// Snapshot keeps whether the one look was taken, or the names taken, in order.
func (e *enumerator) Snapshot() ([]byte, error) {
	b := []byte{formatVersion, 0}
	if e.done {
		b[1] = 1
		return b, nil
	}
	names := make([]string, 0, len(e.taken))
	for name := range e.taken {
		names = append(names, name)
	}
	slices.Sort(names)
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, name := range names {
		b = appendString(b, name)
	}
	return b, nil
}

func (e *enumerator) Restore(state []byte) error {
	d := decoder{b: state}
	d.version()
	e.done = d.bool()
	e.taken = map[string]bool{}
	if !e.done {
		for n := d.uvarint(); n > 0 && d.err == nil; n-- {
			e.taken[d.string()] = true
		}
	}
	if err := d.finish(); err != nil {
		return fmt.Errorf("files: the state of the split enumerator of %s: %w", e.path, err)
	}
	if e.done && e.options.watch {
		return fmt.Errorf("files: the checkpoint was taken without Watch, when the files of %s were not remembered; start without it, or without Watch", e.path)
	}
	return nil
}

func (e *enumerator) Close() error { return nil }

func isGzip(name string) bool { return strings.HasSuffix(name, ".gz") }

// find lists the files that path stands for, in order.
func find(path string) ([]string, error) {
	if path == "" {
		return nil, errors.New("files: no path was given")
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return list(path)
	case err == nil && info.Mode().IsRegular():
		return []string{filepath.Clean(path)}, nil
	case err == nil:
		return nil, fmt.Errorf("files: %s is neither a file nor a directory (%v)", path, info.Mode())
	case strings.ContainsAny(path, "*?["):
		return glob(path)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("files: %s does not exist%s", path, suggestion(path))
	}
	return nil, fmt.Errorf("files: %w", err)
}

func list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	var names []string
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		if !hidden(entry.Name()) && isFile(name, entry.Type()) {
			names = append(names, name)
		}
	}
	return limited(dir, names)
}

func glob(pattern string) ([]string, error) {
	matches, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("files: the pattern %s cannot be read: %w", pattern, err)
	}
	var names []string
	for _, name := range matches {
		if info, err := os.Lstat(name); err == nil && !hidden(filepath.Base(name)) && isFile(name, info.Mode().Type()) {
			names = append(names, filepath.Clean(name))
		}
	}
	return limited(pattern, names)
}

func limited(path string, names []string) ([]string, error) {
	if len(names) > maxFiles {
		return nil, fmt.Errorf("files: %s has %d files, more than the %d that one source may read; narrow the pattern or move what was read away", path, len(names), maxFiles)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, inProgress)
}

// isFile reports whether name is a regular file, or a link to one.
func isFile(name string, kind fs.FileMode) bool {
	if kind&fs.ModeSymlink != 0 {
		info, err := os.Stat(name)
		return err == nil && info.Mode().IsRegular()
	}
	return kind.IsRegular()
}

// suggestion names the file beside path whose name is nearest, if any is near.
func suggestion(path string) string {
	dir, name := filepath.Split(filepath.Clean(path))
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Sprintf("; nor can its directory %s be read", dir)
	}
	best, least := "", len(name)/3+1
	for _, entry := range entries {
		if d := distance(name, entry.Name(), least); d <= least && (best == "" || d < least) {
			best, least = entry.Name(), d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", filepath.Join(dir, best))
}

// distance is the number of bytes to insert, delete, change or swap with their neighbour to make b of a; more than limit
// is any number above it.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	var before, last, row = make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
