package verify

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// maxLine is the longest line of a part, in bytes: far above what an example writes.
	maxLine = 16 << 20
	// maxShown is how many records of each kind of difference a report has: enough to see the pattern.
	maxShown = 3
)

// Parts reads the JSON lines of all finished parts in dir, in the order of their names. Without dir there are none.
func Parts[T any](dir string) ([]T, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the output: %w", err)
	}
	var all []T
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || filepath.Ext(e.Name()) != ".jsonl" {
			continue
		}
		if all, err = part(filepath.Join(dir, e.Name()), all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// part appends the records of one file to all.
func part[T any](path string, all []T) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the output: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return nil, fmt.Errorf("%s:%d: not what the job writes: %w", path, n, err)
		}
		all = append(all, v)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// Same compares the parts in dir with want. Its error counts the differences and shows the first ones.
func Same[T comparable](dir string, want []T) error {
	got, err := Parts[T](dir)
	if err != nil {
		return err
	}
	if diff := Diff(want, got); diff != "" {
		return fmt.Errorf("%s: %s (the parts of all runs count: clear the directory before a run)", dir, diff)
	}
	return nil
}

// Diff is what want and got differ in, on one line; "" when they have the same records, each as often.
func Diff[T comparable](want, got []T) string {
	missing, nMissing := subtract(want, got)
	surplus, nSurplus := subtract(got, want)
	if nMissing+nSurplus == 0 {
		return ""
	}
	return fmt.Sprintf("%d records expected, %d found: %d missing%s, %d not expected%s",
		len(want), len(got), nMissing, missing, nSurplus, surplus)
}

// subtract counts the records of a that b has not, or not as often, and shows the first.
func subtract[T comparable](a, b []T) (shown string, n int) {
	left := make(map[T]int, len(b))
	for _, v := range b {
		left[v]++
	}
	var first []string
	for _, v := range a {
		if left[v] > 0 {
			left[v]--
			continue
		}
		if n++; n <= maxShown {
			first = append(first, fmt.Sprintf("%+v", v))
		}
	}
	if n == 0 {
		return "", 0
	}
	return " (first: " + strings.Join(first, ", ") + ")", n
}
