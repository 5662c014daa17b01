{{- /* vicinity.fullname is the prefix of the names of objects in the namespace. */}}
{{- define "vicinity.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- /* A Service's name has no dots, which a release's may have. */}}
{{- $name := .Release.Name | replace "." "-" -}}
{{- hasSuffix "-scheduler" $name | ternary $name (printf "%s-scheduler" $name) -}}
{{- end -}}
{{- end }}

{{- /* vicinity.config is the name of the ConfigMap. */}}
{{- define "vicinity.config" -}}
{{- printf "%s-config" (include "vicinity.fullname" . | trimSuffix "-scheduler") -}}
{{- end }}

{{- define "vicinity.serviceAccount" -}}
{{- default (include "vicinity.fullname" .) .Values.serviceAccount.name -}}
{{- end }}

{{- /* vicinity.selector tells the pods of one release from those of others. */}}
{{- define "vicinity.selector" -}}
app.kubernetes.io/name: vicinity-scheduler
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "vicinity.labels" -}}
{{ include "vicinity.labelsWith" (list . (dict)) }}
{{- end }}

{{- /* vicinity.labelsWith adds labels, which take precedence over the common ones, to those of
every object: (list ROOT LABELS). */}}
{{- define "vicinity.labelsWith" -}}
{{ include "vicinity.selector" (first .) }}
{{- with first . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end }}
{{- with include "vicinity.moreLabels" . }}
{{ . }}
{{- end }}
{{- end }}

{{- /* vicinity.moreLabels is the common labels and more, as above. The schema reserves the
others. */}}
{{- define "vicinity.moreLabels" -}}
{{- with merge (dict) (last . | default dict) ((first .).Values.commonLabels | default dict) -}}
{{- toYaml . -}}
{{- end -}}
{{- end }}

{{- define "vicinity.image" -}}
{{- with .Values.image -}}
{{- if .registry }}{{ trimSuffix "/" .registry }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end -}}
{{- end -}}
{{- end }}

{{- /* vicinity.subject is the scheduler's account, as bindings name it. */}}
{{- define "vicinity.subject" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "vicinity.serviceAccount" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end }}

{{- /* vicinity.check stops what would not work, and says why. */}}
{{- define "vicinity.check" -}}
{{- $name := include "vicinity.fullname" . -}}
{{- if and (or .Values.metrics.service .Values.serviceMonitor.enabled) (not (regexMatch "^[a-z]" $name)) -}}
{{- fail (printf "a Service cannot be named %s: set fullnameOverride to a name that begins with a letter" $name) -}}
{{- end -}}
{{- if .Values.rbac.create -}}
{{- $binding := printf "%s:kube-scheduler" .Values.schedulerName -}}
{{- with lookup "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" "" $binding -}}
{{- $by := default dict .metadata.annotations -}}
{{- $name := default "" (get $by "meta.helm.sh/release-name") -}}
{{- $namespace := default "" (get $by "meta.helm.sh/release-namespace") -}}
{{- if not (and (eq $name $.Release.Name) (eq $namespace $.Release.Namespace)) -}}
{{- $owner := ternary (printf "release %s in namespace %s" $name $namespace) "an installation without Helm" (ne $name "") -}}
{{- fail (printf "the scheduler name %q is served by %s (ClusterRoleBinding %s); two schedulers of one name would place the same pods: set schedulerName, or uninstall the other" $.Values.schedulerName $owner $binding) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* vicinity.operator stops where the Prometheus operator's kind is missing. Without a
cluster, as in helm template, nothing is known of its kinds. */}}
{{- define "vicinity.operator" -}}
{{- $kind := .kind -}}
{{- with .root -}}
{{- if not (.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" $kind)) -}}
{{- if lookup "v1" "Namespace" "" "kube-system" -}}
{{- fail (printf "the cluster has no kind %s: install the Prometheus operator's CustomResourceDefinitions first, or set %s.enabled=false" $kind (untitle $kind)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "vicinity.metricsToken" -}}
{{- if or .Values.metrics.token .Values.serviceMonitor.enabled }}yes{{ end -}}
{{- end }}
