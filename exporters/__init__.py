"""The boundary: Prometheus pages and service discovery, alert rules, dashboards, files, and the HTTP server."""
