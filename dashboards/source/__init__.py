"""The dashboards, one module each, and `grafana`, which writes them as Grafana's JSON."""
