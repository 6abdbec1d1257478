// Package files reads and writes files: lines of text, JSON lines and CSV. The sinks' output is exactly once.
//
// Read in this order. For sources: source.go (what is read), enumerator.go (which files, which splits), reader.go (a
// Poll), scanner.go (bytes to records), input.go (plain and gzip), json.go, csv.go and columns.go (records to values).
// For sinks: sink.go, writer.go, committer.go, part.go (names and states). wire.go has what checkpoints keep.
//
// Who runs it: the job's master calls the enumerator, subtasks call readers and writers, a helper goroutine of the subtask
// calls the committer. Nothing here starts a goroutine: reads are of at most maxPollBytes per Poll, and writes are to the
// page cache but for one fsync per part and checkpoint.
//
// # Reading
//
// A plain file of lines is cut into byte ranges; a gzip file and a CSV file are one split. Offsets are in uncompressed
// bytes. A gzip file that is read on after a restore is decompressed from its beginning up to the position. The lines of
// a split that begins in the middle of a file have no numbers (0). A file is read up to the size that it had when it was
// found, and must not change while a job reads it. A line over the limit is one reject, and reading goes on with the next
// line; so is a CSV record, but if it has line ends, a quote was forgotten, and reading goes on behind its first line.
//
//	I1  A split owns the lines that begin in its range: a line that goes on behind the range is read to its end, and the
//	    next split, which begins in the middle of it, skips to the next line end. To see whether a line begins at its
//	    first byte, a split begins one byte before it. Hence every line of a file belongs to one split, wherever the cuts
//	    are.
//	    The records, offsets and rejects of a split do not depend on how its reading is divided into Polls and restores.
//
// # Writing
//
// A writer writes to a hidden file, a temporary part. Once it is old or large enough it is finished: flushed, fsynced,
// closed. The next Prepare hands it out as a committable, and the commit gives it its final name. A part that is open at a
// barrier is flushed and fsynced too, and its length goes into the writer's state.
//
//	I2  Parts of a writer are numbered from 0 in the order in which they are opened, and are finished in that order. At
//	    a Snapshot, which follows a Prepare, the parts before number n are prepared, n is open (or none is), and those
//	    behind n do not exist. (run, step, subtask, attempt, n) is the name of a part, temporary and final; no two
//	    writers share the first four (the job never uses an attempt number twice within a run), so names need no counter
//	    that survives restores, rescaling or resubmission, and no two parts ever want one final name.
//	I3  A final name appears by link, which never replaces a file, and only after the part was fsynced. A commit that is
//	    done again finds the temporary name linked to the same file, or gone, and the final one there with the length
//	    that was prepared. Both gone is an error if the part is of this attempt; if it is of an earlier one, the commit
//	    was done before the restore and the part was taken away by its user.
//	I4  A temporary part is written by the one writer that is in its name, and never again after a restore: the new
//	    attempt copies the bytes that the checkpoint counts on into a part of its own. So a zombie that goes on writing
//	    to the old one changes nothing: what it adds is behind those bytes. The copies of several states (after the
//	    parallelism went down) become parts of their own.
//	I5  A temporary part is needed for as long as a checkpoint that may be restored has it as open or as committable.
//	    By the state (subtask s, attempt a, number n) of the checkpoint that was restored: (s, a, <n) are committables,
//	    which only a commit removes. (s, a, n) is copied, and discarded by the commit of the second checkpoint after
//	    that, which no state refers to any more; should the job fail before, the next attempt carries the discard on
//	    in its state. (s, a, >n) and all of (s, attempts between a and this one) came after the checkpoint, so nothing
//	    that will be restored knows of them: they are removed as soon as the state was read. The same goes for subtasks
//	    that the checkpoint had not, for all earlier attempts when no checkpoint was restored at all, and when the
//	    checkpoint is of another run.
//	I6  Nobody removes what is of another run or of another step. What a cancelled run leaves behind stays, hidden, since
//	    a savepoint may refer to it; once there is none, ".part-<run>-*" can be removed by hand.
//
// Going back to a checkpoint before the newest completed one cannot take back what the newer ones have made visible: the
// records between the two are written again.
package files
