"""The provider `native`: Kubernetes' own programs as processes of this machine."""
