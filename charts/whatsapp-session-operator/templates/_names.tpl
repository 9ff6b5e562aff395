{{- define "wso.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "wso.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "wso.labels" -}}
{{ include "wso.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: whatsapp-session-operator
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* The Pod Security Standard for podTemplates; values of an older release do not have it. */}}
{{- define "wso.podSecurity" -}}
{{- $level := .Values.podTemplate.podSecurity | default "restricted" }}
{{- if not (has $level (list "restricted" "baseline" "privileged")) }}
{{- fail (printf "podTemplate.podSecurity must be restricted, baseline or privileged, not %q" $level) }}
{{- end }}
{{- $level }}
{{- end }}

{{/* User and groups of every pod; values of an older release do not have them. */}}
{{- define "wso.ids" -}}
{{- if kindIs "map" .Values.podSecurityContext }}{{ toJson .Values.podSecurityContext }}{{ else }}{"runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}{{ end }}
{{- end }}

{{/* The security context of the release's own pods. */}}
{{- define "wso.podSecurityContext" -}}
{{- $given := fromJson (include "wso.ids" .) }}
{{- toYaml (merge (dict) $given (dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault"))) }}
{{- end }}

{{/* What every pod that the operator makes has, as its option --pod-settings takes it. */}}
{{- define "wso.podSettings" -}}
{{- $settings := dict "securityContext" (fromJson (include "wso.ids" .)) }}
{{- range $name, $value := dict "labels" .Values.worker.podLabels "annotations" .Values.worker.podAnnotations "nodeSelector" .Values.worker.nodeSelector "tolerations" .Values.worker.tolerations "affinity" .Values.worker.affinity "topologySpreadConstraints" .Values.worker.topologySpreadConstraints "priorityClassName" .Values.worker.priorityClassName "storePodResources" (.Values.storePods).resources }}
{{- with $value }}{{ $_ := set $settings $name . }}{{ end }}
{{- end }}
{{- toJson $settings }}
{{- end }}

{{- define "wso.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "wso.name" .) }}
{{- end }}

{{/* The full name of an image: wso.image (list . .Values.image). */}}
{{- define "wso.image" -}}
{{- $root := index . 0 }}{{ $image := index . 1 }}
{{- with $root.Values.imageRegistry }}{{ trimSuffix "/" . }}/{{ end }}{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end }}
