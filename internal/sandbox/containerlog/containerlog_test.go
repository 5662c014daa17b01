package containerlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// logged returns a log of texts, one a minute from noon on.
func logged(t *testing.T, limit int, texts ...string) *Log {
	t.Helper()
	now := time.Date(2026, time.November, 30, 12, 0, 0, 0, time.UTC)
	l := New(limit, func() time.Time { return now })
	for _, text := range texts {
		if _, err := io.WriteString(l, text); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
	return l
}

// TestCopy asks for parts of a log.
func TestCopy(t *testing.T) {
	lines := []string{"one\n", "two\n", "three\n"}
	cases := map[string]struct {
		limit int
		texts []string
		o     corev1.PodLogOptions
		want  string
	}{
		"all":                         {100, lines, corev1.PodLogOptions{}, "one\ntwo\nthree\n"},
		"the last lines":              {100, lines, corev1.PodLogOptions{TailLines: new(int64(2))}, "two\nthree\n"},
		"more last lines than it has": {100, lines, corev1.PodLogOptions{TailLines: new(int64(7))}, "one\ntwo\nthree\n"},
		"no last lines":               {100, lines, corev1.PodLogOptions{TailLines: new(int64(0))}, ""},
		"of the last minutes":         {100, lines, corev1.PodLogOptions{SinceSeconds: new(int64(120))}, "two\nthree\n"},
		"since a time":                {100, lines, corev1.PodLogOptions{SinceTime: new(metav1.Date(2026, time.November, 30, 12, 2, 0, 0, time.UTC))}, "three\n"},
		"the last line, too old":      {100, lines, corev1.PodLogOptions{SinceSeconds: new(int64(30)), TailLines: new(int64(1))}, ""},
		"a number of bytes":           {100, lines, corev1.PodLogOptions{LimitBytes: new(int64(6))}, "one\ntw"},
		"with times": {100, lines[:2], corev1.PodLogOptions{Timestamps: true},
			"2026-11-30T12:00:00.000000000Z one\n2026-11-30T12:01:00.000000000Z two\n"},
		"several lines in one write, and a part": {100, []string{"one\ntwo\nthr"}, corev1.PodLogOptions{}, "one\ntwo\n"},
		"a line in parts":                        {100, []string{"o", "n", "e\n"}, corev1.PodLogOptions{}, "one\n"},
		"a line without an end":                  {100_000, []string{strings.Repeat("x", longest)}, corev1.PodLogOptions{}, strings.Repeat("x", longest)},
		"only what there is room for":            {10, lines, corev1.PodLogOptions{}, "two\nthree\n"},
		"the last lines of those":                {10, lines, corev1.PodLogOptions{TailLines: new(int64(1))}, "three\n"},
		"a line for which there is no room":      {2, lines, corev1.PodLogOptions{}, "three\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got strings.Builder
			if err := logged(t, tc.limit, tc.texts...).Copy(t.Context(), &got, tc.o); err != nil || got.String() != tc.want {
				t.Errorf("it writes %q, %v, want %q", got.String(), err, tc.want)
			}
		})
	}
}

// TestClose has a log whose last line has no end.
func TestClose(t *testing.T) {
	l := logged(t, 100, "one\n", "two")
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var got strings.Builder
	if err := l.Copy(t.Context(), &got, corev1.PodLogOptions{Follow: true}); err != nil || got.String() != "one\ntwo" {
		t.Errorf("it writes %q, %v", got.String(), err)
	}
	if last := l.Last(2); len(last) != 2 || last[0] != "one" || last[1] != "two" {
		t.Errorf("its last lines are %q", last)
	}
	if _, err := io.WriteString(l, "three\n"); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("writing to it: %v", err)
	}
}

// TestFollow follows a log that drops lines, until it is closed, and one that is not, until
// the reader leaves.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := logged(t, 4, "one\n", "two\n")
		read, write := io.Pipe()
		go func() {
			write.CloseWithError(l.Copy(t.Context(), write, corev1.PodLogOptions{Follow: true, TailLines: new(int64(1)), LimitBytes: new(int64(9))}))
		}()
		see := func(want string) {
			t.Helper()
			got := make([]byte, len(want))
			if _, err := io.ReadFull(read, got); err != nil || string(got) != want {
				t.Fatalf("it writes %q, %v, want %q", got, err, want)
			}
			synctest.Wait()
		}
		see("two\n")
		fmt.Fprint(l, "six\n")
		see("six\n")
		fmt.Fprint(l, "ten\n")
		see("t")
		if n, err := read.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("after the limit it writes %d bytes, %v", n, err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { left <- l.Copy(ctx, io.Discard, corev1.PodLogOptions{Follow: true}) }()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("when the reader leaves: %v", err)
		}
		go func() { left <- l.Copy(t.Context(), io.Discard, corev1.PodLogOptions{Follow: true}) }()
		synctest.Wait()
		_ = l.Close()
		if err := <-left; err != nil {
			t.Errorf("when the log is closed: %v", err)
		}
	})
}

// TestWriteFails has a reader that is gone.
func TestWriteFails(t *testing.T) {
	read, write := io.Pipe()
	_ = read.Close()
	if err := logged(t, 100, "one\n").Copy(t.Context(), write, corev1.PodLogOptions{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("writing to nobody: %v", err)
	}
}
