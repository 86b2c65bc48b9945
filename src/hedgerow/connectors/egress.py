"""Which addresses may be reached; SSH tunnels."""
