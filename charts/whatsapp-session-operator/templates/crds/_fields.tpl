{{/*
Schemas of fields that the definitions have more than once. Each new rule stands at the field itself and at nothing above it:
since Kubernetes 1.30 a rule is not asked of a value that a request leaves as it is (CRD ratcheting), so that a stored resource
whose value is refused now can still be annotated, suspended and deleted.
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
description: Key in the Secret.
x-kubernetes-validations:
  - rule: self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')
    message: {{ . }} must be a key of the Secret (letters, digits, '-', '_' and '.', and not '..' at its beginning)
{{- end }}

{{/* Names of Kubernetes' objects, as a regular expression. */}}
{{- define "wso.subdomain" -}}
[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*
{{- end }}

{{/* Rules for a directory on a claim: wso.pathRules "spec.filesystem.path". */}}
{{- define "wso.pathRules" -}}
- rule: "!self.startsWith('/')"
  message: {{ . }} must be a relative path; remove the '/' at its beginning, because it is a directory on the claim
- rule: "!self.matches('(^|/)[.][.](/|$)')"
  message: {{ . }} must be a relative path without '..'; it is a directory on the claim
- rule: "!self.matches('[\\\\p{Cc}\\\\p{Zl}\\\\p{Zp}]')"
  message: {{ . }} may not hold line breaks or other control characters; write it on one line
- rule: self.split('/').all(part, part.size() <= 63)
  message: {{ . }} may have at most 63 characters between two '/', because file systems take no longer names
{{- end }}

{{/* Rules for an address of a server: wso.urlRules (list "spec.browser.url" "https" "'https'" "https://web.whatsapp.com/"). */}}
{{- define "wso.urlRules" -}}
{{- $field := index . 0 }}{{ $kind := index . 1 }}{{ $schemes := index . 2 }}{{ $example := index . 3 -}}
- rule: isURL(self) && url(self).getScheme() in [{{ $schemes }}]
  message: {{ $field }} must be an {{ $kind }} address, such as {{ $example }}
- rule: "!isURL(self) || url(self).getHostname() != ''"
  message: {{ $field }} must name a host after '://', such as {{ $example }}
- rule: >-
    !self.matches('^[^/]*//([^/?#]*@)?([^][/?#:@]*|[[][^]]*[]]):[^/?#@]*([/?#]|$)')
    || self.matches('^[^/]*//[^/?#]*:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6([0-4][0-9]{3}|5([0-4][0-9]{2}|5([0-2][0-9]|3[0-5]))))([/?#]|$)')
  message: {{ $field }} must have a port from 1 to 65535 after the host, or none
- rule: "!self.matches('[\\\\s\\\\p{Cc}\\\\p{Z}]')"
  message: {{ $field }} may not hold blanks or line breaks; write the address on one line
{{- end }}

{{/* Rules for labels of pods: wso.labelRules "spec.podLabels". */}}
{{- define "wso.labelRules" -}}
- rule: self.all(key, !key.startsWith('whatsapp-operator.dev/') && !key.startsWith('app.kubernetes.io/'))
  message: labels of whatsapp-operator.dev/ and app.kubernetes.io/ are the operator's; use another prefix
- rule: >-
    self.all(key, key.matches('^({{ include "wso.subdomain" . }}/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$')
    && key.indexOf('/') <= 253 && self[key].matches('^([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?$'))
  message: {{ . }} must be labels, names such as team/role and values of letters, digits, '-', '_' and '.'; both have at most 63 characters
{{- end }}

{{/* Rules for annotations: wso.annotationRules "spec.serviceAccount.annotations". */}}
{{- define "wso.annotationRules" -}}
- rule: self.all(key, !key.startsWith('whatsapp-operator.dev/'))
  message: annotations of whatsapp-operator.dev/ are the operator's; use another prefix
- rule: >-
    self.all(key, key.lowerAscii().matches('^({{ include "wso.subdomain" . }}/)?[a-z0-9]([-_.a-z0-9]{0,61}[a-z0-9])?$')
    && key.indexOf('/') <= 253)
  message: the keys of {{ . }} must be annotations' names of at most 63 characters, such as eks.amazonaws.com/role-arn
- rule: self.map(key, key.size() + self[key].size()).sum() <= 200000
  message: {{ . }} may have at most 200000 characters in all, because Kubernetes takes no more of an object's annotations
{{- end }}
