"""The dashboards as code: `make dashboards` writes their JSON to grafana/dashboards/."""
