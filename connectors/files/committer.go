package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weirstream/weir/connectors"
)

// committer gives parts their final names. It runs on the subtask's helper goroutine and starts none of its own.
type committer struct {
	ctx   connectors.WriterContext
	owner string
	// done are the parts that became visible in a Commit that has not returned nil yet.
	done map[string]bool
}

func (c *committer) Commit(ctx context.Context, committables [][]byte) error {
	changed := ""
	for _, b := range committables {
		if err := ctx.Err(); err != nil {
			return err
		}
		k, err := decodeCommittable(b)
		if err != nil {
			return fmt.Errorf("files: a committable of step %s: %w", c.ctx.Name, err)
		}
		if changed != "" && changed != k.part.dir {
			if err := syncDir(changed); err != nil {
				return fmt.Errorf("files: %w", err)
			}
		}
		changed = k.part.dir
		if k.action == discard {
			err = removeTemp(k.part)
		} else {
			err = c.publish(k)
		}
		if err != nil {
			return err
		}
	}
	if changed != "" {
		if err := syncDir(changed); err != nil {
			return fmt.Errorf("files: %w", err)
		}
	}
	clear(c.done)
	return nil
}

// publish links a part to its final name and then removes the temporary one, so that it is visible under one name or the
// other after a crash at any point, and never replaces a file (I3).
func (c *committer) publish(k committable) error {
	temp, final := k.part.temp(), k.part.final()
	before, err := os.Lstat(temp)
	if errors.Is(err, fs.ErrNotExist) {
		return c.published(k)
	}
	if err != nil {
		return fmt.Errorf("files: commit: %w", err)
	}
	if before.Size() != k.size {
		return fmt.Errorf("files: commit: %s has %d bytes, and %d were prepared; it was changed by somebody else", temp, before.Size(), k.size)
	}
	err = os.Link(temp, final)
	switch {
	case errors.Is(err, fs.ErrExist):
		there, err := os.Lstat(final)
		if err == nil && !os.SameFile(before, there) {
			if _, err := os.Lstat(temp); errors.Is(err, fs.ErrNotExist) {
				return c.published(k)
			}
			return fmt.Errorf("files: commit: %s is there already and is another file; move it away and the commit goes on", final)
		}
		if err != nil {
			return fmt.Errorf("files: commit: %w", err)
		}
	case errors.Is(err, fs.ErrNotExist): // another committer of the same part was faster
		return c.published(k)
	case err != nil:
		if err := renameNew(temp, final, err); err != nil {
			return err
		}
	}
	c.done[final] = true
	return removeTemp(k.part)
}

// renameNew is for file systems without hard links. Only a committer of the same part could make final between the look
// and the rename, of the same file.
func renameNew(temp, final string, linkErr error) error {
	if _, err := os.Lstat(final); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("files: commit: %s cannot get its final name: %w", temp, linkErr)
	}
	if err := os.Rename(temp, final); err != nil {
		return fmt.Errorf("files: commit: %s cannot get its final name: %w", temp, errors.Join(linkErr, err))
	}
	return nil
}

// published judges a part whose temporary file is gone: it was committed before.
func (c *committer) published(k committable) error {
	final := k.part.final()
	info, err := os.Lstat(final)
	switch {
	case err == nil && info.Size() == k.size, c.done[final]:
		return nil
	case err == nil:
		return fmt.Errorf("files: commit: %s has %d bytes, and the part that was committed had %d; it was changed by somebody else: move it away and the commit goes on", final, info.Size(), k.size)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("files: commit: %w", err)
	case k.part.owner == c.owner && k.part.attempt == c.ctx.Attempt:
		return fmt.Errorf("files: commit: %s is gone before it was committed; output is lost, restore from the checkpoint before", k.part.temp())
	}
	// Committed before the restore, and taken away since by those for whom it was made.
	c.ctx.Log.Warn("a part of the checkpoint was committed before and is not there any more", "part", filepath.Base(final))
	return nil
}

func removeTemp(p part) error {
	if err := os.Remove(p.temp()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("files: commit: %w", err)
	}
	return nil
}

func (c *committer) Close() error { return nil }
