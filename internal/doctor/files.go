package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/internal/filekind"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/plugins/config"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

const (
	groupConfiguration = "The configuration"

	configFlag    = "config"
	telemetryFlag = "telemetry-config"
)

func fileChecks() []clusterCheck {
	return []clusterCheck{
		{Doc{"config-scheduler", groupConfiguration,
			"Reads the scheduler's KubeSchedulerConfiguration as the scheduler does: strictly.", "error: it is missing or refused"}, lookSchedulerFile},
		{Doc{"config-telemetry", groupConfiguration,
			"Reads the scheduler's TelemetryConfiguration as the scheduler does: strictly.", "error: it is missing or refused"}, lookTelemetryFile},
		{Doc{"config-files", groupConfiguration,
			"Whether the files with credentials and certificates that the TelemetryConfiguration names are mounted.", "error: one is not"}, onDeployment(lookMountedFiles)},
	}
}

// configFiles are the scheduler's two files.
type configFiles struct{ scheduler, telemetry configFile }

// configFile is a file of the scheduler's.
type configFile struct {
	where string // as results call it
	data  []byte
	err   error // a *wrongFile where the installation is at fault
}

// wrongFile is an error that is a finding, not something that could not be looked at.
type wrongFile struct{ what, next string }

func (e *wrongFile) Error() string { return e.what }

// parsedScheduler is a scheduler's configuration that can be read.
type parsedScheduler struct {
	config   *schedulerconfig.Config
	profiles []schedulerconfig.Profile
	where    string
}

func (s *clusterState) configFiles(ctx context.Context) configFiles {
	files, _ := s.files.get(func() (configFiles, error) {
		return configFiles{s.file(ctx, s.SchedulerConfig, configFlag), s.file(ctx, s.TelemetryConfig, telemetryFlag)}, nil
	})
	return files
}

// file reads a local file, or else the one that a flag of the Deployment's container names.
func (s *clusterState) file(ctx context.Context, local, flag string) configFile {
	if local != "" {
		return localFile(local, flag)
	}
	in, err := s.installed(ctx)
	switch {
	case err != nil:
		return configFile{err: err}
	case in.deployment == nil:
		return configFile{err: errNoFile}
	}
	return s.mountedFile(ctx, in, flag)
}

// localFile reads the file that stands for what a flag of the scheduler names.
func localFile(local, flag string) configFile {
	wanted, kind := "a KubeSchedulerConfiguration", filekind.SchedulerConfiguration
	if flag == telemetryFlag {
		wanted, kind = "a TelemetryConfiguration", filekind.TelemetryConfiguration
	}
	file := configFile{where: local}
	data, err := filekind.Read(local, wanted, kind)
	if failed := (*fs.PathError)(nil); err != nil && !errors.As(err, &failed) {
		err = refused(file, err)
	}
	file.data, file.err = data, err
	return file
}

// mountedFile reads the file that a flag of a Deployment's container names.
func (s *clusterState) mountedFile(ctx context.Context, in *installation, flag string) configFile {
	name := flagOf(in.container(), flag)
	if name == "" {
		return configFile{err: &wrongFile{fmt.Sprintf("The container %s of %s is started without --%s.", in.container().Name, in.name(), flag),
			"Add --" + flag + "=/etc/vicinity/FILE to its arguments, as manifests/base does: " + in.kubectl("edit deployment "+in.deployment.Name)}}
	}
	volume, key := in.mounted(name)
	switch {
	case volume == nil:
		return configFile{err: &wrongFile{fmt.Sprintf("Nothing is mounted in %s at %s, which --%s names.", in.name(), name, flag),
			"Mount the ConfigMap there, as manifests/base does: " + in.kubectl("edit deployment "+in.deployment.Name)}}
	case volume.ConfigMap == nil:
		return configFile{err: fmt.Errorf("volume %s of %s, which has %s, is not a ConfigMap; name the file with --scheduler-config or --telemetry-config", volume.Name, in.name(), name)}
	}
	return s.inConfigMap(ctx, in, volume.ConfigMap, key)
}

var errNoFile = errors.New("there is no Deployment that says where the scheduler's configuration is; name the files with --scheduler-config and --telemetry-config")

// noFile is the result of a check of a file that was not found.
func noFile() []Result {
	return finding(Unchecked, "Not checked: no Deployment says where the scheduler's configuration is, and no file was given.", "Doctor does not know with which configuration the scheduler runs, if any does.",
		"vicinity doctor --scheduler-config FILE --telemetry-config FILE")
}

func (s *clusterState) inConfigMap(ctx context.Context, in *installation, source *corev1.ConfigMapVolumeSource, file string) configFile {
	namespace := in.deployment.Namespace
	where := "ConfigMap " + kube.FullName(namespace, source.Name)
	object, err := s.Client.CoreV1().ConfigMaps(namespace).Get(ctx, source.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return configFile{where: where, err: &wrongFile{fmt.Sprintf("There is no %s, which %s mounts.", where, in.name()), "Apply the manifests or the chart again; kustomize and Helm make the ConfigMap."}}
	case err != nil:
		return configFile{where: where, err: needs(err, "get", "", "configmaps", namespace)}
	}
	key := file
	for _, item := range source.Items {
		if item.Path == file {
			key = item.Key
		}
	}
	text, ok := object.Data[key]
	if !ok {
		return configFile{where: where, err: &wrongFile{fmt.Sprintf("%s has no key %s.", where, key), in.kubectl("edit configmap " + source.Name)}}
	}
	return configFile{where: where + ", key " + key, data: []byte(text)}
}

// flagOf returns the value of a flag of a container's command line, "" without it.
func flagOf(c *corev1.Container, name string) string {
	words := slices.Concat(c.Command, c.Args)
	for i, word := range words {
		if value, ok := strings.CutPrefix(word, "--"+name+"="); ok {
			return value
		}
		if word == "--"+name && i+1 < len(words) {
			return words[i+1]
		}
	}
	return ""
}

// mounted returns the volume in which the scheduler's container has a file, and the file's
// path there; nil where it has none.
func (in *installation) mounted(file string) (volume *corev1.Volume, within string) {
	longest := -1
	name := ""
	for _, m := range in.container().VolumeMounts {
		rest, ok := strings.CutPrefix(file, strings.TrimSuffix(m.MountPath, "/"))
		if !ok || rest != "" && rest[0] != '/' || len(m.MountPath) <= longest {
			continue
		}
		longest, name, within = len(m.MountPath), m.Name, path.Join(m.SubPath, strings.TrimPrefix(rest, "/"))
	}
	for i := range in.deployment.Spec.Template.Spec.Volumes {
		if v := &in.deployment.Spec.Template.Spec.Volumes[i]; v.Name == name && longest >= 0 {
			return v, within
		}
	}
	return nil, ""
}

// parsedScheduler reads the scheduler's configuration, once.
func (s *clusterState) parsedScheduler(ctx context.Context) (*parsedScheduler, error) {
	return s.scheduler.get(func() (*parsedScheduler, error) { return parseScheduler(s.configFiles(ctx).scheduler) })
}

func parseScheduler(file configFile) (*parsedScheduler, error) {
	if file.err != nil {
		return nil, file.err
	}
	read, err := schedulerconfig.Parse(file.where, file.data)
	if err != nil {
		return nil, refused(file, err)
	}
	profiles, err := read.Profiles()
	if err != nil {
		return nil, refused(file, fmt.Errorf("%s: %w", file.where, err))
	}
	return &parsedScheduler{read, profiles, file.where}, nil
}

// telemetry reads the TelemetryConfiguration.
func (s *clusterState) telemetry(ctx context.Context) (*configv1.TelemetryConfiguration, error) {
	file := s.configFiles(ctx).telemetry
	if file.err != nil {
		return nil, file.err
	}
	read, err := config.ParseTelemetry(file.where, file.data)
	if err != nil {
		return nil, refused(file, err)
	}
	return read, nil
}

func refused(file configFile, err error) error {
	next := "Correct it, then roll it out: kubectl apply -k . with your overlay, or helm upgrade. docs/configuration.md has every field."
	if !strings.HasPrefix(file.where, "ConfigMap ") {
		next = "Correct the file. docs/configuration.md has every field."
	}
	return &wrongFile{fullStop(err.Error()), next}
}

// readOr turns what came of reading a file into results, unless it could be read.
func readOr(err error, why, otherwise string) []Result {
	var wrong *wrongFile
	switch {
	case errors.As(err, &wrong):
		return finding(Error, wrong.what, why, wrong.next)
	case errors.Is(err, errNoFile):
		return noFile()
	case err != nil:
		return notChecked(err)
	}
	return allRight("%s", otherwise)
}

func lookSchedulerFile(ctx context.Context, s *clusterState) []Result {
	_, err := s.parsedScheduler(ctx)
	return readOr(err, "A scheduler that starts with it stops at once, or runs without TrafficLocality. Pods that run already keep the configuration that they were started with.",
		cmp.Or(s.configFiles(ctx).scheduler.where, "The file")+" is valid.")
}

func lookTelemetryFile(ctx context.Context, s *clusterState) []Result {
	_, err := s.telemetry(ctx)
	return readOr(err, "A scheduler that starts with it stops at once. Without one, it has no traffic to place pods by.",
		cmp.Or(s.configFiles(ctx).telemetry.where, "The file")+" is valid.")
}

func lookMountedFiles(ctx context.Context, s *clusterState, in *installation) []Result {
	read, err := s.telemetry(ctx)
	if err != nil {
		return withoutTelemetry(err)
	}
	p := &read.Prometheus
	files := map[string]string{"prometheus.bearerTokenFile": p.BearerTokenFile}
	if p.TLS != nil {
		files["prometheus.tls.caFile"], files["prometheus.tls.certFile"], files["prometheus.tls.keyFile"] = p.TLS.CAFile, p.TLS.CertFile, p.TLS.KeyFile
	}
	if p.BasicAuth != nil {
		files["prometheus.basicAuth.passwordFile"] = p.BasicAuth.PasswordFile
	}
	var results []Result
	for _, field := range []string{"prometheus.bearerTokenFile", "prometheus.basicAuth.passwordFile", "prometheus.tls.caFile", "prometheus.tls.certFile", "prometheus.tls.keyFile"} {
		file := files[field]
		if file == "" {
			continue
		}
		volume, within := in.mounted(file)
		if volume != nil && provides(volume, within) {
			continue
		}
		results = append(results, Result{
			Severity: Error, What: fmt.Sprintf("%s names %s, which is not mounted in %s.", field, file, in.name()),
			Why:  "Prometheus is not asked without this file, so there is no traffic to place pods by.",
			Next: "Mount the Secret that has it, as docs/install.md says under \"Credentials for Prometheus\": " + in.kubectl("edit deployment "+in.deployment.Name),
		})
	}
	return or(results, "All files that the TelemetryConfiguration names are mounted.")
}

// provides reports whether a volume has a file, as far as the Deployment says it: the content
// of Secrets is not read.
func provides(v *corev1.Volume, file string) bool {
	var items []corev1.KeyToPath
	switch {
	case v.Secret != nil:
		items = v.Secret.Items
	case v.ConfigMap != nil:
		items = v.ConfigMap.Items
	}
	return len(items) == 0 || slices.ContainsFunc(items, func(i corev1.KeyToPath) bool { return i.Path == file })
}

// dependsOn is the result of a check that another one has made pointless.
func dependsOn(check string) []Result {
	return finding(Unchecked, "Not checked: it needs what "+check+" could not read.", "Doctor cannot tell whether something is wrong here.", "Resolve "+check+" first.")
}

// withoutTelemetry is the result of a check that needs the TelemetryConfiguration.
func withoutTelemetry(err error) []Result {
	if errors.Is(err, errNoFile) {
		return noFile()
	}
	return dependsOn("config-telemetry")
}

// onProfiles is a check of each profile in which TrafficLocality is enabled, or of all.
func onProfiles(look func(context.Context, *clusterState, *parsedScheduler) []Result) func(context.Context, *clusterState) []Result {
	return func(ctx context.Context, s *clusterState) []Result {
		parsed, err := s.parsedScheduler(ctx)
		switch {
		case errors.Is(err, errNoFile):
			return noFile()
		case err != nil:
			return dependsOn("config-scheduler")
		}
		return look(ctx, s, parsed)
	}
}
