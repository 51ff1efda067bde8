"""Made-up runs, scraped as real ones are, in a real Prometheus: for the dashboards' tests and their pictures."""
