{{/* User and groups of every pod; values of an older release do not have them. */}}
{{- define "wso.ids" -}}
{{- if kindIs "map" .Values.podSecurityContext }}{{ toJson .Values.podSecurityContext }}{{ else }}{"runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}{{ end }}
{{- end }}

{{/* Parts of a PodSpec that say where a pod runs, as JSON: wso.scheduling .Values or .Values.worker. */}}
{{- define "wso.scheduling" -}}
{{- $found := dict }}
{{- range $name := list "affinity" "nodeSelector" "priorityClassName" "runtimeClassName" "schedulerName" "tolerations" "topologySpreadConstraints" }}
{{- with index $ $name }}{{ $_ := set $found $name . }}{{ end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* What every pod that the operator makes has, as its option --pod-settings takes it. */}}
{{- define "wso.podSettings" -}}
{{- $settings := merge (dict "securityContext" (fromJson (include "wso.ids" .))) (fromJson (include "wso.scheduling" .Values.worker)) }}
{{- $labels := merge (dict) (.Values.worker.podLabels | default dict) (.Values.commonLabels | default dict) }}
{{- range $name, $value := dict "labels" $labels "annotations" .Values.worker.podAnnotations "storePodResources" (.Values.storePods).resources }}
{{- with $value }}{{ $_ := set $settings $name . }}{{ end }}
{{- end }}
{{- toJson $settings }}
{{- end }}

{{/* Labels and annotations of the release's own pods: wso.podMetadata (dict "root" . "component" NAME "labels" MAP "annotations" MAP). */}}
{{- define "wso.podMetadata" -}}
{{- $own := merge (dict "app.kubernetes.io/component" .component) (fromYaml (include "wso.selector" .root)) }}
{{- $labels := merge $own (.root.Values.podLabels | default dict) (fromYaml (include "wso.labels" .root)) (.labels | default dict) }}
{{- $evictable := dict "cluster-autoscaler.kubernetes.io/safe-to-evict" "true" }}
{{- $annotations := merge (dict) (.root.Values.podAnnotations | default dict) (.annotations | default dict) $evictable -}}
labels: {{- toYaml $labels | nindent 2 }}
annotations: {{- toYaml $annotations | nindent 2 }}
{{- end }}

{{/* What the PodSpecs of the release's own pods begin with. */}}
{{- define "wso.podSpec" -}}
# The token is mounted below, with the same lifetime, so that each pod says itself what it has.
automountServiceAccountToken: false
{{- $given := fromJson (include "wso.ids" .) }}
securityContext: {{- toYaml (merge (dict) $given (dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault"))) | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with fromJson (include "wso.scheduling" .Values) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Security context and mounts of their containers. */}}
{{- define "wso.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: kube-api-access, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}

{{/* The volumes of these mounts: wso.volumes SIZE. */}}
{{- define "wso.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ . }}}
- name: kube-api-access
  projected:
    defaultMode: 0444
    sources:
      # The lifetime of the token that Kubernetes mounts by itself; the node renews it.
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap:
          name: kube-root-ca.crt
          items: [{key: ca.crt, path: ca.crt}]
      - downwardAPI:
          items: [{path: namespace, fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}]
{{- end }}
