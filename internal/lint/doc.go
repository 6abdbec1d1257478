// Package lint holds this repository to its house rules: who may import whom, which package owns which dependency, names,
// visible concurrency, passed clocks, package comments, sizes, formatting. It runs as a test: go test ./internal/lint.
//
// Read in this order: repo.go (the parsed source and a finding), imports.go (the table of levels and owners), clocks.go
// (concurrency, clocks and random numbers), names.go, sizes.go (files, functions, package comments, formatting). The
// exemptions stand beside their rule, each with its reason.
//
// Who runs it: go test. It imports the standard library only.
//
//	I1  Every rule has a snippet in lint_test.go that breaks it.
//	I2  A finding names file and line, the rule, and what to do.
//	I3  An exemption from a size that is not needed any more is a finding.
package lint
