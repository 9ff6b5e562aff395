{{- define "wso.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* The name of this release's own cluster-scoped objects: releases with namespaces of their own can have the same name. */}}
{{- define "wso.clusterName" -}}
{{ include "wso.name" . }}{{ if .Values.watchNamespaces }}-{{ .Release.Namespace }}{{ end }}
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
{{- with omit (.Values.commonLabels | default dict) "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version" "app.kubernetes.io/part-of" "helm.sh/chart" }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The Pod Security Standard for podTemplates; values of an older release do not have it. */}}
{{- define "wso.podSecurity" -}}
{{- $level := .Values.podTemplate.podSecurity | default "restricted" }}
{{- if not (has $level (list "restricted" "baseline" "privileged")) }}
{{- fail (printf "podTemplate.podSecurity must be restricted, baseline or privileged, not %q" $level) }}
{{- end }}
{{- $level }}
{{- end }}

{{- define "wso.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "wso.name" .) }}
{{- end }}

{{/* The full name of an image: wso.image (list . .Values.image). */}}
{{- define "wso.image" -}}
{{- $root := index . 0 }}{{ $image := index . 1 }}
{{- with $root.Values.imageRegistry }}{{ trimSuffix "/" . }}/{{ end }}{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end }}
