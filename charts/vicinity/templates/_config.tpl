{{- /* vicinity.schedulerConfig is the KubeSchedulerConfiguration. */}}
{{- define "vicinity.schedulerConfig" -}}
{{- $config := dict -}}
{{- with .Values.scheduler -}}
{{- if .config -}}
{{- $config = merge (deepCopy .config) (dict "apiVersion" "kubescheduler.config.k8s.io/v1" "kind" "KubeSchedulerConfiguration") -}}
{{- else -}}
{{- $config = $.Files.Get (printf "files/profiles/%s.yaml" $.Values.profile) | fromYaml -}}
{{- $profile := first $config.profiles -}}
{{- $_ := set $profile "schedulerName" $.Values.schedulerName -}}
{{- if ne (toString .weight) "" -}}
{{- $_ := set (first $profile.plugins.multiPoint.enabled) "weight" .weight -}}
{{- end -}}
{{- $args := (first $profile.pluginConfig).args -}}
{{- $given := default dict .args -}}
{{- if hasKey $given "cost" -}}
{{- $_ := unset $args "closeness" -}}
{{- end -}}
{{- $_ := mustMergeOverwrite $args (deepCopy $given) -}}
{{- if ne (toString .percentageOfNodesToScore) "" -}}
{{- $_ := set $config "percentageOfNodesToScore" .percentageOfNodesToScore -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $names := list -}}
{{- range $config.profiles -}}
{{- $names = append $names (default "default-scheduler" .schedulerName) -}}
{{- end -}}
{{- if has "default-scheduler" $names -}}
{{- fail "scheduler.config has a profile named default-scheduler, or without a name: kube-scheduler places the same pods. docs/install.md says how to run one scheduler for all" -}}
{{- end -}}
{{- if not (has .Values.schedulerName $names) -}}
{{- fail (printf "scheduler.config has no profile named %q: set schedulerName to one of %s" .Values.schedulerName (join ", " $names)) -}}
{{- end -}}
{{- $lease := dict "leaderElect" true "resourceName" (include "vicinity.fullname" .) "resourceNamespace" .Release.Namespace -}}
{{- $_ := set $config "leaderElection" (mergeOverwrite (default dict $config.leaderElection) $lease) -}}
{{- toYaml $config -}}
{{- end }}

{{- /* vicinity.telemetryConfig is the TelemetryConfiguration. */}}
{{- define "vicinity.telemetryConfig" -}}
{{- $config := merge (dict "apiVersion" "config.vicinity.dev/v1" "kind" "TelemetryConfiguration") (deepCopy .Values.telemetry) -}}
{{- with .Values.prometheusCredentials -}}
{{- if .secret -}}
{{- $files := dict -}}
{{- with .tokenKey -}}{{- $_ := set $files "bearerTokenFile" (printf "/etc/vicinity/prometheus/%s" .) -}}{{- end -}}
{{- if .passwordKey -}}
{{- $_ := set $files "basicAuth" (dict "username" .username "passwordFile" (printf "/etc/vicinity/prometheus/%s" .passwordKey)) -}}
{{- end -}}
{{- $tls := dict -}}
{{- with .caKey -}}{{- $_ := set $tls "caFile" (printf "/etc/vicinity/prometheus/%s" .) -}}{{- end -}}
{{- with .certKey -}}{{- $_ := set $tls "certFile" (printf "/etc/vicinity/prometheus/%s" .) -}}{{- end -}}
{{- with .keyKey -}}{{- $_ := set $tls "keyFile" (printf "/etc/vicinity/prometheus/%s" .) -}}{{- end -}}
{{- if $tls -}}{{- $_ := set $files "tls" $tls -}}{{- end -}}
{{- $_ := set $config "prometheus" (mergeOverwrite (default dict $config.prometheus) $files) -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}
