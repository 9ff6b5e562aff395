{{/*
Schemas of fields that occur more than once in the CRDs. Put each new rule at the field itself, not at a field above it: since
Kubernetes 1.30 the API server does not check a rule for a value that a request leaves unchanged (CRD ratcheting). A stored resource
whose value violates a new rule can then still be annotated, suspended and deleted.
*/}}

{{/* The name of another object: wso.objectName (list "spec.s3.credentialsSecretRef.name" "Secret"). */}}
{{- define "wso.objectName" -}}
{{- $field := index . 0 }}{{ $kind := index . 1 -}}
type: string
maxLength: 253
description: Name of the {{ $kind }}.
x-kubernetes-validations:
  - rule: self.matches('^{{ include "wso.subdomain" . }}$')
    message: {{ $field }} must be the name of a {{ $kind }} (lower-case letters, digits, '-' and '.', with a letter or digit at both ends and beside each '.')
{{- end }}

{{/* A key of a Secret: wso.secretKey "spec.mongodb.uriSecretRef.key". */}}
{{- define "wso.secretKey" -}}
type: string
maxLength: 253
description: Key in the data of the Secret.
x-kubernetes-validations:
  - rule: self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')
    message: {{ . }} must be a key of the Secret (letters, digits, '-', '_' and '.', not beginning with '..')
{{- end }}

{{/* Regular expression for names of Kubernetes objects (DNS subdomains). */}}
{{- define "wso.subdomain" -}}
[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*
{{- end }}

{{/* Rules for a directory on a volume: wso.pathRules "spec.filesystem.path". */}}
{{- define "wso.pathRules" -}}
- rule: "!self.startsWith('/')"
  message: {{ . }} must be a relative path on the volume; remove the '/' at its beginning
- rule: "!self.matches('(^|/)[.][.](/|$)')"
  message: {{ . }} must be a relative path on the volume, without '..'
- rule: "!self.matches('[\\\\p{Cc}\\\\p{Zl}\\\\p{Zp}]')"
  message: {{ . }} must not contain line breaks or other control characters; write it on one line
- rule: self.split('/').all(part, part.size() <= 63)
  message: {{ . }} must have at most 63 characters between two '/', because file systems limit the length of names
{{- end }}

{{/* Rules for the URL of a server: wso.urlRules (list "spec.browser.url" "https" "'https'" "https://web.whatsapp.com/"). */}}
{{- define "wso.urlRules" -}}
{{- $field := index . 0 }}{{ $kind := index . 1 }}{{ $schemes := index . 2 }}{{ $example := index . 3 -}}
- rule: isURL(self) && url(self).getScheme() in [{{ $schemes }}]
  message: {{ $field }} must be an {{ $kind }} URL, such as {{ $example }}
- rule: "!isURL(self) || url(self).getHostname() != ''"
  message: {{ $field }} must have a host after '://', such as {{ $example }}
- rule: >-
    !self.matches('^[^/]*//([^/?#]*@)?([^][/?#:@]*|[[][^]]*[]]):[^/?#@]*([/?#]|$)')
    || self.matches('^[^/]*//[^/?#]*:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6([0-4][0-9]{3}|5([0-4][0-9]{2}|5([0-2][0-9]|3[0-5]))))([/?#]|$)')
  message: {{ $field }} must have a port from 1 to 65535 after the host, or no port
- rule: "!self.matches('[\\\\s\\\\p{Cc}\\\\p{Z}]')"
  message: {{ $field }} must not contain blanks or line breaks; remove them
{{- end }}

{{/* Rules for labels of pods: wso.labelRules "spec.podLabels". */}}
{{- define "wso.labelRules" -}}
- rule: self.all(key, !key.startsWith('whatsapp-operator.dev/') && !key.startsWith('app.kubernetes.io/'))
  message: {{ . }} must not use the prefixes whatsapp-operator.dev/ and app.kubernetes.io/, which the operator uses; use another prefix
- rule: >-
    self.all(key, key.matches('^({{ include "wso.subdomain" . }}/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$')
    && key.indexOf('/') <= 253 && self[key].matches('^([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?$'))
  message: {{ . }} must be valid labels, with keys such as team/role and values of letters, digits, '-', '_' and '.'; keys (after the '/') and values have at most 63 characters
{{- end }}

{{/* Rules for annotations: wso.annotationRules "spec.serviceAccount.annotations". */}}
{{- define "wso.annotationRules" -}}
- rule: self.all(key, !key.startsWith('whatsapp-operator.dev/'))
  message: {{ . }} must not use the prefix whatsapp-operator.dev/, which the operator uses; use another prefix
- rule: >-
    self.all(key, key.lowerAscii().matches('^({{ include "wso.subdomain" . }}/)?[a-z0-9]([-_.a-z0-9]{0,61}[a-z0-9])?$')
    && key.indexOf('/') <= 253)
  message: the keys of {{ . }} must be valid annotation keys, such as eks.amazonaws.com/role-arn, with at most 63 characters after the '/'
- rule: self.map(key, key.size() + self[key].size()).sum() <= 200000
  message: {{ . }} must have at most 200000 characters in all, because Kubernetes limits the size of annotations
{{- end }}
