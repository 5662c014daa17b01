package version

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOf(t *testing.T) {
	const hash = "df95cf0a1b2c3d4e5f60718293a4b5c6d7e8f901"
	vcs := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: hash}, {Key: "vcs.modified", Value: modified}}
	}
	kubernetes := []*debug.Module{{Path: "k8s.io/api", Version: "v0.37.2"}, {Path: "k8s.io/kubernetes", Version: "v1.37.2"}}
	cases := map[string]struct {
		build    *debug.BuildInfo
		stamp    string
		want     Info
		wantLine string
	}{
		"a released binary": {
			build: &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Deps: kubernetes}, stamp: "v0.1.0," + hash,
			want:     Info{Version: "v0.1.0", Commit: hash, Kubernetes: "v1.37.2"},
			wantLine: "v0.1.0, commit " + hash + ", Kubernetes v1.37.2",
		},
		"make build with changes": {
			build: &debug.BuildInfo{Main: debug.Module{Version: "v0.1.1-0.20261130203600-df95cf0a1b2c+dirty"}, Deps: kubernetes, Settings: vcs("true")}, stamp: "v0.1.0-3-gdf95cf0a1b2c-dirty," + hash,
			want:     Info{Version: "v0.1.0-3-gdf95cf0a1b2c-dirty", Commit: hash, Modified: true, Kubernetes: "v1.37.2"},
			wantLine: "v0.1.0-3-gdf95cf0a1b2c-dirty, commit " + hash + " with changes, Kubernetes v1.37.2",
		},
		"go build": {
			build:    &debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}, Deps: kubernetes, Settings: vcs("false")},
			want:     Info{Version: "v0.1.0", Commit: hash, Kubernetes: "v1.37.2"},
			wantLine: "v0.1.0, commit " + hash + ", Kubernetes v1.37.2",
		},
		"go build with changes": {
			build:    &debug.BuildInfo{Main: debug.Module{Version: "v0.1.1-0.20261130203600-df95cf0a1b2c+dirty"}, Settings: vcs("true")},
			want:     Info{Version: "v0.1.1-0.20261130203600-df95cf0a1b2c+dirty", Commit: hash, Modified: true, Kubernetes: "unknown"},
			wantLine: "v0.1.1-0.20261130203600-df95cf0a1b2c+dirty, commit " + hash + " with changes, Kubernetes unknown",
		},
		"go install of a tag": {
			build:    &debug.BuildInfo{Main: debug.Module{Version: "v0.1.0", Sum: "h1:abc="}, Deps: kubernetes},
			want:     Info{Version: "v0.1.0", ModuleSum: "h1:abc=", Kubernetes: "v1.37.2"},
			wantLine: "v0.1.0, module h1:abc=, Kubernetes v1.37.2",
		},
		"go install of a commit": {
			build:    &debug.BuildInfo{Main: debug.Module{Version: "v0.1.1-0.20261130203600-df95cf0a1b2c", Sum: "h1:abc="}, Deps: kubernetes},
			want:     Info{Version: "v0.1.1-0.20261130203600-df95cf0a1b2c", Commit: "df95cf0a1b2c", ModuleSum: "h1:abc=", Kubernetes: "v1.37.2"},
			wantLine: "v0.1.1-0.20261130203600-df95cf0a1b2c, commit df95cf0a1b2c, Kubernetes v1.37.2",
		},
		"before the first tag": {
			build:    &debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20261130203600-df95cf0a1b2c", Sum: "h1:abc="}},
			want:     Info{Version: "v0.0.0-20261130203600-df95cf0a1b2c", Commit: "df95cf0a1b2c", ModuleSum: "h1:abc=", Kubernetes: "unknown"},
			wantLine: "v0.0.0-20261130203600-df95cf0a1b2c, commit df95cf0a1b2c, Kubernetes unknown",
		},
		"a replaced Kubernetes": {
			build: &debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}, Deps: []*debug.Module{{
				Path: "k8s.io/kubernetes", Version: "v1.37.2", Replace: &debug.Module{Path: "example.com/kubernetes", Version: "v1.37.3"},
			}}},
			want:     Info{Version: "v0.1.0", Kubernetes: "v1.37.3"},
			wantLine: "v0.1.0, commit unknown, Kubernetes v1.37.3",
		},
		"no repository": {
			build:    &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Deps: kubernetes},
			want:     Info{Version: "(devel)", Kubernetes: "v1.37.2"},
			wantLine: "(devel), commit unknown, Kubernetes v1.37.2",
		},
		"nothing known": {
			want:     Info{Version: "unknown", Kubernetes: "unknown"},
			wantLine: "unknown, commit unknown, Kubernetes unknown",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.want.Go, tc.want.Platform = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
			got := of(tc.build, tc.stamp)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			tc.wantLine += ", " + tc.want.Go + ", " + tc.want.Platform
			if got.String() != tc.wantLine {
				t.Errorf("got  %s\nwant %s", got, tc.wantLine)
			}
		})
	}
}
