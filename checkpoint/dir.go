package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Dir is a Store in a directory of this machine, or of a file system that all machines mount and that has hard links.
//
// A blob is written to a temporary file beside its place (".tmp-…", invisible to List), flushed to disk, and moved to its
// name; then the directory is flushed.
type Dir struct{ root string }

const tempPattern = ".tmp-*"

// NewDir makes a store in directory root, which is created if need be.
func NewDir(root string) (*Dir, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", root, err)
	}
	if err := mkdirs(abs); err != nil {
		return nil, fmt.Errorf("store: %w: give a directory that can be written", err)
	}
	return &Dir{root: abs}, nil
}

// OpenPath makes a store for a path of the file system that names a job's directory or one checkpoint in it, and the
// reference that FindRestore takes to find it there. It creates nothing.
func OpenPath(path string) (*Dir, string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, "", fmt.Errorf("store: %s: %w", path, err)
	}
	if st, err := os.Stat(abs); err != nil {
		return nil, "", fmt.Errorf("store: %w: give a job's directory, or one of the chk-n directories in it", err)
	} else if !st.IsDir() {
		return nil, "", fmt.Errorf("store: %s is no directory: give a job's directory, or one of the chk-n directories in it", abs)
	}
	if _, ok := parseCheckpoint(filepath.Base(abs)); ok {
		return &Dir{root: filepath.Dir(abs)}, "./" + filepath.Base(abs), nil
	}
	return &Dir{root: abs}, ".", nil
}

// Root is the directory, absolute.
func (d *Dir) Root() string { return d.root }

func (d *Dir) path(name string) string { return filepath.Join(d.root, filepath.FromSlash(name)) }

// Create implements Store.
func (d *Dir) Create(name string) (Writer, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	f, err := d.temp(name)
	if err != nil {
		return nil, fmt.Errorf("store: create %s: %w", name, err)
	}
	return &dirWriter{f: f, name: name, path: d.path(name)}, nil
}

func (d *Dir) temp(name string) (*os.File, error) {
	dir := filepath.Dir(d.path(name))
	if err := mkdirs(dir); err != nil {
		return nil, err
	}
	return os.CreateTemp(dir, tempPattern)
}

type dirWriter struct {
	f          *os.File // nil once ended
	name, path string
}

func (w *dirWriter) Write(b []byte) (int, error) {
	if w.f == nil {
		return 0, fmt.Errorf("store: write %s: %w", w.name, fs.ErrClosed)
	}
	return w.f.Write(b)
}

func (w *dirWriter) Commit() error {
	if w.f == nil {
		return fmt.Errorf("store: commit %s: %w", w.name, fs.ErrClosed)
	}
	f := w.f
	w.f = nil
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), w.path)
	}
	if err != nil {
		os.Remove(f.Name()) // best effort: Clean finds it otherwise
		return fmt.Errorf("store: commit %s: %w", w.name, err)
	}
	return flushed(syncDir(filepath.Dir(w.path)), w.name)
}

// flushed wraps the error of flushing a directory: the blob is there but may not outlive a crash.
func flushed(err error, name string) error {
	if err != nil {
		return fmt.Errorf("store: flush the directory of %s: %w", name, err)
	}
	return nil
}

func (w *dirWriter) Abort() {
	if w.f != nil {
		w.f.Close()
		os.Remove(w.f.Name())
		w.f = nil
	}
}

// CreateIfAbsent implements Store. link(2) is what lets one of many win, with whole contents, also over NFS.
func (d *Dir) CreateIfAbsent(name string, data []byte) error {
	if err := CheckName(name); err != nil {
		return err
	}
	f, err := d.temp(name)
	if err != nil {
		return fmt.Errorf("store: create %s: %w", name, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("store: create %s: %w", name, err)
	}
	switch err := os.Link(f.Name(), d.path(name)); {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("store: %s %w", name, ErrExists)
	case err != nil:
		return fmt.Errorf("store: create %s: %w (the file system must have hard links)", name, err)
	}
	return flushed(syncDir(filepath.Dir(d.path(name))), name)
}

// Open implements Store.
func (d *Dir) Open(name string) (File, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	f, err := os.Open(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: %s %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", name, err)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("store: open %s: %w", name, err)
	}
	return dirFile{f, st.Size()}, nil
}

type dirFile struct {
	*os.File
	size int64
}

func (f dirFile) Size() int64 { return f.size }

// List implements Store.
func (d *Dir) List(dir string) ([]Info, error) {
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	var infos []Info
	err := filepath.WalkDir(d.path(dir), func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // never there, or deleted while walking
		}
		if err != nil {
			return err
		}
		if hidden := strings.HasPrefix(e.Name(), "."); hidden && path != d.root {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !e.Type().IsRegular() {
			return nil
		}
		st, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(d.root, path)
		infos = append(infos, Info{Name: filepath.ToSlash(rel), Size: st.Size()})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: list %q: %w", dir, err)
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

// Delete implements Store.
func (d *Dir) Delete(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	err := os.Remove(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: delete %s: %w", name, err)
	}
	return flushed(syncDir(filepath.Dir(d.path(name))), name)
}

// DeleteAll implements Store. The directory itself goes too.
func (d *Dir) DeleteAll(dir string) error {
	if err := CheckName(dir); err != nil {
		return err
	}
	path := d.path(dir)
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("store: delete %s: %w", dir, err)
	}
	err := syncDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return flushed(err, dir)
}

// mkdirs makes directory path and those above it, and flushes the parent of each one that is new.
func mkdirs(path string) error {
	st, err := os.Stat(path)
	if err == nil && !st.IsDir() {
		return fmt.Errorf("%s is no directory", path)
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(path)
	if err := mkdirs(parent); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
