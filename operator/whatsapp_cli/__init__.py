"""Show QR codes and sessions in a terminal: the kubectl plug-in."""
