package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/hack/release/attest"
	"github.com/vicinity-sched/vicinity/hack/release/pack"
	"github.com/vicinity-sched/vicinity/hack/release/places"
)

// chartDir is where the chart is in the repository.
const chartDir = "charts/vicinity"

// release is what is made, and from what.
type release struct {
	root, binaries, out string
	version, commit     string
	platforms, programs []string
	image, imageName    string
	created             time.Time
	key                 *attest.Key
	goVersion           string
	files               []string // names in out, in the order in which they were made
	archiveSums         map[string]string
	imageDigest         string
}

// make makes all files in a directory beside its place, which it then takes: what is
// there is whole.
func (r *release) make(ctx context.Context, out io.Writer) (err error) {
	why, err := r.notReleased(ctx)
	if err != nil {
		return err
	}
	if why != "" {
		fmt.Fprintf(out, "dist: this is not a release: %s\n", why)
		if r.key != nil {
			return errors.New("only a release is signed: leave RELEASE_KEY out, or check out a tag")
		}
	}
	place := r.out
	if r.out, err = os.MkdirTemp(filepath.Dir(place), filepath.Base(place)+".*"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.out)) }()
	if err := r.fill(ctx); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(r.out, 0o755), os.RemoveAll(place), os.Rename(r.out, place)); err != nil {
		return err
	}
	for _, name := range r.files {
		fmt.Fprintln(out, filepath.Join(place, name))
	}
	fmt.Fprintf(out, "dist: image %s %s\n", r.imageName, r.imageDigest)
	return nil
}

// fill makes the files one after the other: later ones name earlier ones.
func (r *release) fill(ctx context.Context) error {
	for _, program := range r.programs {
		for _, platform := range r.platforms {
			if err := r.addProgram(program, platform); err != nil {
				return fmt.Errorf("%s for %s: %w", program, platform, err)
			}
		}
	}
	if err := r.addImage(); err != nil {
		return fmt.Errorf("%s: %w", r.image, err)
	}
	if err := r.addChart(); err != nil {
		return fmt.Errorf("%s: %w", chartDir, err)
	}
	if err := r.addKrew(); err != nil {
		return fmt.Errorf("manifest for krew: %w", err)
	}
	return r.addSums(ctx)
}

// notReleased says why this is no release, and nothing if it is one: a commit with the tag
// that its files and its changelog name.
func (r *release) notReleased(ctx context.Context) (why string, err error) {
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+(-rc\.\d+)?$`).MatchString(r.version) {
		return fmt.Sprintf("version %s is not a tag such as v0.1.0 of the whole commit", r.version), nil
	}
	found, err := places.Find(r.root)
	if err != nil {
		return "", err
	}
	if err := places.Check(found); err != nil {
		return "", err
	}
	released, err := places.Released(found)
	if err != nil {
		return "", err
	}
	if "v"+released != r.version {
		return "", fmt.Errorf("version %s, but the newest release in %s is %s", r.version, places.Changelog, released)
	}
	commit, err := r.git(ctx, "rev-parse", "--verify", "--quiet", "refs/tags/"+r.version+"^{commit}")
	if err != nil || commit != r.commit {
		return fmt.Sprintf("there is no tag %s of commit %s here", r.version, r.commit), nil
	}
	if r.isOther(ctx) {
		return fmt.Sprintf("the work tree is not commit %s: see git status", r.commit), nil
	}
	return "", nil
}

// isOther reports whether the files are not those of the commit. Files that git does not know
// count, since they may be part of a program or of the chart. Of a source without git nothing
// is known.
func (r *release) isOther(ctx context.Context) bool {
	head, err := r.git(ctx, "rev-parse", "--verify", "--quiet", "HEAD")
	if err != nil {
		return false
	}
	changed, err := r.git(ctx, "status", "--porcelain")
	return err != nil || changed != "" || head != r.commit
}

// git asks the repository.
func (r *release) git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", r.root}, args...)...).Output()
	return strings.TrimSpace(string(out)), err
}

// base is the first part of the name of what is made of a program.
func (r *release) base(program, platform string) string {
	return program + "-" + r.version + "-" + strings.ReplaceAll(platform, "/", "-")
}

// addChart packs the chart.
func (r *release) addChart() error {
	archive, err := pack.Chart(filepath.Join(r.root, chartDir), r.number(), r.created)
	if err != nil {
		return err
	}
	return r.write("vicinity-"+r.number()+".tgz", archive)
}

// number is the version without its v, as the chart has it.
func (r *release) number() string { return strings.TrimPrefix(r.version, "v") }

// write makes a file of the release.
func (r *release) write(name string, content []byte) error {
	r.files = append(r.files, name)
	file := filepath.Join(r.out, name)
	if err := os.WriteFile(file, content, 0o644); err != nil {
		return err
	}
	return os.Chmod(file, 0o644) // whatever the umask
}
